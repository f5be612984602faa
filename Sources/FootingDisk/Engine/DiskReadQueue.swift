import FootingSystem

/// Reads of one thread that wait for the device while the thread goes on.
///
/// Only the thread that made it uses it. Checkpoints wait for reads under way: before the thread
/// waits for anything but them, ``settle()`` must have been called, or both could wait for ever.
@safe
public final class DiskReadQueue {
    @safe
    private struct Read {
        var fetch: BlockFetch
        var requests: [DirectRead]
        /// Requests that have not ended.
        var rest: Int
        let token: UInt64
        let offset: UInt64
        let buffer: UnsafeMutableRawBufferPointer
        let owner: AnyObject?
        /// How often pages of the map were missing.
        var rounds = 0
    }

    /// Bytes of the longest read: 256 blocks.
    public static let readBytesMax = 1 << 20
    /// Pages of the map that a read can lack, over and over, until it waits like any other.
    private static let roundsMax = 64

    private let engine: Engine
    private let queue: any DirectReadQueue
    /// The snapshot that is read; nil for the disk itself.
    private let view: TreeView?
    /// Who keeps the snapshot from being deleted.
    private let owner: AnyObject?
    private var reads: [Read?] = []
    private var free: [Int] = []
    private var ended: [(token: UInt64, error: DiskError?)] = []

    init?(_ engine: Engine, _ view: TreeView? = nil, owner: AnyObject? = nil) {
        guard let queue = engine.store.makeReadQueue() else { return nil }
        self.engine = engine
        self.view = view
        self.owner = owner
        self.queue = queue
    }

    deinit { settle() }

    /// Begins a read: any multiple of 512 bytes at any sector, up to ``readBytesMax``.
    ///
    /// - Parameters:
    ///   - offset: where.
    ///   - buffer: where it goes; not to be touched until ``next()`` has returned the token.
    ///   - owner: what has the buffer; it is kept if the buffer must never be used again.
    ///   - token: what the caller knows it by.
    /// - Returns: whether it is under way; false if everything was in memory and is in the buffer.
    public func start(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        owner: AnyObject?,
        token: UInt64
    ) throws(DiskError) -> Bool {
        precondition(buffer.count <= Self.readBytesMax, "a read that is too long")
        try engine.checkBounds("read", offset, buffer.count, view?.geometry)
        if view == nil { engine.noteForReadAhead(offset, buffer.count) }
        let fetch = try unsafe engine.startRead(at: offset, into: buffer, owner: owner, view)
        guard let fetch else { return false }
        let read = unsafe Read(
            fetch: fetch,
            requests: [],
            rest: 0,
            token: token,
            offset: offset,
            buffer: buffer,
            owner: owner
        )
        let index = free.popLast() ?? reads.count
        if index == reads.count { reads.append(nil) }
        do throws(DiskError) {
            try send(read, index)
        } catch {
            free.append(index)
            throw error
        }
        return true
    }

    /// Reads, and waits for it; nothing else may be under way.
    package func read(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(DiskError) {
        precondition(isEmpty, "a read beside others")
        guard try unsafe start(at: offset, into: buffer, owner: nil, token: 0) else { return }
        settle()
        guard let ended = next() else { preconditionFailure("a read that never ended") }
        if let error = ended.error { throw error }
    }

    private func send(_ read: Read, _ index: Int) throws(DiskError) {
        var read = read
        let requests = try read.fetch.makeRequests()
        read.requests = requests
        read.rest = requests.count
        reads[index] = read
        for (place, request) in requests.enumerated() {
            queue.add(request, tag: UInt64(index) << 32 | UInt64(place))
        }
    }

    /// Sends off what was started, without waiting.
    public func submit() {
        queue.submit()
        collect()
    }

    /// Sends off what was started, and waits until a read has ended or a descriptor is readable.
    public func wait(for descriptors: [Int32]) {
        if ended.isEmpty { queue.wait(for: descriptors) }
        collect()
    }

    /// Waits for all reads; ``next()`` tells of them afterwards.
    public func settle() {
        while queue.pendingCount > 0 {
            queue.waitForRead()
            collect()
        }
    }

    /// Whether any read is under way or has ended untold.
    public var isEmpty: Bool { queue.pendingCount == 0 && ended.isEmpty }

    /// Whether reads now wait one after the other: a new queue may do better.
    public var isBroken: Bool { queue.isBroken }

    /// A read that has ended.
    public func next() -> (token: UInt64, error: DiskError?)? { ended.popLast() }

    private func collect() {
        while let (tag, error, isLost) = queue.next() {
            let index = Int(tag >> 32)
            guard var read = reads[index] else { preconditionFailure("a read that ended twice") }
            // One owner of the requests: they would be copied otherwise.
            reads[index] = nil
            let place = Int(tag & 0xffff_ffff)
            read.requests[place].error = error
            read.requests[place].isLost = isLost
            read.rest -= 1
            if read.rest > 0 { reads[index] = read } else { complete(read, index) }
        }
    }

    private func complete(_ read: Read, _ index: Int) {
        do throws(DiskError) {
            if try !read.fetch.complete(read.requests) {
                var next = read
                next.rounds += 1
                guard next.rounds < Self.roundsMax else {
                    _ = unsafe try engine.read(
                        at: read.offset,
                        into: read.buffer,
                        waits: true,
                        view: view
                    )
                    return end(index, read.token, nil)
                }
                let fetch = try unsafe engine.startRead(
                    at: read.offset,
                    into: read.buffer,
                    owner: read.owner,
                    view
                )
                guard let fetch else { return end(index, read.token, nil) }
                next.fetch = fetch
                return try send(next, index)
            }
            end(index, read.token, nil)
        } catch {
            end(index, read.token, error)
        }
    }

    private func end(_ index: Int, _ token: UInt64, _ error: DiskError?) {
        free.append(index)
        ended.append((token, error))
    }
}
