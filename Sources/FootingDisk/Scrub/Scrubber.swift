import FootingSystem

/// How far scrubbing has come, and what it found.
public struct ScrubStatus: Sendable, Equatable {
    /// Whether it goes on.
    public internal(set) var isRunning = false
    /// Bytes it reads in a second at most; 0 if nobody ever asked for any.
    public internal(set) var bytesPerSecond: UInt64 = 0
    /// Where in the disk, or in the snapshot, it is, in bytes.
    public internal(set) var offset: UInt64 = 0
    /// The identifier of the snapshot that it is in; 0 for the disk itself, which comes first.
    public internal(set) var snapshot: UInt64 = 0
    /// Bytes that were read since the disk was opened.
    public internal(set) var verifiedBytes: UInt64 = 0
    /// Passes that have come to their end since the disk was opened.
    public internal(set) var passCount: UInt64 = 0
    /// When the last one did, also before the disk was opened, in seconds since 1970.
    public internal(set) var lastPassUnixSeconds: UInt64?
    /// Blocks that it had found damaged.
    public internal(set) var lastPassDamagedBlockCount: UInt64 = 0
    /// Blocks that cannot be read, in the pass under way or the last one.
    public internal(set) var damagedBlockCount: UInt64 = 0
    /// The first of them.
    public internal(set) var damages: [ScrubDamage] = []
    /// Why it stopped by itself.
    public internal(set) var failure: String?

    /// Damages that are listed.
    public static let damageCountMax = 64

    /// Takes over what outlives a restart.
    mutating func take(_ notes: ScrubNotes) {
        offset = min(notes.position.block, Geometry.sizeBytesMax / 4096) * 4096
        snapshot = notes.position.snapshot
        bytesPerSecond = notes.bytesPerSecond
        damagedBlockCount = notes.damagedBlockCount
        damages = notes.damages
        lastPassDamagedBlockCount = notes.lastPassDamagedBlockCount
        lastPassUnixSeconds = notes.lastPassUnixSeconds == 0 ? nil : notes.lastPassUnixSeconds
    }
}

/// The thread that scrubs.
final class Scrubber: Sendable {
    private struct State: ~Copyable {
        /// Of it only what is not in the engine's notes.
        var status = ScrubStatus()
        var bytesPerSecond: UInt64 = 0
        var thread: Thread?
        var isStopping = false
    }

    /// How often where it is becomes durable, beside the checkpoints that others make.
    private static let noteNanoseconds: UInt64 = 60_000_000_000
    /// Without a rate it could not be stopped between two sleeps.
    private static let bytesPerSecondMin: UInt64 = 64 << 10

    private let engine: Engine
    private let state = Locked(State())

    init(_ engine: Engine) { self.engine = engine }

    var status: ScrubStatus {
        var status = state.withLock { $0.status }
        status.take(engine.state.withLock { $0.scrub })
        return status
    }

    /// Goes on where it was; one that runs only gets another rate.
    func start(bytesPerSecond: UInt64) throws(DiskError) {
        let rate = max(bytesPerSecond, Self.bytesPerSecondMin)
        try engine.state.withLock { (state) throws(DiskError) in try engine.requireWritable(state) }
        let ended = try state.withLock { (state: inout State) throws(DiskError) -> Thread? in
            state.bytesPerSecond = rate
            if state.status.isRunning { return nil }
            let ended = state.thread.take()
            state.isStopping = false
            state.status.failure = nil
            do throws(Errno) {
                state.thread = try Thread(name: "footing-scrub") { [self] in run() }
            } catch {
                throw DiskError(.failed, "scrub", "", cause: error)
            }
            state.status.isRunning = true
            return ended
        }
        ended?.join()
        note { notes in
            notes.bytesPerSecond = rate
            notes.isStopped = false
        }
    }

    /// Stops; where it was is kept.
    ///
    /// - Parameter isForGood: whether it is not to go on by itself when the disk is opened again.
    func stop(isForGood: Bool = false) {
        let thread = state.withLock { state -> Thread? in
            state.isStopping = true
            return state.thread.take()
        }
        state.wakeAll()
        thread?.join()
        if isForGood { note { $0.isStopped = true } }
    }

    private func run() {
        var noted = engine.clock.nanoseconds
        while !state.withLock({ $0.isStopping }) {
            let start = engine.clock.nanoseconds
            let step: Engine.ScrubStep
            do throws(DiskError) { step = try engine.scrubStep() } catch {
                state.withLock { $0.status.failure = error.description }
                break
            }
            state.withLock { state in
                state.status.verifiedBytes += step.byteCount
                if step.isAtEnd { state.status.passCount += 1 }
            }
            if step.isAtEnd {
                note()
                break
            }
            pause(step.byteCount, since: start)
            if engine.clock.nanoseconds &- noted >= Self.noteNanoseconds {
                noted = engine.clock.nanoseconds
                note()
            }
        }
        state.withLock { $0.status.isRunning = false }
        state.wakeAll()
    }

    /// Changes what outlives a restart, and asks for a checkpoint that makes it durable.
    private func note(_ change: (inout ScrubNotes) -> Void = { _ in }) {
        engine.state.withLock { state in
            change(&state.scrub)
            if state.isClosed || state.failure != nil { return }
            state.checkpointRequested = true
            engine.callMaintenance(&state)
        }
    }

    /// Waits as long as so many bytes are to take.
    private func pause(_ byteCount: UInt64, since start: UInt64) {
        state.withLock { state in
            while !state.isStopping {
                let rate = Double(state.bytesPerSecond)
                let deadline = start + UInt64(Double(byteCount) / rate * 1e9)
                let now = engine.clock.nanoseconds
                if now >= deadline { return }
                self.state.wait(&state, nanoseconds: min(deadline - now, 100_000_000))
            }
        }
    }
}
