public import FootingHost
public import FootingSystem

/// Reads the state of the balloon that this machine has, cheaply enough to do it all the time.
///
/// No hypervisor has a file to write "released" to: memory is given back by freeing it, and the
/// balloon takes it. The interfaces are counters, in files that stay open; docs/memory.md has the
/// table.
public struct BalloonDriver: Sendable {
    /// Where the numbers come from.
    enum Source: Sendable {
        /// `/proc/vmstat`, the events less their reversals, and `/proc/meminfo`; the device.
        case virtio(events: SampledFile?, target: VirtioTargetSearch)
        /// debugfs `vmmemctl`, or else `/proc/vmstat`.
        case vmware(state: SampledFile?, events: SampledFile?)
        /// debugfs `hv-balloon`, and `/proc/meminfo`.
        case hyperV(state: SampledFile?)
        /// `xen_memory0/info/current_kb` and `target_kb`.
        case xen(current: SampledFile, target: SampledFile?)
    }

    /// A balloon that moved less long ago than this is active, in nanoseconds.
    private static let activeNanoseconds: UInt64 = 5_000_000_000
    private static let pageBytes: UInt64 = 4096

    /// The balloon, as it was found.
    public let balloon: Balloon

    private var source: Source
    private var lastBytes: UInt64?
    private var movedNanoseconds: UInt64?
    private var aim = BalloonAim()
    /// The most that Xen's guest had or was to have: its own maximum is only in xenstore.
    private var largestBytes: UInt64 = 0

    /// Looks for a balloon and opens its files.
    ///
    /// - Parameter root: the machine.
    /// - Returns: absent where there is none, or nothing tells of its size.
    public static func find(_ root: HostRoot) -> Fact<BalloonDriver> {
        find(root) { VirtioBalloonTarget.find($0, root) }
    }

    /// The same, with a way of its own to what a virtio balloon is to have.
    ///
    /// - Parameter target: looks for it, by the device's folder.
    static func find(
        _ root: HostRoot,
        target: @escaping @Sendable (String) -> Fact<VirtioBalloonTarget>
    ) -> Fact<BalloonDriver> {
        switch Balloon.find(root) {
        case .absent(let reason): .absent(reason)
        case .known(let balloon): open(balloon, root, target)
        }
    }

    private static func open(
        _ balloon: Balloon,
        _ root: HostRoot,
        _ target: @escaping @Sendable (String) -> Fact<VirtioBalloonTarget>
    ) -> Fact<BalloonDriver> {
        func file(_ path: String) -> SampledFile? { try? SampledFile(path, root) }
        let source: Source
        switch balloon.kind {
        case "virtio-balloon":
            source = .virtio(
                events: file("proc/vmstat"),
                target: VirtioTargetSearch { target(balloon.source) }
            )
        case "vmware":
            source = .vmware(
                state: file("sys/kernel/debug/vmmemctl"),
                events: file("proc/vmstat")
            )
        case "hyperv": source = .hyperV(state: file("sys/kernel/debug/hv-balloon"))
        case "xen":
            guard let current = file("\(balloon.source)/info/current_kb") else {
                return .absent("\(balloon.source)/info/current_kb cannot be read")
            }
            source = .xen(current: current, target: file("\(balloon.source)/target_kb"))
        default: return .absent("a balloon of another kind: \(balloon.kind)")
        }
        return .known(BalloonDriver(balloon, source))
    }

    private init(_ balloon: Balloon, _ source: Source) {
        self.balloon = balloon
        self.source = source
    }

    /// Where what the hypervisor wants is read, or why it is not.
    var targetSource: Fact<String> {
        switch source {
        case .virtio(_, let target): target.source
        case .vmware(let state?, _) where balloon.targetBytes.value != nil: .known(state.path)
        case .xen(_, let target?): .known(target.path)
        default: .absent(balloon.targetBytes.absence ?? "it cannot be read")
        }
    }

    /// The state now.
    ///
    /// - Parameters:
    ///   - memory: what `/proc/meminfo` tells at the same time.
    ///   - nanoseconds: when.
    ///   - buffer: memory that is used again.
    /// - Returns: absent where the files have gone, or hold no numbers.
    public mutating func read(
        _ memory: MemoryInfo,
        at nanoseconds: UInt64,
        buffer: inout [UInt8]
    ) -> Fact<BalloonStatus> {
        guard let (current, target) = sizes(memory, nanoseconds, &buffer) else {
            return .absent("nothing tells the size of the \(balloon.kind) balloon")
        }
        if let lastBytes, lastBytes != current { movedNanoseconds = nanoseconds }
        lastBytes = current
        let moved = movedNanoseconds.map { nanoseconds.less($0) < Self.activeNanoseconds } ?? false
        let guest = guestBytes(memory, current)
        let isOnItsWay = aim.isOnItsWay(
            current,
            to: target.value,
            guestBytes: guest,
            at: nanoseconds
        )
        return .known(
            BalloonStatus(
                currentBalloonBytes: current,
                targetBalloonBytes: target,
                guestMemoryBytes: guest,
                isActive: moved || isOnItsWay,
                // Named only while it tells something.
                targetSource: target.value == nil ? nil : targetSource.value
            )
        )
    }

    private mutating func sizes(
        _ memory: MemoryInfo,
        _ nanoseconds: UInt64,
        _ buffer: inout [UInt8]
    ) -> (current: UInt64, target: Fact<UInt64>)? {
        let untold = Fact<UInt64>.absent(targetSource.absence ?? "it cannot be read any more")
        func told(_ target: UInt64?) -> Fact<UInt64> { target.map { .known($0) } ?? untold }
        switch source {
        case .virtio(let events, var target):
            // Where the pages are counted, the events tell the same.
            guard let bytes = memory.balloonBytes ?? Self.eventBytes(events, &buffer) else {
                return nil
            }
            let wanted = target.read(at: nanoseconds)
            source = .virtio(events: events, target: target)
            return (bytes, wanted)
        case .vmware(let state, let events):
            guard let text = try? state?.read(into: &buffer),
                let current = Self.pages("current", in: text)
            else {
                // Its large pages are counted only as events, and others' pages only as pages.
                let counted = Self.eventBytes(events, &buffer)
                return larger(memory.balloonBytes, counted).map { ($0, untold) }
            }
            return (current, told(Self.pages("target", in: text)))
        case .hyperV(let state):
            var bytes: UInt64?
            if let text = try? state?.read(into: &buffer),
                let pages = CounterText.number("pages_ballooned", in: text)
            {
                let size = CounterText.number("page_size", in: text) ?? Self.pageBytes
                bytes = CounterText.multiplied(pages, by: size)
            }
            return larger(memory.balloonBytes, bytes).map { ($0, untold) }
        case .xen(let current, let target):
            guard let now = Self.kibibytes(current, &buffer) else { return nil }
            let wanted = target.flatMap { Self.kibibytes($0, &buffer) }
            largestBytes = max(largestBytes, now, wanted ?? 0)
            return (largestBytes - now, told(wanted.map { largestBytes - $0 }))
        }
    }

    private func guestBytes(_ memory: MemoryInfo, _ current: UInt64) -> UInt64 {
        switch source {
        // A balloon that gives way before the machine runs short, and VMware's, leave the total.
        case .virtio where balloon.deflatesWhenShort.value != true: memory.totalBytes
        case .virtio, .vmware: memory.totalBytes.less(current)
        case .hyperV, .xen: memory.totalBytes
        }
    }

    private static func eventBytes(_ events: SampledFile?, _ buffer: inout [UInt8]) -> UInt64? {
        // The lines stand together, so that the second is the last that is needed.
        let text = try? events?.read(into: &buffer) {
            CounterText.number("balloon_deflate", in: $0) != nil
        }
        guard let text, let inflated = CounterText.number("balloon_inflate", in: text),
            let deflated = CounterText.number("balloon_deflate", in: text), inflated >= deflated
        else { return nil }
        return CounterText.multiplied(inflated - deflated, by: pageBytes)
    }

    private static func pages(_ name: String, in text: ArraySlice<UInt8>) -> UInt64? {
        CounterText.number(name, in: text).flatMap { CounterText.multiplied($0, by: pageBytes) }
    }

    private static func kibibytes(_ file: SampledFile, _ buffer: inout [UInt8]) -> UInt64? {
        guard let text = try? file.read(into: &buffer) else { return nil }
        return CounterText.number(in: text).flatMap { CounterText.multiplied($0, by: 1024) }
    }

    private func larger(_ first: UInt64?, _ second: UInt64?) -> UInt64? {
        guard let first, let second else { return first ?? second }
        return max(first, second)
    }
}
