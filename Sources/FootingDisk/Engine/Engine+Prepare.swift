import FootingSystem
import Synchronization

/// What is known of the segments that the log comes to next.
struct Preparation {
    /// Free segments that have nothing left to be prepared.
    var done: Set<UInt32> = []
    /// The store refused; it is not asked again while the disk is open.
    var isGivenUp = false
    /// Counters when the log last came to another segment.
    var logBytes: UInt64 = 0
    var synchronizations: UInt64 = 0
    /// Whether commits were small when they were last counted.
    var isWorthwhile = false
}

// Segments that were written once are overwritten without a change of the host's metadata: its
// journal then has nothing to commit when a client flushes.
extension Engine {
    /// Segments that are prepared before the log comes to them: a few seconds of small commits.
    private static let preparedCount = 4
    /// Commits of this size or less, on average, are worth it: what a host's journal writes and
    /// waits for with each is then more than what the zeros cost in between.
    private static let worthwhileBytes: UInt64 = 128 << 10
    /// So many tell what is usual.
    private static let synchronizationCountMin: UInt64 = 8

    /// The next piece of that work; its segment is taken out of ``EngineState/ready``, so that
    /// nobody uses it meanwhile.
    func preparationTask(_ state: inout EngineState) -> MaintenanceTask {
        guard options.preparesSegments, !state.preparation.isGivenUp, !state.hostIsFull,
            // Nobody is to wait for the one that is taken out.
            state.ready.count > segmentsReserved(state) + 1, isWorthwhile(&state)
        else { return .none }
        let next = state.ready.prefix(Self.preparedCount).firstIndex {
            !state.preparation.done.contains($0)
        }
        guard let next else { return .none }
        return .prepare(state.ready.remove(at: next))
    }

    /// Whether what was written lately was made durable in small pieces.
    private func isWorthwhile(_ state: inout EngineState) -> Bool {
        let count = state.statistics.synchronizations - state.preparation.synchronizations
        guard count >= Self.synchronizationCountMin else {
            return state.preparation.isWorthwhile
        }
        let bytes = state.statistics.logBytes - state.preparation.logBytes
        state.preparation.isWorthwhile = bytes / count <= Self.worthwhileBytes
        return state.preparation.isWorthwhile
    }

    /// Writes what of a free segment was never written.
    ///
    /// It only fills holes, which read as zeros before and after: what a segment holds never
    /// changes by this.
    func prepare(_ segment: UInt32) {
        let isDone: Bool
        do throws(Errno) {
            let bytes = try store.prepare(geometry.range(ofSegment: segment))
            traffic.preparedBytes.wrappingAdd(bytes, ordering: .relaxed)
            isDone = true
        } catch {
            // The segment is as good as before; a commit costs the host more, and nothing else.
            isDone = false
        }
        state.withLock { state in
            state.ready.insert(segment, at: 0)
            if isDone {
                state.preparation.done.insert(segment)
            } else {
                state.preparation.isGivenUp = true
            }
        }
        state.wakeAll(on: Condition.progress)
    }
}

extension EngineState {
    /// Notes that the log has come to another segment.
    mutating func noteSegmentTaken(_ segment: UInt32) {
        preparation.done.remove(segment)
        preparation.logBytes = statistics.logBytes
        preparation.synchronizations = statistics.synchronizations
    }
}
