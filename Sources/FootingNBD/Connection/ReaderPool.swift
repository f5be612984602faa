internal import FootingSystem

/// Threads for reads that wait for the disk; shared by all connections, started when first needed.
final class ReaderPool: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        /// Index of the next job: taking the first element of an array would move all others.
        var next = 0
        var threads = 0
        var idleThreads = 0
        var isStopping = false

        var queued: Int { jobs.count - next }
    }

    private let maximumThreads: Int
    private let maximumQueued: Int
    private let state = Locked(State())

    init(maximumThreads: Int, maximumQueued: Int) {
        self.maximumThreads = maximumThreads
        self.maximumQueued = maximumQueued
    }

    /// Hands a job to a thread.
    ///
    /// - Returns: false if there is no room or no thread: the caller does it itself.
    func submit(_ job: @escaping @Sendable () -> Void) -> Bool {
        let (accepted, starts) = state.withLock { state in
            let room = maximumQueued - state.queued
            guard room > 0, !state.isStopping, maximumThreads > 0 else { return (false, false) }
            let starts = state.idleThreads <= state.queued && state.threads < maximumThreads
            if starts { state.threads += 1 }
            guard starts || state.threads > 0 else { return (false, false) }
            state.jobs.append(job)
            return (true, starts)
        }
        if starts { startThread() }
        if accepted { state.wakeOne() }
        return accepted
    }

    private func startThread() {
        do throws(Errno) {
            try Thread(name: "nbd-reader") { self.work() }.detach()
        } catch {
            // The machine has no room for another thread. Without any, this one does the jobs.
            let isLast = state.withLock { state in
                state.threads -= 1
                return state.threads == 0
            }
            while isLast, let job = takeJob(waits: false) { job() }
        }
    }

    private func work() {
        while let job = takeJob(waits: true) { job() }
        state.withLock { $0.threads -= 1 }
    }

    private enum Taken {
        case job(@Sendable () -> Void)
        case again
        case end
    }

    private func takeJob(waits: Bool) -> (@Sendable () -> Void)? {
        while true {
            switch takeOnce(waits: waits) {
            case .job(let job): return job
            case .again: state.withLock { $0.idleThreads -= 1 }
            case .end: return nil
            }
        }
    }

    private func takeOnce(waits: Bool) -> Taken {
        state.withLock { state in
            guard state.queued == 0 else {
                let job = state.jobs[state.next]
                state.next += 1
                if state.next == state.jobs.count {
                    state.jobs.removeAll(keepingCapacity: true)
                    state.next = 0
                } else if state.next >= maximumQueued {
                    state.jobs.removeFirst(state.next)
                    state.next = 0
                }
                return .job(job)
            }
            if state.isStopping || !waits { return .end }
            state.idleThreads += 1
            self.state.wait(&state)
            return .again
        }
    }

    /// Lets the threads finish what is queued and end.
    func stop() {
        state.withLock { $0.isStopping = true }
        state.wakeAll()
    }
}
