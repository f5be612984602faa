public import FootingSystem

/// The running machine's signals: devices, mounts, generation and clocks.
///
/// Only one thread may wait. What this user or this kernel does not offer is left out by name, and
/// made up for by looking again from time to time.
public final class LiveSignals: HostSignalSource {
    /// A source that is not there, and why.
    public struct Absence: Sendable, Equatable {
        /// What is not watched.
        public let source: String
        /// Why.
        public let reason: String
    }

    private struct State {
        var marks: GenerationMarks
        var clocks: ClockReading
        var lookedNanoseconds: Int64
    }

    /// Marks without a message of their own are read this often, in milliseconds.
    private static let tickMilliseconds: Int32 = 1000
    /// How often all is looked at again: without messages on devices, and with.
    private static let intervalsSeconds: (deaf: Int64, hearing: Int64) = (5, 60)
    private static let mountTable = "proc/self/mountinfo"
    private static let log = "dev/kmsg"

    /// What is not watched, and why.
    public let absences: [Absence]

    private let root: HostRoot
    private let watch: KernelWatch
    private let state: Locked<State>
    private let intervalNanoseconds: Int64

    /// Opens everything that can be watched.
    public init(root: HostRoot) throws(Errno) {
        precondition(root.isLive, "a recorded machine does not change")
        self.root = root
        let watch = try KernelWatch()
        self.watch = watch
        let marks = GenerationMarks(root)
        var absences: [Absence] = []
        func attempt(_ source: String, _ body: () throws(Errno) -> Void) {
            do throws(Errno) {
                try body()
            } catch {
                absences.append(Absence(source: source, reason: HostRoot.reason(source, error)))
            }
        }
        attempt("device messages") { () throws(Errno) in try watch.addDevices() }
        attempt(Self.mountTable) { () throws(Errno) in
            try watch.addNotifier(Self.mountTable, of: root)
        }
        attempt(Self.log) { () throws(Errno) in try watch.addStream(Self.log, of: root) }
        if let reason = Self.deafness(root) {
            absences.append(Absence(source: "device messages", reason: reason))
        }
        if marks.marks.isEmpty {
            absences += marks.absences.sorted { $0.key < $1.key }
                .map { Absence(source: $0.key, reason: $0.value) }
        }
        let isDeaf = absences.contains { $0.source == "device messages" }
        let seconds = isDeaf ? Self.intervalsSeconds.deaf : Self.intervalsSeconds.hearing
        intervalNanoseconds = seconds * 1_000_000_000
        self.absences = absences
        let now = ClockReading.now()
        state = Locked(
            State(marks: marks, clocks: now, lookedNanoseconds: now.monotonicNanoseconds)
        )
    }

    /// The kernel tells only network namespaces of the first user namespace of devices.
    private static func deafness(_ root: HostRoot) -> String? {
        guard let map = try? root.attribute("proc/self/uid_map") else { return nil }
        let words = pieces(map, separator: " ")
        guard words != ["0", "0", "4294967295"] else { return nil }
        return "the kernel tells nothing of devices to another user namespace than its first"
    }

    /// Ends the watching, from any thread: ``wait(milliseconds:)`` gives nil from now on.
    public func end() {
        watch.stop()
    }

    /// Waits for signals.
    public func wait(milliseconds: Int32) throws(Errno) -> [HostSignal]? {
        let longest = min(max(milliseconds, 0), Self.tickMilliseconds)
        let deadline = SystemClock().nanoseconds + UInt64(longest) * 1_000_000
        var signals: [HostSignal] = []
        // Bounded: a flood of messages must not keep the caller from looking.
        for _ in 0..<256 {
            let now = SystemClock().nanoseconds
            let left = signals.isEmpty && now < deadline ? (deadline - now) / 1_000_000 : 0
            guard let (source, record) = try watch.next(timeoutMilliseconds: Int32(left)) else {
                break
            }
            if source == .end { return nil }
            guard let signal = signal(source, record) else { continue }
            if !signals.contains(signal) { signals.append(signal) }
        }
        return signals + slowSignals()
    }

    private func signal(_ source: KernelWatch.Source, _ record: [UInt8]) -> HostSignal? {
        switch source {
        case .device(let bytes): return KernelEvent(bytes)?.signal
        case .lostDevices: return HostSignal(.device, "messages of the kernel were lost")
        case .file(Self.mountTable): return HostSignal(.mounts, "the mount table changed")
        case .file(Self.log):
            guard GenerationMarks.isReseeding(record) else { return nil }
            return HostSignal(.generation, "the kernel's log: the machine was copied or restored")
        case .file, .end: return nil
        }
    }

    private func slowSignals() -> [HostSignal] {
        // Where there was no mark, none appears.
        let hasMarks = state.withLock { !$0.marks.marks.isEmpty }
        let marks = hasMarks ? GenerationMarks(root) : nil
        let now = ClockReading.now()
        let interval = intervalNanoseconds
        return state.withLock { state in
            var signals = ClockJump.signals(state.clocks, now)
            if let marks {
                signals += marks.signals(since: state.marks)
                state.marks = marks
            }
            state.clocks = now
            if now.monotonicNanoseconds - state.lookedNanoseconds >= interval {
                state.lookedNanoseconds = now.monotonicNanoseconds
                signals.append(HostSignal(.interval, "time to look again"))
            }
            return signals
        }
    }
}
