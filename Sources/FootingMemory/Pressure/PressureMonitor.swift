internal import CFooting
public import FootingHost
public import FootingSystem
internal import Glibc

/// Listens to everything that tells of pressure on memory.
///
/// What can be waited for is, in one `poll(2)`: PSI of the machine and of the own control group,
/// the events of control groups of either version, and the service manager. Available memory and
/// the balloon cannot be: they are read twice a second while plenty is there, four times a second
/// when it is not, and twenty times a second once they move. What this kernel or this user does not
/// have is left out by name.
public final class PressureMonitor: Sendable {
    /// Between two readings, in nanoseconds: with plenty of memory, at rest, and while something
    /// moves.
    static let plentyNanoseconds: UInt64 = 500_000_000
    static let restNanoseconds: UInt64 = 250_000_000
    static let quickNanoseconds: UInt64 = 50_000_000
    /// So long after the last movement it is still looked at quickly.
    private static let quickDurationNanoseconds: UInt64 = 2_000_000_000

    fileprivate struct State: Sendable {
        var waited: [WaitedFile]
        var sources: [PressureSource]
        var sampler: PressureSampler
        var buffer: [UInt8]
        var nextAt: UInt64 = 0
        var quickUntil: UInt64 = 0
        var readingCount: UInt64 = 0
    }

    private let state: Locked<State>
    private let end: WaitedFile.Owner
    private let time: any TimeSource

    /// Opens everything there is to listen to.
    ///
    /// - Parameters:
    ///   - root: the machine; one that is not live has nothing to wait for.
    ///   - groups: the control groups of this process, looked for by default.
    ///   - serviceManager: what the service manager said, from the environment by default; only
    ///     the live machine has one.
    ///   - time: the clock.
    /// - Throws: `EMFILE` where not even the descriptor that ends the waiting can be had.
    public init(
        root: HostRoot,
        groups: Fact<MemoryGroups>? = nil,
        serviceManager: ServiceManagerPressure? = nil,
        time: any TimeSource = SystemClock()
    ) throws(Errno) {
        let number = footing_event()
        guard number >= 0 else { throw Errno(rawValue: -number) }
        end = WaitedFile.Owner(FileDescriptor(owning: number))
        self.time = time
        var opening = PressureOpening(root)
        opening.open(
            groups: groups ?? MemoryGroups.find(root),
            serviceManager: serviceManager
                ?? (root.isLive ? .inherited() : ServiceManagerPressure())
        )
        state = Locked(
            State(
                waited: opening.waited,
                sources: opening.sources,
                sampler: opening.sampler,
                buffer: opening.buffer
            )
        )
    }

    /// What is listened to, and what is not and why.
    public var sources: [PressureSource] { state.withLock { $0.sources } }

    /// The balloon's state, or why there is none.
    public var balloon: Fact<BalloonStatus> { state.withLock { $0.sampler.balloon } }

    /// How many readings were taken.
    public var readingCount: UInt64 { state.withLock { $0.readingCount } }

    /// When the next reading is due, unless something tells before.
    var nextNanoseconds: UInt64 { state.withLock { $0.nextAt } }

    /// Ends the waiting, from any thread: ``next()`` gives nil until ``resume()``.
    public func stop() {
        _ = footing_event_set(end.number)
    }

    /// Takes ``stop()`` back.
    public func resume() {
        _ = footing_event_clear(end.number)
    }

    /// Waits for pressure, or until it is time to look.
    ///
    /// - Returns: a reading; nil once it was stopped. Only one thread may wait.
    public func next() -> MemoryReading? {
        let now = time.nanoseconds
        var (requests, names, wait) = state.withLock { state in
            var requests = [pollfd(fd: end.number, events: Int16(POLLIN), revents: 0)]
            var names: [String] = []
            for file in state.waited {
                guard let request = file.request(at: now) else { continue }
                requests.append(request)
                names.append(file.name)
            }
            return (requests, names, state.nextAt.less(now))
        }
        let milliseconds = Int32(min((wait + 999_999) / 1_000_000, 1000))
        let count = unsafe poll(&requests, nfds_t(requests.count), milliseconds)
        if count > 0, requests[0].revents != 0 { return nil }
        var ready: [(name: String, events: Int16)] = []
        // A failed call leaves the answers as they were: nothing is ready then.
        if count > 0 {
            for (request, name) in zip(requests.dropFirst(), names) where request.revents != 0 {
                ready.append((name, request.revents))
            }
        }
        return read(ready)
    }

    /// A reading now, without waiting and without what would be told.
    func look() -> MemoryReading { read([]) }

    private func read(_ ready: [(name: String, events: Int16)]) -> MemoryReading {
        let now = time.nanoseconds
        return state.withLock { state in
            var events: PressureEvents = []
            for (name, answer) in ready { events.formUnion(state.hear(name, answer, now)) }
            if !events.isDisjoint(with: [.groupLimit, .groupOutOfMemory]) {
                state.sampler.hasten()
            }
            let isQuick = now < state.quickUntil || !events.isEmpty
            var (reading, hasMoved) = state.sampler.sample(
                at: now,
                isQuick: isQuick,
                &state.buffer
            )
            reading.events.formUnion(events)
            PressureSource.note(state.sampler.balloon, in: &state.sources)
            if hasMoved || !reading.events.isEmpty {
                state.quickUntil = now.plus(Self.quickDurationNanoseconds)
            }
            let isQuickNext = now < state.quickUntil
            let rest = reading.hasPlenty ? Self.plentyNanoseconds : Self.restNanoseconds
            state.nextAt = now.plus(isQuickNext ? Self.quickNanoseconds : rest)
            state.readingCount += 1
            return reading
        }
    }
}

extension PressureMonitor.State {
    /// Takes what one source tells; one that is gone is named and left out from now on.
    fileprivate mutating func hear(_ name: String, _ ready: Int16, _ now: UInt64) -> PressureEvents
    {
        guard let at = waited.firstIndex(where: { $0.name == name }) else { return [] }
        let source = sources.firstIndex { $0.name == name }
        guard let events = waited[at].answer(ready, at: now, &buffer) else {
            waited.remove(at: at)
            if let source {
                sources[source].state = .absent
                sources[source].note = "it was there, and has gone"
            }
            return []
        }
        if let source, !events.isEmpty { sources[source].eventCount += 1 }
        return events
    }
}
