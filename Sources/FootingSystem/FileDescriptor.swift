internal import CFooting
import Glibc

/// An open file description that is closed when its owner goes away.
public struct FileDescriptor: ~Copyable, Sendable {
    /// The number the kernel gave; valid as long as this value lives.
    public let number: Int32

    /// Takes ownership of an open descriptor.
    public init(owning number: Int32) {
        precondition(number >= 0, "not a descriptor: \(number)")
        self.number = number
    }

    deinit {
        _ = close(number)
    }

    /// Gives up ownership: the caller closes the number.
    public consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }

    /// How a file is to be opened; see `open(2)`.
    public struct Options: OptionSet, Sendable {
        /// The `O_` bits.
        public let rawValue: Int32

        /// Wraps `O_` bits.
        public init(rawValue: Int32) {
            self.rawValue = rawValue
        }

        /// Reading only.
        public static let readOnly = Options(rawValue: O_RDONLY)
        /// Reading and writing.
        public static let readWrite = Options(rawValue: O_RDWR)
        /// Writing only.
        public static let writeOnly = Options(rawValue: O_WRONLY)
        /// Create the file if it is missing.
        public static let create = Options(rawValue: O_CREAT)
        /// With `create`, fail if it is there; on a block device: fail if it is in use.
        public static let exclusive = Options(rawValue: O_EXCL)
        /// Only a directory will do.
        public static let directory = Options(rawValue: O_DIRECTORY)
        /// Never wait for a peer, as of a FIFO.
        public static let nonBlocking = Options(rawValue: O_NONBLOCK)
        /// `O_NOCTTY`: a terminal does not become the process's own.
        public static let noTerminal = Options(rawValue: O_NOCTTY)
        /// Do not follow a symbolic link at the end of the path.
        public static let noFollow = Options(rawValue: O_NOFOLLOW)
        /// Only a reference to the path: nothing can be read, and no driver is asked to open.
        public static let path = Options(rawValue: footing_o_path)
        /// Bypass the page cache: offsets, lengths and memory must be aligned.
        public static let direct = Options(rawValue: footing_o_direct)
    }

    /// Opens a path relative to the working directory, or to `directory`.
    ///
    /// - Parameters:
    ///   - path: the path; absolute paths ignore `directory`.
    ///   - options: see ``Options``; close-on-exec is always set.
    ///   - permissions: the mode of a file that is created, before the umask.
    ///   - directory: an open directory's number, the working directory by default.
    public static func open(
        _ path: String,
        _ options: Options,
        permissions: UInt32 = 0o600,
        at directory: Int32? = nil
    ) throws(Errno) -> FileDescriptor {
        FileDescriptor(
            owning: try retrying {
                unsafe footing_openat(directory ?? AT_FDCWD, path, options.rawValue, permissions)
            }
        )
    }
}

// MARK: - Reading and writing

extension FileDescriptor {
    /// Reads at an offset; fewer bytes than asked for mean the end of the file.
    public func read(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        var done = 0
        while done < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = unsafe pread(number, rest.baseAddress, rest.count, off_t(offset) + done)
            if count < 0 {
                if Glibc.errno == EINTR { continue }
                throw Errno.current
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Reads at an offset what the page cache holds, without waiting for a device.
    ///
    /// - Returns: the bytes read, possibly fewer than asked for.
    /// - Throws: `EAGAIN` where nothing is cached, `EOPNOTSUPP` where the file system cannot tell.
    public func readWithoutWaiting(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        try checked(
            unsafe footing_pread_nowait(number, buffer.baseAddress, buffer.count, Int64(offset))
        )
    }

    /// Where the next data of a sparse file are; nil where there are no more.
    ///
    /// - Throws: `EINVAL` where the file system or the device cannot tell.
    public func nextData(from offset: UInt64) throws(Errno) -> Range<UInt64>? {
        var (start, end) = (0, 0) as (Int64, Int64)
        do throws(Errno) {
            _ = try checked(
                unsafe footing_next_data(number, Int64(offset), &start, &end)
            )
        } catch {
            if error == .noDevice { return nil }
            throw error
        }
        return UInt64(start)..<UInt64(end)
    }

    /// Asks the kernel to drop what its page cache holds of a range and has written already
    /// (`posix_fadvise(2)`, `POSIX_FADV_DONTNEED`); a wish, no more.
    public func dropCached(_ range: Range<UInt64>) {
        _ = posix_fadvise(
            number,
            off_t(range.lowerBound),
            off_t(range.upperBound - range.lowerBound),
            POSIX_FADV_DONTNEED
        )
    }

    /// Writes the whole buffer at an offset.
    public func write(at offset: UInt64, _ buffer: UnsafeRawBufferPointer) throws(Errno) {
        var done = 0
        while done < buffer.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[done...])
            let count = unsafe pwrite(number, rest.baseAddress, rest.count, off_t(offset) + done)
            if count < 0 {
                if Glibc.errno == EINTR { continue }
                throw Errno.current
            }
            done += count
        }
    }

    /// Writes several buffers one after the other at an offset, in one call (`pwritev(2)`).
    ///
    /// - Parameter durably: makes these bytes durable before it returns (`RWF_DSYNC`), as an
    ///   `fdatasync(2)` that knows nothing of other bytes.
    /// - Throws: `EOPNOTSUPP` where the kernel or the file system knows no such thing.
    public func write(
        at offset: UInt64,
        _ buffers: [UnsafeRawBufferPointer],
        durably: Bool = false
    ) throws(Errno) {
        let total = unsafe buffers.reduce(0) { $0 + $1.count }
        let count = try retrying {
            let vectors = unsafe buffers.map {
                unsafe iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: $0.baseAddress),
                    iov_len: $0.count
                )
            }
            if durably {
                return unsafe footing_write_durably(
                    number,
                    vectors,
                    Int32(vectors.count),
                    Int64(offset)
                )
            }
            let count = unsafe pwritev(number, vectors, Int32(vectors.count), off_t(offset))
            return count < 0 ? -Int(Glibc.errno) : count
        }
        if count == total { return }
        // Rarely less is written: the rest follows piece by piece.
        var start = 0
        for index in unsafe buffers.indices {
            let buffer = unsafe buffers[index]
            let done = min(max(count - start, 0), buffer.count)
            try unsafe write(
                at: offset + UInt64(start + done),
                UnsafeRawBufferPointer(rebasing: buffer[done...])
            )
            start += buffer.count
        }
        if durably { try synchronize() }
    }

    /// Reads from the current position, as from a pipe or a `/proc` file.
    ///
    /// - Returns: the bytes read; 0 at the end.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try retrying {
            let count = unsafe Glibc.read(number, buffer.baseAddress, buffer.count)
            return count < 0 ? -Int(Glibc.errno) : count
        }
    }

    /// Writes the whole buffer at the current position.
    public func write(_ buffer: UnsafeRawBufferPointer) throws(Errno) {
        var done = 0
        while done < buffer.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[done...])
            done += try retrying {
                let count = unsafe Glibc.write(number, rest.baseAddress, rest.count)
                return count < 0 ? -Int(Glibc.errno) : count
            }
        }
    }

    /// Writes the text at the current position.
    public func write(_ text: String) throws(Errno) {
        var text = text
        let result: Result<Void, Errno> = text.withUTF8 { bytes in
            do throws(Errno) {
                return .success(try unsafe write(UnsafeRawBufferPointer(bytes)))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// Makes what was written durable (`fdatasync(2)`).
    ///
    /// After a failure the kernel may have dropped the data and report success the next time: never
    /// call it again as if it had only been delayed.
    public func synchronize() throws(Errno) {
        _ = try retrying { fdatasync(number) < 0 ? -Glibc.errno : 0 }
    }
}

// MARK: - Space, size and locks

extension FileDescriptor {
    /// Sets the size of a file (`ftruncate(2)`).
    public func resize(toBytes size: UInt64) throws(Errno) {
        _ = try retrying { ftruncate(number, off_t(size)) < 0 ? -Glibc.errno : 0 }
    }

    /// Reserves space for a range of a file (`fallocate(2)`).
    public func allocate(_ range: Range<UInt64>) throws(Errno) {
        _ = try retrying {
            footing_allocate(number, Int64(range.lowerBound), Int64(range.count))
        }
    }

    /// Lets the device make zeros of a range, which counts as written then
    /// (`FALLOC_FL_WRITE_ZEROES`, Linux 6.17).
    ///
    /// - Throws: `EOPNOTSUPP` where the kernel, the file system or the device has no such thing.
    public func writeZeroes(_ range: Range<UInt64>) throws(Errno) {
        _ = try retrying {
            footing_write_zeroes(number, Int64(range.lowerBound), Int64(range.count))
        }
    }

    /// Gives the space of a range back to the file system; it reads as zeros afterwards.
    public func punchHole(_ range: Range<UInt64>) throws(Errno) {
        _ = try retrying {
            footing_punch_hole(number, Int64(range.lowerBound), Int64(range.count))
        }
    }

    /// Discards a range of a block device (`BLKDISCARD`); its content is undefined afterwards.
    public func discardBlocks(_ range: Range<UInt64>) throws(Errno) {
        _ = try checked(footing_block_discard(number, range.lowerBound, UInt64(range.count)))
    }

    /// The size of a block device in bytes (`BLKGETSIZE64`).
    public func blockDeviceSize() throws(Errno) -> UInt64 {
        var size: UInt64 = 0
        _ = try checked(unsafe footing_block_size(number, &size))
        return size
    }

    /// The logical sector size of a block device in bytes (`BLKSSZGET`).
    public func blockDeviceSectorSize() throws(Errno) -> UInt32 {
        var size: UInt32 = 0
        _ = try checked(unsafe footing_block_sector_size(number, &size))
        return size
    }

    /// Takes the exclusive lock of the whole file, which ends with this description.
    ///
    /// - Throws: `EAGAIN` if another description holds it.
    public func lockExclusively() throws(Errno) {
        _ = try checked(footing_lock_exclusive(number))
    }

    /// Takes a shared lock of the whole file: others may have one too, but none an exclusive one.
    ///
    /// - Throws: `EAGAIN` if another description holds the exclusive lock.
    public func lockShared() throws(Errno) {
        _ = try checked(footing_lock_shared(number))
    }

    /// Gives the lock up.
    public func unlock() {
        _ = footing_unlock(number)
    }

    /// Whether another description holds the exclusive lock.
    public func isLockedElsewhere() throws(Errno) -> Bool {
        try checked(footing_is_locked(number)) == 1
    }

    /// What `statx(2)` tells of the open file.
    public func status() throws(Errno) -> FileStatus {
        try FileStatus(directory: number, path: "", followsLink: true)
    }

    /// What `fstatfs(2)` tells of the file system behind the open file.
    public func fileSystem() throws(Errno) -> FileSystemStatus {
        var result = footing_file_system()
        _ = try checked(unsafe footing_file_system_of(number, &result))
        return FileSystemStatus(
            magic: result.type,
            blockSizeBytes: result.block_size_bytes,
            freeBytes: result.free_bytes,
            totalBytes: result.total_bytes
        )
    }
}

// MARK: - Names

extension FileDescriptor {
    /// Removes a name (`unlink(2)`); whether it was there does not matter.
    public static func remove(_ path: String) {
        _ = unsafe unlink(path)
    }

    /// Gives a file another name, which must not be there (`renameat2(2)`, `RENAME_NOREPLACE`).
    ///
    /// - Throws: `EEXIST` if it is.
    public static func rename(_ path: String, toNew newPath: String) throws(Errno) {
        _ = try retrying { unsafe footing_rename_new(path, newPath) }
    }

    /// Removes a name in an open directory (`unlinkat(2)`).
    ///
    /// - Throws: `ENOENT` if it is not there.
    public static func remove(
        _ name: String,
        in folder: borrowing FileDescriptor
    ) throws(Errno) {
        guard unsafe unlinkat(folder.number, name, 0) == 0 else { throw Errno.current }
    }

    /// Gives a file of an open directory another name there, in place of what had it
    /// (`renameat(2)`).
    public static func rename(
        _ name: String,
        over newName: String,
        in folder: borrowing FileDescriptor
    ) throws(Errno) {
        let number = folder.number
        guard unsafe renameat(number, name, number, newName) == 0 else { throw Errno.current }
    }

    /// Makes a directory's entries durable, as after creating a file in it.
    public static func synchronizeDirectory(of path: String) throws(Errno) {
        let slash = path.lastIndex(of: "/")
        let parent = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let folder = try FileDescriptor.open(parent, [.readOnly, .directory])
        _ = try retrying { fsync(folder.number) < 0 ? -Glibc.errno : 0 }
    }
}
