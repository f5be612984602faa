import FootingSystem

/// Reads of one thread, side by side by io_uring.
///
/// A ring that breaks is not used again: what the kernel had not taken is read in the ordinary way.
/// What it had is lost with an error, its memory never used again, if only its thread's own calls
/// could take what has ended; otherwise it is waited for.
@safe
final class RingReadQueue: DirectReadQueue {
    /// What reads the store in the ordinary way.
    typealias PlainRead = (UInt64, UnsafeMutableRawBufferPointer) throws(Errno) -> Void

    private struct Slot {
        var read: DirectRead
        var tag: UInt64
    }

    /// Reads that the kernel has at a time: what queues of fast devices hold.
    static let inFlightMax = 256
    /// How long a thread waits for its reads alone.
    private static let graceNanoseconds: UInt64 = 100_000
    /// Tags of looks at descriptors.
    private static let pollTag: UInt64 = 1 << 63

    private var ring: Ring
    private let isForThisThread: Bool
    private let plainRead: PlainRead
    private(set) var isBroken = false
    private var slots: [Slot?] = []
    private var freeSlots: [Int] = []
    /// Slots of what the ring was given and the kernel has not taken, nil for looks at descriptors.
    private var prepared: [Int?] = []
    private var inFlightCount = 0
    /// Reads beyond what the kernel gets at a time.
    private var waiting: [Slot] = []
    private var nextWaiting = 0
    private var ended: [(tag: UInt64, error: Errno?, isLost: Bool)] = []
    private var nextEnded = 0
    private var armed: [Int32] = []

    /// A queue that reads a file.
    ///
    /// - Parameters:
    ///   - number: the file, which must stay open.
    ///   - isForThisThread: whether no other thread will use it.
    ///   - plainRead: reads a range and waits for it.
    init(
        file number: Int32,
        isForThisThread: Bool,
        plainRead: @escaping PlainRead
    ) throws(Errno) {
        var ring = try Ring(
            entryCount: UInt32(Self.inFlightMax),
            isForThisThread: isForThisThread
        )
        ring.setFile(number)
        self.ring = ring
        self.isForThisThread = isForThisThread
        unsafe self.plainRead = plainRead
    }

    var pendingCount: Int {
        inFlightCount + waiting.count - nextWaiting + ended.count - nextEnded
    }

    func add(_ read: DirectRead, tag: UInt64) {
        let slot = Slot(read: read, tag: tag)
        if isBroken { return performPlainly(slot) }
        if inFlightCount < Self.inFlightMax { prepare(slot) } else { waiting.append(slot) }
    }

    private func prepare(_ slot: Slot) {
        let index = freeSlots.popLast() ?? slots.count
        if index == slots.count { slots.append(slot) } else { slots[index] = slot }
        let read = slot.read
        let isPrepared = unsafe ring.prepareRead(
            at: read.offset,
            into: read.buffer,
            read.more,
            tag: UInt64(index)
        )
        guard isPrepared else {
            // The looks at descriptors have taken the last places.
            slots[index] = nil
            freeSlots.append(index)
            return performPlainly(slot)
        }
        prepared.append(index)
        inFlightCount += 1
    }

    private func performPlainly(_ slot: Slot) {
        var read = slot.read
        unsafe read.perform(plainRead)
        ended.append((slot.tag, read.error, false))
    }

    func next() -> (tag: UInt64, error: Errno?, isLost: Bool)? {
        guard nextEnded < ended.count else { return nil }
        let result = ended[nextEnded]
        nextEnded += 1
        if nextEnded == ended.count {
            ended.removeAll(keepingCapacity: true)
            nextEnded = 0
        }
        return result
    }

    func submit() {
        guard !isBroken, inFlightCount > 0 else { return }
        enter(waits: false) { (ring) throws(Errno) in try ring.submit() }
    }

    func waitForRead() {
        while nextEnded == ended.count, inFlightCount > 0, !isBroken {
            enter { (ring) throws(Errno) in try ring.submitAndWait() }
        }
    }

    func wait(for descriptors: [Int32]) {
        guard nextEnded == ended.count, inFlightCount > 0, !isBroken else { return submit() }
        enter { (ring) throws(Errno) in
            try ring.submitAndWait(nanoseconds: Self.graceNanoseconds)
        }
        guard nextEnded == ended.count, inFlightCount > 0, !isBroken else { return }
        for descriptor in descriptors where !armed.contains(descriptor) {
            let tag = Self.pollTag | UInt64(UInt32(bitPattern: descriptor))
            guard ring.preparePoll(descriptor, tag: tag) else { continue }
            armed.append(descriptor)
            prepared.append(nil)
        }
        // Without room for a look, what comes there waits for the next read to end.
        enter { (ring) throws(Errno) in try ring.submitAndWait() }
    }

    /// Goes into the kernel, and takes what has ended.
    private func enter(waits: Bool = true, _ call: (inout Ring) throws(Errno) -> Void) {
        var failure: Errno?
        do throws(Errno) { try call(&ring) } catch { failure = error }
        // Usually all of it.
        prepared.removeFirst(prepared.count - ring.unsubmittedCount)
        if let failure {
            // No memory for a request, or completions that wait to be taken: both pass, but where
            // nothing is under way nothing that ends could change it.
            let passes = failure == .again || failure == .busy || failure == .noMemory
            let untakenCount = prepared.count { $0 != nil }
            guard passes, inFlightCount > untakenCount, takeEnded(waits) else {
                return breakDown()
            }
        }
        reap()
        while inFlightCount < Self.inFlightMax, nextWaiting < waiting.count {
            prepare(waiting[nextWaiting])
            nextWaiting += 1
        }
        if nextWaiting == waiting.count {
            waiting.removeAll(keepingCapacity: true)
            nextWaiting = 0
        }
    }

    /// Has the kernel post what has ended, which a call that it refuses does not.
    ///
    /// - Returns: false if it refuses this too.
    private func takeEnded(_ waits: Bool) -> Bool {
        do throws(Errno) {
            try ring.collect(waits: waits)
            return true
        } catch {
            return false
        }
    }

    private func reap() {
        while let completion = ring.next() {
            guard completion.tag & Self.pollTag == 0 else {
                let number = Int32(truncatingIfNeeded: completion.tag)
                armed.removeAll { $0 == number }
                continue
            }
            let index = Int(completion.tag)
            guard let slot = slots[index] else { preconditionFailure("a read that ended twice") }
            slots[index] = nil
            freeSlots.append(index)
            inFlightCount -= 1
            let result = Errno(rawValue: -min(completion.result, 0))
            if completion.result == Int32(slot.read.count) {
                ended.append((slot.tag, nil, false))
            } else if completion.result < 0, result != .again, result != .interrupted {
                ended.append((slot.tag, result, false))
            } else {
                // Less than all of it: the ordinary way knows how to go on, and where the end is.
                performPlainly(slot)
            }
        }
    }

    private func breakDown() {
        isBroken = true
        reap()
        for case let index? in prepared {
            guard let slot = slots[index] else { continue }
            slots[index] = nil
            inFlightCount -= 1
            performPlainly(slot)
        }
        prepared = []
        for slot in waiting[nextWaiting...] { performPlainly(slot) }
        waiting = []
        nextWaiting = 0
        // The memory is that of callers who wait, as they would for a plain read. The kernel posts
        // what ends whenever the thread comes out of it.
        let pause = Locked(())
        while !isForThisThread, inFlightCount > 0 {
            pause.withLock { _ = pause.wait(&$0, nanoseconds: Self.graceNanoseconds) }
            reap()
        }
        for case let slot? in slots {
            if let owner = slot.read.owner { _ = unsafe Unmanaged.passRetained(owner) }
            ended.append((slot.tag, .inputOutput, true))
        }
        slots = []
        freeSlots = []
        inFlightCount = 0
    }
}
