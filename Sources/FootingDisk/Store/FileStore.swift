public import FootingSystem
import Synchronization

/// A container in a regular file or on a block device.
///
/// Writes of the log and reads of blocks go past the page cache (`O_DIRECT`) where the file system
/// allows it: a flush then has no backlog to wait for, and nothing is cached twice. Where it does
/// not, reads go through the page cache, and the kernel is told to drop what was read
/// (`POSIX_FADV_DONTNEED`).
public final class FileStore: BlockStore {
    /// The path as the user gave it.
    public let path: String
    /// Size of the file or device in bytes, when it was opened or grew last.
    public var sizeBytes: UInt64 { size.load(ordering: .acquiring) }
    private let size: Atomic<UInt64>
    /// Whether it is a block device.
    public let isBlockDevice: Bool
    /// Whether writes, and reads of blocks, go past the page cache.
    public let isDirect: Bool
    /// How reads of several blocks ask the device.
    public let inputOutput: InputOutput

    let reading: FileDescriptor
    private let writing: FileDescriptor?
    private let isReadOnly: Bool
    /// Told what the one who serves should know of, once each.
    private let log: (@Sendable (String) -> Void)?
    private let hasToldOfRefusal = Atomic(false)
    /// Queues that no thread is using.
    private let queues = Locked<[RingReadQueue]>([])
    /// The first failure of a sync.
    ///
    /// The kernel tells it to one caller of several: the lock is held
    /// during the call, so that no other can take the next one's success for its own.
    private let syncFailure = Locked<Errno?>(nil)
    /// Whether a write can be durable when it returns.
    let writesDurably: Atomic<Bool>
    /// Whether the device may be asked to make zeros itself: until it has refused.
    let asksForZeroes = Atomic(true)

    /// How to open.
    public enum Access: Sendable {
        /// For reading, without a lock: it may change at any time.
        case readOnly
        /// For reading, with a shared lock: it does not change meanwhile.
        case unchanging
        /// For reading and writing, with the exclusive lock.
        case exclusive
    }

    /// Opens an existing file or device.
    ///
    /// - Parameter log: told what becomes worse while it is open, line by line.
    /// - Throws: kind `busy` if another process has it open for writing.
    public init(
        path: String,
        access: Access,
        mode: InputOutputMode = .threads,
        log: (@Sendable (String) -> Void)? = nil
    ) throws(DiskError) {
        self.path = path
        self.log = log
        isReadOnly = access != .exclusive
        do throws(Errno) {
            // O_EXCL keeps a block device from being mounted or swapped to meanwhile, and fails if
            // it is; a regular file does not mind.
            reading = try FileDescriptor.open(
                path,
                isReadOnly ? .readOnly : [.readWrite, .exclusive]
            )
            let status = try reading.status()
            isBlockDevice = status.kind == .blockDevice
            guard isBlockDevice || status.kind == .regular else {
                throw Errno.invalidArgument
            }
            size = Atomic(isBlockDevice ? try reading.blockDeviceSize() : status.sizeBytes)
            switch access {
            case .readOnly: break
            case .unchanging: try reading.lockShared()
            case .exclusive: try reading.lockExclusively()
            }
            writing = isReadOnly ? nil : try Self.openForDirectWrites(path, status)
            isDirect = writing != nil
            let fileSystem = try reading.fileSystem().magic
            let keepsPromise = isBlockDevice || Self.durableFileSystems.contains(fileSystem)
            writesDurably = Atomic(isDirect && keepsPromise)
            inputOutput = try Self.inputOutput(mode, isDirect: isDirect)
        } catch {
            throw Self.openError(path, error)
        }
    }

    /// Creates a file of `sizeBytes` (sparse), which must not exist, and locks it.
    ///
    /// On btrfs it gets the attribute `+C`, which only an empty file can get: unless
    /// `keepsCopyOnWrite`, or where btrfs has several devices, of which its checksums tell a good
    /// copy from a bad one.
    public convenience init(
        creating path: String,
        sizeBytes: UInt64,
        keepsCopyOnWrite: Bool = false
    ) throws(DiskError) {
        do throws(Errno) {
            let file = try FileDescriptor.open(path, [.readWrite, .create, .exclusive])
            do throws(Errno) {
                if !keepsCopyOnWrite { Self.leaveInPlace(file) }
                try file.resize(toBytes: sizeBytes)
            } catch {
                FileDescriptor.remove(path)
                throw error
            }
        } catch {
            throw Self.openError(path, error)
        }
        try self.init(path: path, access: .exclusive)
    }

    /// Lets btrfs overwrite an empty file in place; a refusal costs speed, nothing else.
    private static func leaveInPlace(_ file: borrowing FileDescriptor) {
        do throws(Errno) {
            guard try file.fileSystem().magic == btrfs, try file.btrfsDeviceCount() == 1 else {
                return
            }
            try file.setFileFlags(file.fileFlags().union(.noCopyOnWrite))
        } catch {}
    }

    /// Whether what was written once is overwritten where it is, so that it pays to write it once
    /// before it matters: on ext2, ext3, ext4 and XFS, and on btrfs with the attribute `+C`.
    var isOverwrittenInPlace: Bool {
        guard !isBlockDevice, isDirect, let magic = try? reading.fileSystem().magic else {
            return false
        }
        if magic == Self.btrfs {
            return (try? reading.fileFlags())?.contains(.noCopyOnWrite) ?? false
        }
        return [0xef53, 0x5846_5342].contains(magic)
    }

    /// `BTRFS_SUPER_MAGIC`.
    private static let btrfs: Int64 = 0x9123_683e

    /// A child that another thread has just forked still has the descriptors, until it runs its
    /// program; closed here alone, they would keep the lock.
    deinit { reading.unlock() }

    /// A second description with `O_DIRECT`, or nil where the file system has no such thing (tmpfs)
    /// or wants more than 4 KiB of alignment.
    private static func openForDirectWrites(
        _ path: String,
        _ status: FileStatus
    ) throws(Errno) -> FileDescriptor? {
        if let alignment = status.directOffsetAlignmentBytes, alignment > 4096 { return nil }
        let file: FileDescriptor
        do throws(Errno) {
            file = try FileDescriptor.open(path, [.readWrite, .direct])
        } catch {
            if error == .invalidArgument { return nil }
            throw error
        }
        // The path may have been replaced between the two calls to open.
        guard try file.status().inode == status.inode else { throw .noSuchFile }
        return consume file
    }

    /// File systems whose direct writes heed `RWF_DSYNC`: ext4, xfs, btrfs and f2fs, by numbers in
    /// `include/uapi/linux/magic.h` and `statfs(2)`.
    ///
    /// Those over a network or in another process take the flag, and some only write: 9p, FUSE.
    static let durableFileSystems: Set<Int64> = [
        0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010,
    ]

    /// Finds out whether there can be rings, by using one as large as those that read.
    private static func inputOutput(
        _ mode: InputOutputMode,
        isDirect: Bool
    ) throws(Errno) -> InputOutput {
        if mode == .threads { return .plain }
        do throws(Errno) {
            // Through the page cache a ring hands reads to the kernel's own threads: no gain.
            guard isDirect else { throw Errno.notSupported }
            try probeRing()
            return .ring
        } catch {
            if mode == .ring { throw error }
            if !isDirect { return InputOutput(mode: .threads, reason: noDirectReads) }
            return InputOutput(refusal: error)
        }
    }

    private static func probeRing() throws(Errno) {
        var ring = try Ring(entryCount: UInt32(RingReadQueue.inFlightMax), isForThisThread: true)
        guard ring.prepareNothing(tag: 0) else { throw .busy }
        var hasEnded = false
        while !hasEnded {
            try ring.submitAndWait()
            hasEnded = ring.next() != nil
        }
    }

    private static let noDirectReads = "the file system has no direct input"

    private static func openError(_ path: String, _ cause: Errno) -> DiskError {
        var error =
            switch cause {
            case .again:
                DiskError(
                    .busy,
                    "open",
                    "another process serves or checks it; stop that one first",
                    cause: nil
                )
            case .busy:
                DiskError(
                    .busy,
                    "open",
                    "the device is mounted, or used by another device or process"
                )
            case .fileExists:
                DiskError(
                    .invalid,
                    "create",
                    "there is a file already; nothing was changed"
                )
            default:
                DiskError("open", cause: cause)
            }
        error.path = path
        return error
    }
}

extension FileStore {
    /// Reads exactly `buffer.count` bytes through the page cache.
    public func read(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) {
        guard try unsafe reading.read(at: offset, into: buffer) == buffer.count else {
            throw .inputOutput
        }
    }

    /// Reads past the page cache, or lets the kernel forget what went through it.
    public func readDirectly(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) {
        guard writing != nil else {
            try unsafe read(at: offset, into: buffer)
            return reading.dropCached(offset..<offset + UInt64(buffer.count))
        }
        guard try unsafe writing?.read(at: offset, into: buffer) == buffer.count else {
            throw .inputOutput
        }
    }

    /// Reads past the page cache; where there is no such thing, the kernel is asked before to
    /// forget what it has of the range.
    ///
    /// It does not forget what is not written yet, nor what is in memory alone, as on tmpfs.
    public func readFromDevice(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) {
        if writing == nil { reading.dropCached(offset..<offset + UInt64(buffer.count)) }
        try unsafe readDirectly(at: offset, into: buffer)
    }

    /// Reads several ranges at once, where there can be rings.
    public func readDirectly(_ reads: inout [DirectRead]) {
        guard reads.count > 1, let queue = takeQueue() else {
            return readEach(&reads)
        }
        for index in reads.indices { queue.add(reads[index], tag: UInt64(index)) }
        var rest = reads.count
        while rest > 0 {
            queue.waitForRead()
            // None is lost: this thread has waited for them.
            while let (tag, error, _) = queue.next() {
                reads[Int(tag)].error = error
                rest -= 1
            }
        }
        if queue.isBroken { return }
        queues.withLock { queues in
            if queues.count < Self.idleQueueCountMax { queues.append(queue) }
        }
    }

    private static var idleQueueCountMax: Int { 8 }

    private func readEach(_ reads: inout [DirectRead]) {
        for index in reads.indices {
            reads[index].perform { (offset, buffer) throws(Errno) in
                unsafe try readDirectly(at: offset, into: buffer)
            }
        }
    }

    private func takeQueue() -> RingReadQueue? {
        guard inputOutput.mode == .ring else { return nil }
        return queues.withLock({ $0.popLast() }) ?? makeQueue(isForThisThread: false)
    }

    private var directNumber: Int32? {
        switch writing {
        case .some(let file): file.number
        case .none: nil
        }
    }

    private func makeQueue(isForThisThread: Bool) -> RingReadQueue? {
        guard inputOutput.mode == .ring, let number = directNumber else { return nil }
        // A queue that the store keeps must not keep the store; whoever reads by one does. A weak
        // reference would make each count of references to the store a slow one.
        do throws(Errno) {
            return unsafe try RingReadQueue(file: number, isForThisThread: isForThisThread) {
                [unowned self] (offset, buffer) throws(Errno) in
                unsafe try readDirectly(at: offset, into: buffer)
            }
        } catch {
            tell(of: error)
            return nil
        }
    }

    /// Says once that a ring was refused, though there was one when the store was opened.
    private func tell(of refusal: Errno) {
        if hasToldOfRefusal.exchange(true, ordering: .relaxed) { return }
        let reason = InputOutput(refusal: refusal).reason ?? "\(refusal)"
        log?("some reads go by threads from now on: \(reason)")
    }

    /// Reads of one thread by a ring of its own.
    public func makeReadQueue() -> (any DirectReadQueue)? { makeQueue(isForThisThread: true) }

    /// Gives the exclusive lock up.
    public func unlock() {
        reading.unlock()
    }

    /// Writes all bytes, past the page cache where possible.
    public func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        precondition(!isReadOnly, "a write to a store that was opened for reading")
        if writing != nil {
            try unsafe writing?.write(at: offset, bytes)
        } else {
            try unsafe reading.write(at: offset, bytes)
        }
    }

    /// Writes several buffers in one call, which the device works on side by side.
    public func write(at offset: UInt64, _ buffers: [UnsafeRawBufferPointer]) throws(Errno) {
        precondition(!isReadOnly, "a write to a store that was opened for reading")
        if writing != nil {
            try unsafe writing?.write(at: offset, buffers)
        } else {
            try unsafe reading.write(at: offset, buffers)
        }
    }

    /// Writes in one call that returns when it is durable, if writes go past the page cache.
    public func writeDurably(
        at offset: UInt64,
        _ buffers: [UnsafeRawBufferPointer]
    ) throws(Errno) {
        precondition(!isReadOnly, "a write to a store that was opened for reading")
        if writesDurably.load(ordering: .relaxed) {
            try failIfSyncFailed()
            do throws(Errno) {
                try unsafe writing?.write(at: offset, buffers, durably: true)
                // What failed for another thread meanwhile may concern these bytes.
                return try failIfSyncFailed()
            } catch {
                // Old kernels, and filters that do not know the call.
                let isRefused =
                    error == .notSupported || error == .notPermitted || error == .notImplemented
                if !isRefused {
                    // Without space nothing is lost: it is written again.
                    if error != .noSpace { syncFailure.withLock { $0 = $0 ?? error } }
                    throw error
                }
            }
            writesDurably.store(false, ordering: .relaxed)
        }
        try unsafe write(at: offset, buffers)
        try synchronize()
    }

    private func failIfSyncFailed() throws(Errno) {
        if let failure = syncFailure.withLock({ $0 }) { throw failure }
    }

    /// Flushes the file's data and the device's volatile cache; after a failure it only fails.
    public func synchronize() throws(Errno) {
        try syncFailure.withLock { (failure) throws(Errno) in
            if let failure { throw failure }
            do throws(Errno) {
                try reading.synchronize()
            } catch {
                failure = error
                throw error
            }
        }
    }

    /// Makes a file longer; a device must have become larger by itself.
    public func grow(toBytes size: UInt64) throws(Errno) {
        var actual = isBlockDevice ? try reading.blockDeviceSize() : sizeBytes
        if actual < size {
            if isBlockDevice { throw .noSpace }
            try reading.resize(toBytes: size)
            actual = size
        }
        self.size.store(actual, ordering: .releasing)
    }

    /// Reserves space in a file; a block device has its space already.
    public func allocate(_ range: Range<UInt64>) throws(Errno) {
        if isBlockDevice { return }
        do throws(Errno) {
            try reading.allocate(range)
        } catch {
            // Without fallocate (NFS 4.1 and older) space can run out in a write; that is handled.
            if error != .notSupported { throw error }
        }
    }

    /// Punches a hole in a file, or discards blocks of a device.
    ///
    /// Not having the operation is no error.
    public func discard(_ range: Range<UInt64>) throws(Errno) {
        do throws(Errno) {
            if isBlockDevice {
                try reading.discardBlocks(range)
            } else {
                try reading.punchHole(range)
            }
        } catch {
            if error != .notSupported { throw error }
        }
    }
}
