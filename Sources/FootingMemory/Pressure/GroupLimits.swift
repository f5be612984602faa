internal import FootingHost
internal import FootingSystem

/// What the control groups of this process have left, from the tightest of them.
///
/// The kernel documents are `cgroup-v2.rst` and `cgroup-v1/memory.rst`.
struct GroupLimits: Sendable {
    /// One group.
    private struct Level: Sendable {
        let path: String
        let usage: SampledFile
        /// `memory.max` and `memory.high`, or `memory.limit_in_bytes`.
        let limits: [SampledFile]
        let statistics: SampledFile?
        var limitBytes: UInt64?
    }

    /// What version 1 writes where there is no limit is just below 2^63.
    private static let unlimitedBytes: UInt64 = 1 << 62
    /// As far as `ResourceLimits` looks.
    private static let depthMaximum = 32

    private let version: MemoryGroups.Version
    private var levels: [Level] = []

    init(_ groups: MemoryGroups, _ root: HostRoot) {
        version = groups.version
        let isOld = version == .version1
        let usage = isOld ? "memory.usage_in_bytes" : "memory.current"
        let limits = isOld ? ["memory.limit_in_bytes"] : ["memory.max", "memory.high"]
        for folder in groups.folders.prefix(Self.depthMaximum) {
            func file(_ name: String) -> SampledFile? {
                try? SampledFile("\(folder)/\(name)", root)
            }
            // The topmost group of version 2 has none of these.
            guard let usage = file(usage) else { continue }
            let limits = limits.compactMap { file($0) }
            if limits.isEmpty { continue }
            let statistics = file("memory.stat")
            levels.append(
                Level(path: folder, usage: usage, limits: limits, statistics: statistics)
            )
        }
    }

    /// The groups that can have limits, the own one first.
    var paths: [String] { levels.map(\.path) }

    /// The tightest limit there is, in bytes.
    var tightestBytes: UInt64? { levels.compactMap(\.limitBytes).min() }

    /// Reads the limits again: an operator may have changed them.
    mutating func refresh(_ buffer: inout [UInt8]) {
        for at in levels.indices {
            levels[at].limitBytes = levels[at].limits.compactMap { file in
                guard let text = try? file.read(into: &buffer) else { return nil }
                // `max` is no number, and no limit.
                return CounterText.number(in: text).flatMap { $0 < Self.unlimitedBytes ? $0 : nil }
            }.min()
        }
    }

    /// The group that has the least left; nil where none limits memory.
    ///
    /// - Parameters:
    ///   - machineBytes: a limit above what the machine has is none.
    ///   - isExact: whether what could be reclaimed counts far from the limit, too; who asks often
    ///     need not read so much.
    func headroom(
        machineBytes: UInt64?,
        isExact: Bool = false,
        _ buffer: inout [UInt8]
    ) -> Headroom? {
        var tightest: Headroom?
        for level in levels {
            guard let limit = level.limitBytes, limit < machineBytes ?? .max,
                let text = try? level.usage.read(into: &buffer),
                let used = CounterText.number(in: text)
            else { continue }
            // To a watcher it does not matter far from the limit what could be reclaimed.
            let isFar = !isExact && used < limit - limit / 4
            let kept = isFar ? used : used.less(reclaimable(level, &buffer))
            let room = Headroom(
                sizeBytes: limit,
                availableBytes: limit.less(kept),
                excessBytes: kept.less(limit)
            )
            if let known = tightest, !room.isTighter(than: known) { continue }
            tightest = room
        }
        return tightest
    }

    /// What the groups let this process have of the machine's swap, in bytes; nil where none
    /// limits it.
    ///
    /// `memory.swap.max` and `memory.swap.current`; version 1 limits the sum of memory and swap
    /// instead. Where a group limits memory and does not tell of swap there is none to count on.
    ///
    /// - Parameters:
    ///   - machineBytes: a limit above what the machine has is none.
    ///   - availableBytes: what there is of memory before anything is swapped.
    func swapBytes(
        machineBytes: UInt64,
        availableBytes: UInt64,
        _ root: HostRoot,
        _ buffer: inout [UInt8]
    ) -> UInt64? {
        var least: UInt64?
        for level in levels {
            let room: UInt64
            switch swapLimit(of: level, root, &buffer) {
            case .unknown where level.limitBytes ?? .max < machineBytes: room = 0
            case .unknown, .none: continue
            case .limited(let limit, let used):
                if version == .version1 {
                    let kept = used.less(reclaimable(level, &buffer))
                    room = limit.less(kept).less(availableBytes)
                } else {
                    room = limit.less(used)
                }
            }
            least = min(least ?? .max, room)
        }
        return least
    }

    private enum SwapLimit {
        case unknown
        case none
        case limited(UInt64, used: UInt64)
    }

    private func swapLimit(
        of level: Level,
        _ root: HostRoot,
        _ buffer: inout [UInt8]
    ) -> SwapLimit {
        let isOld = version == .version1
        let limit = isOld ? "memory.memsw.limit_in_bytes" : "memory.swap.max"
        let usage = isOld ? "memory.memsw.usage_in_bytes" : "memory.swap.current"
        guard let file = try? SampledFile("\(level.path)/\(limit)", root),
            let text = try? file.read(into: &buffer)
        else { return .unknown }
        if text.starts(with: "max".utf8) { return .none }
        guard let limit = CounterText.number(in: text) else { return .unknown }
        if limit >= Self.unlimitedBytes { return .none }
        guard let file = try? SampledFile("\(level.path)/\(usage)", root),
            let text = try? file.read(into: &buffer), let used = CounterText.number(in: text)
        else { return .unknown }
        return .limited(limit, used: used)
    }

    /// Cached files of a group that are clean: reclaimed at once when the group meets its limit.
    private func reclaimable(_ level: Level, _ buffer: inout [UInt8]) -> UInt64 {
        let text = try? level.statistics?.read(into: &buffer) {
            // It may be longer than one read gives.
            CounterText.number(version == .version1 ? "total_unevictable" : "unevictable", in: $0)
                != nil
        }
        guard let text else { return 0 }
        func count(_ name: String, _ oldName: String) -> UInt64 {
            CounterText.number(version == .version1 ? oldName : name, in: text) ?? 0
        }
        let cached = count("inactive_file", "total_inactive_file")
            .plus(count("active_file", "total_active_file"))
        let dirty = count("file_dirty", "total_dirty")
            .plus(count("file_writeback", "total_writeback"))
        return cached.less(dirty)
    }
}

extension Headroom {
    fileprivate func isTighter(than other: Headroom) -> Bool {
        excessBytes > other.excessBytes
            || excessBytes == other.excessBytes && availableBytes < other.availableBytes
    }
}

/// The counts of `memory.events` of one group, and what they tell when they grow.
///
/// Those count what happens in the groups below, too; `memory.events.local` (5.2) does not.
struct GroupEvents: Sendable {
    let file: SampledFile
    private var limits: UInt64 = 0
    private var failures: UInt64 = 0

    init(_ file: SampledFile, _ buffer: inout [UInt8]) {
        self.file = file
        if let (limits, failures) = try? counts(&buffer) {
            self.limits = limits
            self.failures = failures
        }
    }

    /// What happened since the last time.
    ///
    /// - Throws: `ENODEV` where the group is gone.
    mutating func events(_ buffer: inout [UInt8]) throws(Errno) -> PressureEvents {
        let (newLimits, newFailures) = try counts(&buffer)
        defer {
            limits = newLimits
            failures = newFailures
        }
        var events: PressureEvents = []
        if newLimits > limits { events.insert(.groupLimit) }
        if newFailures > failures { events.insert(.groupOutOfMemory) }
        return events
    }

    private func counts(
        _ buffer: inout [UInt8]
    ) throws(Errno) -> (limits: UInt64, failures: UInt64) {
        let text = try file.read(into: &buffer)
        func count(_ name: String) -> UInt64 { CounterText.number(name, in: text) ?? 0 }
        return (count("high").plus(count("max")), count("oom").plus(count("oom_kill")))
    }
}
