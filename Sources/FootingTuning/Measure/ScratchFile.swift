public import FootingSystem

/// A file of the measurement's own beside what is measured: nobody else's data are touched.
///
/// Its name goes as soon as it is open, so nothing of it is left however the process ends. It is
/// written once from its beginning to its end, with what cannot be compressed: blocks that were
/// only reserved cost the file system more at their first write.
public final class ScratchFile {
    /// The folder it lies in.
    public let folder: String
    /// Its size: what was asked for, or what could be written in the time for it.
    public private(set) var sizeBytes: UInt64 = 0
    /// Whether its blocks are read and written past the kernel's page cache (`O_DIRECT`).
    public let isDirect: Bool
    /// Past the cache, where that is possible.
    let blocks: FileDescriptor
    /// By the cache.
    let cached: FileDescriptor

    /// The smallest file that says anything.
    public static let sizeMinimumBytes: UInt64 = 16 << 20
    /// The largest one.
    public static let sizeMaximumBytes: UInt64 = 1 << 40

    /// Makes one, and writes it.
    ///
    /// - Parameters:
    ///   - path: a folder, or a file whose folder it is to be in; the file need not be there.
    ///   - sizeBytes: how large it may become; whole MiB of it count.
    ///   - limitNanoseconds: how long it may be written to; at least the smallest size is written.
    ///   - clock: what measures that.
    ///   - stop: whether to give up.
    ///   - progress: is told how many bytes are there.
    public init(
        beside path: String,
        sizeBytes: UInt64,
        limitNanoseconds: UInt64,
        clock: any TimeSource,
        stop: () -> Bool,
        progress: (UInt64) -> Void
    ) throws(MeasureError) {
        folder = try Self.folder(path)
        let wanted = sizeBytes / UInt64(Workload.piece) * UInt64(Workload.piece)
        try Self.check(folder, wanted)
        do throws(Errno) {
            let file = try Self.make(in: folder)
            let direct = try Self.direct(file)
            isDirect = direct != nil
            if let direct {
                blocks = direct
            } else {
                blocks = try Self.again(file, .readWrite)
            }
            cached = file
        } catch {
            throw MeasureError("cannot make a scratch file in '\(folder)'", error)
        }
        let start = clock.nanoseconds
        let piece = AlignedBuffer(count: Workload.piece)
        var random = SeededRandom(seed: start)
        do throws(Errno) {
            while self.sizeBytes < wanted, !stop() {
                let isLate = clock.nanoseconds - start > limitNanoseconds
                if isLate, self.sizeBytes >= Self.sizeMinimumBytes { break }
                Self.fill(piece, &random)
                try unsafe blocks.write(at: self.sizeBytes, UnsafeRawBufferPointer(piece.bytes))
                self.sizeBytes += UInt64(Workload.piece)
                progress(self.sizeBytes)
            }
            try blocks.synchronize()
        } catch {
            throw MeasureError("cannot write the scratch file in '\(folder)'", error)
        }
        if self.sizeBytes < Self.sizeMinimumBytes { throw .stopped }
    }

    /// Opens the file for reading once more: the kernel takes a queue's `read_ahead_kb` over when
    /// a file is opened (`file_ra_state_init`), and never again.
    func reopened() throws(Errno) -> FileDescriptor {
        try Self.again(cached, .readOnly)
    }

    // MARK: - Making it

    /// The folder that a path is, or lies in.
    ///
    /// That of the file, not of a link to it: the two may be on different disks. A file that
    /// something is mounted on has a folder on another file system all the same.
    public static func folder(_ path: String) throws(MeasureError) -> String {
        let kind: FileStatus.Kind
        do throws(Errno) {
            kind = try FileStatus(
                directory: Socket.workingDirectory,
                path: path,
                followsLink: true
            ).kind
        } catch {
            // A file that is still to be made has a folder at least.
            if error == .noSuchFile { return parent(path) }
            throw MeasureError("cannot look at '\(path)'", error)
        }
        switch kind {
        case .directory: return path
        case .regular: return parent(HostRoot.real(path))
        case .blockDevice:
            throw MeasureError(
                "'\(path)' is a block device, whose data are not overwritten: name a folder "
                    + "of a file system on it"
            )
        default: throw MeasureError("'\(path)' is neither a file nor a folder")
        }
    }

    private static func parent(_ path: String) -> String {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        return slash.map { $0 == path.utf8.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }

    /// Whether a file system has room for a file, and some to spare for those who live there.
    static func hasRoom(for sizeBytes: UInt64, freeBytes: UInt64, totalBytes: UInt64) -> Bool {
        let spare = max(sizeMinimumBytes, totalBytes / 20)
        let (needed, overflow) = sizeBytes.addingReportingOverflow(spare)
        return !overflow && freeBytes >= needed
    }

    private static func check(_ folder: String, _ sizeBytes: UInt64) throws(MeasureError) {
        guard (sizeMinimumBytes...sizeMaximumBytes).contains(sizeBytes) else {
            throw MeasureError("a scratch file has 16 MiB to 1 TiB")
        }
        let status: FileSystemStatus
        do throws(Errno) {
            status = try FileDescriptor.open(folder, [.readOnly, .directory]).fileSystem()
        } catch {
            throw MeasureError("cannot look at the folder '\(folder)'", error)
        }
        // Some file systems of other machines tell of no size at all.
        let isKnown = status.totalBytes > 0
        if isKnown,
            !hasRoom(for: sizeBytes, freeBytes: status.freeBytes, totalBytes: status.totalBytes)
        {
            throw MeasureError(
                "'\(folder)' has \(status.freeBytes >> 20) MiB free of \(status.totalBytes >> 20): "
                    + "too few for a scratch file of \(sizeBytes >> 20) MiB, of which a twentieth "
                    + "and 16 MiB at least stay free"
            )
        }
    }

    /// A file without a name.
    private static func make(in folder: String) throws(Errno) -> FileDescriptor {
        var random = SystemRandomNumberGenerator()
        let path = folder + "/.footing-scratch-" + hexadecimal(random.next(), digits: 16)
        let mark = UnfinishedFile(path)
        let file = try FileDescriptor.open(path, [.readWrite, .create, .exclusive, .noFollow])
        FileDescriptor.remove(path)
        _ = consume mark
        return file
    }

    /// Opens the same file once more, whoever has which name by now.
    private static func again(
        _ file: borrowing FileDescriptor,
        _ options: FileDescriptor.Options
    ) throws(Errno) -> FileDescriptor {
        try FileDescriptor.open("/proc/self/fd/\(file.number)", options)
    }

    /// Opens it past the page cache; nil where that is not possible with blocks of 4 KiB.
    private static func direct(
        _ file: borrowing FileDescriptor
    ) throws(Errno) -> FileDescriptor? {
        guard try isAligned(file), let direct = try? again(file, [.readWrite, .direct]),
            takesBlocks(direct)
        else { return nil }
        return direct
    }

    /// Whether there is direct I/O and blocks of 4 KiB are large enough for it, where the kernel
    /// tells.
    private static func isAligned(_ file: borrowing FileDescriptor) throws(Errno) -> Bool {
        let status = try file.status()
        let possible = 1...UInt32(Workload.block)
        return possible.contains(status.directOffsetAlignmentBytes ?? 1)
            && possible.contains(status.directMemoryAlignmentBytes ?? 1)
    }

    /// Some file systems open a file for direct I/O and refuse the first request.
    private static func takesBlocks(_ file: borrowing FileDescriptor) -> Bool {
        let block = AlignedBuffer(count: Workload.block)
        do throws(Errno) {
            try unsafe file.write(at: 0, UnsafeRawBufferPointer(block.bytes))
            return true
        } catch {
            return false
        }
    }

    /// Fills memory with what can neither be compressed nor found twice.
    static func fill(_ buffer: borrowing AlignedBuffer, _ random: inout SeededRandom) {
        for offset in stride(from: 0, to: buffer.count, by: 8) {
            buffer.set(random.next(), at: offset)
        }
    }
}
