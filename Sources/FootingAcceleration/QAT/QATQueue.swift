internal import CQAT
internal import FootingSystem
internal import Glibc

/// The requests of every instance, and the one thread that gets their answers.
///
/// Whoever hands a batch over waits for it, at most as long as the configuration says. What was not
/// answered by then keeps its memory until it is (quarantine): the device may still write to it.
final class QATQueue: Sendable {
    private enum Phase {
        case free
        case inFlight
        case answered
        /// Nobody waits for it any more.
        case quarantined
    }

    /// An instance as it stands.
    private struct Lane {
        var phases: [Phase]
        var free: [Int]
        /// Requests of which the device may still touch the memory.
        var outstanding = 0
        var isRestarting = false
        /// Why it is no longer used.
        var offReason: String?
        var missedInARow = 0
        var checkable: UInt64 = 0

        /// Whether nobody has any of its memory.
        var isWhole: Bool { free.count == phases.count }
    }

    private struct State {
        var lanes: [Lane]
        var counters = QATCounters()
        var isStopping = false

        var isOutstanding: Bool { lanes.contains { $0.outstanding > 0 } }
        var isRestarting: Bool { lanes.contains { $0.isRestarting } }
    }

    /// Where a request lies.
    struct Place: Sendable {
        let lane: Int
        let index: Int
    }

    private static let pollerCondition = 0
    private static let answerCondition = 1
    /// How often the library is asked for events, while anything runs or restarts.
    private static let eventNanoseconds: UInt64 = 100_000_000
    /// How long a stop waits for answers.
    private static let stopNanoseconds: UInt64 = 1_000_000_000

    let instances: [QATInstance]
    private let library: QATLibrary
    private let configuration: QATConfiguration
    private let clock: any TimeSource
    private let state: Locked<State>
    private let poller = Locked<Thread?>(nil)

    init(
        _ library: QATLibrary,
        _ instances: [QATInstance],
        _ configuration: QATConfiguration,
        _ clock: any TimeSource
    ) throws(Errno) {
        self.library = library
        self.instances = instances
        self.configuration = configuration
        self.clock = clock
        let lanes = instances.map { instance in
            let count = unsafe instance.requests.count
            return Lane(
                phases: Array(repeating: .free, count: count),
                free: Array((0..<count).reversed())
            )
        }
        state = Locked(State(lanes: lanes), conditionCount: 2)
        try poller.withLock { thread throws(Errno) in
            thread = try Thread(name: "qat-poll") { [self] in pollUntilStopped() }
        }
    }

    // MARK: What is known

    var counters: QATCounters { state.withLock { $0.counters } }

    /// Whether an instance can take requests now.
    func isUsable(_ lane: Int) -> Bool {
        state.withLock { $0.lanes[lane].offReason == nil && !$0.lanes[lane].isRestarting }
    }

    /// Why an instance is no longer used; nil if it is.
    func offReason(_ lane: Int) -> String? {
        state.withLock { $0.lanes[lane].offReason }
    }

    /// Uses an instance no longer.
    func turnOff(_ lane: Int, because reason: String) {
        state.withLock { state in
            if state.lanes[lane].offReason == nil { state.lanes[lane].offReason = reason }
        }
    }

    /// Whether the processor has to check this result.
    func isCheckDue(_ lane: Int) -> Bool {
        state.withLock { state in
            let count = state.lanes[lane].checkable
            state.lanes[lane].checkable &+= 1
            let isDue =
                count < UInt64(configuration.checkedFirst)
                || count % UInt64(configuration.checkedInterval) == 0
            if isDue { state.counters.checks &+= 1 }
            return isDue
        }
    }

    /// Notes a wrong result: such an instance is never used again.
    func noteWrong(_ lane: Int) {
        state.withLock { $0.counters.wrongResults &+= 1 }
        turnOff(lane, because: "\(instances[lane].name) gave a wrong result")
    }

    // MARK: Requests

    /// Takes room for a request, on the instance with the fewest; nil if there is none.
    ///
    /// - Parameter candidates: the instances that are able to do it.
    func take(_ candidates: [Int]) -> (place: Place, request: UnsafeMutablePointer<qat_request>)? {
        let place: Place? = state.withLock { state in
            let lane = candidates.filter { index in
                let lane = state.lanes[index]
                return lane.offReason == nil && !lane.isRestarting && !lane.free.isEmpty
            }.min { state.lanes[$0].outstanding < state.lanes[$1].outstanding }
            guard let lane, !state.isStopping, let index = state.lanes[lane].free.popLast() else {
                state.counters.busy &+= 1
                return nil
            }
            unsafe instances[lane].requests[index].pointee.is_done = 0
            return Place(lane: lane, index: index)
        }
        guard let place else { return nil }
        return unsafe (place, instances[place.lane].requests[place.index])
    }

    /// Hands a request over that is filled in.
    ///
    /// - Parameter call: gives a `CpaStatus`.
    /// - Returns: why it was not taken, with its room given back; nil if it runs.
    func submit(_ place: Place, _ call: () -> Int32) -> QATFailure? {
        // Counted first: the answer can come before this thread goes on.
        state.withLock { state in
            state.lanes[place.lane].phases[place.index] = .inFlight
            state.lanes[place.lane].outstanding += 1
            state.counters.requests &+= 1
        }
        let status = call()
        guard status != QAT_SUCCESS else {
            state.withLock { _ in state.wakeAll(on: Self.pollerCondition) }
            return nil
        }
        return state.withLock { state in
            state.counters.requests &-= 1
            state.lanes[place.lane].outstanding -= 1
            state.lanes[place.lane].phases[place.index] = .free
            state.lanes[place.lane].free.append(place.index)
            switch status {
            case QAT_RETRY:
                state.counters.busy &+= 1
                return .busy
            case QAT_RESTARTING:
                state.counters.restarts &+= 1
                // Without events nobody would say that it is back.
                state.lanes[place.lane].isRestarting = instances[place.lane].tellsEvents
                self.state.wakeAll(on: Self.pollerCondition)
                return .restarting
            default:
                state.counters.errors &+= 1
                return .status(status)
            }
        }
    }

    /// Waits for an answer; the caller has the request then, and calls ``release(_:)``.
    ///
    /// - Returns: false if it did not come in time; the room is then no longer the caller's.
    func wait(for place: Place, deadline: UInt64) -> Bool {
        state.withLock { state in
            while state.lanes[place.lane].phases[place.index] == .inFlight {
                let now = clock.nanoseconds
                guard now < deadline else {
                    quarantine(place, &state)
                    return false
                }
                self.state.wait(
                    &state,
                    on: Self.answerCondition,
                    nanoseconds: deadline - now
                )
            }
            return true
        }
    }

    private func quarantine(_ place: Place, _ state: inout State) {
        state.lanes[place.lane].phases[place.index] = .quarantined
        state.lanes[place.lane].missedInARow += 1
        state.counters.timeouts &+= 1
        state.counters.quarantined += 1
        if state.lanes[place.lane].missedInARow >= configuration.timeoutMaximum,
            state.lanes[place.lane].offReason == nil
        {
            let missed = state.lanes[place.lane].missedInARow
            state.lanes[place.lane].offReason =
                "\(instances[place.lane].name) left \(missed) requests unanswered"
        }
    }

    /// Gives room back, once its contents have been used.
    func release(_ place: Place) {
        state.withLock { state in
            state.lanes[place.lane].phases[place.index] = .free
            state.lanes[place.lane].free.append(place.index)
            if state.isStopping { self.state.wakeAll(on: Self.answerCondition) }
        }
    }

    /// Counts an answer that says that something went wrong.
    func noteError() {
        state.withLock { $0.counters.errors &+= 1 }
    }

    // MARK: Polling

    private func pollUntilStopped() {
        var idleRounds: UInt32 = 0
        var lastEvents: UInt64 = 0
        var stopDeadline: UInt64?
        while true {
            let now = clock.nanoseconds
            let lanes: [Int]? = state.withLock { state in
                while !state.isOutstanding && !state.isStopping && !state.isRestarting {
                    self.state.wait(&state, on: Self.pollerCondition)
                }
                if state.isStopping {
                    if !state.isOutstanding { return nil }
                    stopDeadline = stopDeadline ?? (now + Self.stopNanoseconds)
                    if let stopDeadline, now > stopDeadline { return nil }
                }
                return state.lanes.indices.filter { state.lanes[$0].outstanding > 0 }
            }
            guard let lanes else { return }
            for lane in lanes { instances[lane].poll() }
            if now - lastEvents >= Self.eventNanoseconds {
                lastEvents = now
                pollEvents()
            }
            let (answered, isAwaited) = collect()
            idleRounds = answered > 0 ? 0 : idleRounds + 1
            rest(idleRounds, isAwaited: isAwaited)
        }
    }

    /// Asks less often the longer nothing comes, and seldom where nobody waits.
    private func rest(_ idleRounds: UInt32, isAwaited: Bool) {
        guard idleRounds > 0 else { return }
        if !isAwaited {
            usleep(10_000)
        } else if idleRounds < 32 {
            sched_yield()
        } else {
            usleep(min(1000, 50 << min(5, (idleRounds - 32) / 8)))
        }
    }

    private func pollEvents() {
        guard let poll = unsafe library.functions.pointee.poll_events else { return }
        _ = poll()
        for (lane, instance) in instances.enumerated() {
            guard let event = instance.takeEvent() else { continue }
            state.withLock { state in
                if event == QAT_EVENT_RESTARTED {
                    state.lanes[lane].isRestarting = false
                    state.lanes[lane].missedInARow = 0
                } else {
                    if !state.lanes[lane].isRestarting { state.counters.restarts &+= 1 }
                    state.lanes[lane].isRestarting = true
                }
            }
        }
    }

    /// Hands answers to those who wait; late ones end a quarantine.
    private func collect() -> (answered: Int, isAwaited: Bool) {
        state.withLock { state in
            var answered = 0
            var isAwaited = false
            for lane in state.lanes.indices where state.lanes[lane].outstanding > 0 {
                for index in state.lanes[lane].phases.indices {
                    let phase = state.lanes[lane].phases[index]
                    guard phase == .inFlight || phase == .quarantined else { continue }
                    guard unsafe instances[lane].requests[index].pointee.is_done != 0 else {
                        if phase == .inFlight { isAwaited = true }
                        continue
                    }
                    answered += 1
                    state.lanes[lane].outstanding -= 1
                    if phase == .inFlight {
                        state.lanes[lane].phases[index] = .answered
                        state.lanes[lane].missedInARow = 0
                    } else {
                        state.lanes[lane].phases[index] = .free
                        state.lanes[lane].free.append(index)
                        state.counters.lateAnswers &+= 1
                        state.counters.quarantined -= 1
                    }
                }
            }
            if answered > 0 { self.state.wakeAll(on: Self.answerCondition) }
            return (answered, isAwaited)
        }
    }

    /// Takes nothing more and waits for what runs.
    ///
    /// - Returns: the instances that may be stopped. Of the others the memory is never given back.
    func stop() -> [Bool] {
        state.withLock { state in
            state.isStopping = true
            self.state.wakeAll(on: Self.pollerCondition)
        }
        poller.withLock { $0.take() }?.join()
        let deadline = clock.nanoseconds + Self.stopNanoseconds
        return state.withLock { state in
            // Answers that callers have not read yet.
            while state.lanes.contains(where: { $0.outstanding == 0 && !$0.isWhole }) {
                let now = clock.nanoseconds
                guard now < deadline else { break }
                self.state.wait(&state, on: Self.answerCondition, nanoseconds: deadline - now)
            }
            return state.lanes.map(\.isWhole)
        }
    }
}
