internal import FootingSystem
import Synchronization

/// Whether a connection's thread looks for the next request over and over for a while, before it
/// lets the kernel put it to sleep.
///
/// A client with one request at a time answers a reply within some microseconds. A thread that
/// sleeps meanwhile is woken by an interrupt to another processor, which in a virtual machine takes
/// longer than the request itself. So where nearly every request comes soon, the thread polls; a
/// poll in vain counts for much, so that these cost little (`halt_poll_ns` of the kernel's KVM is
/// of the same kind).
struct BusyPoll {
    /// The score of a client that was never late.
    private static let perfect = 1024
    /// At least this: fewer than one request in fifty comes too late.
    private static let polling = 900

    /// Longest poll; 0 for never.
    private let limitNanoseconds: UInt64
    /// How often requests came soon, lately: some 70 in a row bring it to polling.
    private var score = 0

    init(limitNanoseconds: UInt64) {
        self.limitNanoseconds = limitNanoseconds
    }

    /// Whether it is worth knowing how long the next wait takes.
    var isEnabled: Bool { limitNanoseconds > 0 }

    /// How long to poll now; nil for not at all.
    var nanoseconds: UInt64? { score >= Self.polling ? limitNanoseconds : nil }

    /// A poll ended with a request, or without one.
    mutating func polled(didPay: Bool) {
        score += didPay ? (Self.perfect - score) / 32 : -score / 4
    }

    /// A wait with sleep ended with a request.
    ///
    /// With the time that waking takes, a wait that is shorter than a poll could have been spared.
    mutating func slept(_ nanoseconds: UInt64) {
        score += nanoseconds <= limitNanoseconds ? (Self.perfect - score) / 32 : -score / 8
    }
}

/// How many of a server's connections poll at a time: half of the processors at most, so that
/// clients and the disk always find one.
///
/// Of a limit on processor time (`cpu.max`) whole processors count: polling would use up what all
/// threads have together, and the kernel would stop them until the next period.
final class PollingPlaces: Sendable {
    private let limit: Int
    private let taken = Atomic(0)

    /// - Parameters:
    ///   - processorCount: how many this process may run on.
    ///   - processors: how many processors' worth of time it has, if that is limited.
    init(processorCount: Int, processors: Double? = nil) {
        let count = Double(processorCount)
        limit = Int(min(count, max(processors ?? count, 0))) / 2
    }

    /// Takes a place, if one is left.
    func take() -> Bool {
        if taken.wrappingAdd(1, ordering: .relaxed).newValue <= limit { return true }
        giveBack()
        return false
    }

    func giveBack() { taken.wrappingSubtract(1, ordering: .relaxed) }
}

extension Connection {
    /// Waits for the next request, where the socket is all there is to wait for.
    ///
    /// - Returns: false at the end of the stream.
    /// - Throws: `EAGAIN` after a while without any.
    mutating func receiveNext() throws(Errno) -> Bool {
        // A client that sends several at a time gains by finding this thread asleep, and one that
        // waits for the device's flushes gains nothing (measured).
        guard busyPoll.isEnabled, wasLoneRead else {
            return try receiveBytes(waits: true) > 0
        }
        let start = clock.nanoseconds
        if let limit = busyPoll.nanoseconds, pollingPlaces.take() {
            defer { pollingPlaces.giveBack() }
            repeat {
                do throws(Errno) {
                    let isOpen = try receiveBytes(waits: false) > 0
                    busyPoll.polled(didPay: true)
                    return isOpen
                } catch {
                    guard error == .again else { throw error }
                }
            } while clock.nanoseconds &- start < limit
            busyPoll.polled(didPay: false)
        }
        let isOpen = try receiveBytes(waits: true) > 0
        busyPoll.slept(timing.arrivalNanoseconds &- start)
        return isOpen
    }
}
