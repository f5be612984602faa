import FootingSystem

/// Disks as raw images: the bytes that a client sees, one after the other, holes as holes.
public enum RawImage {
    /// Writes a disk to a new file, which has its name only when it is complete.
    ///
    /// - Parameters:
    ///   - reader: the disk, which nobody may change meanwhile.
    ///   - path: a file that is not there yet.
    ///   - progress: called from time to time.
    /// - Returns: bytes that were written; the rest are holes.
    /// - Throws: kind `invalid` if there is a file; kind `noSpace` if the host is full.
    public static func export(
        _ reader: any DiskReader,
        to path: String,
        progress: (CheckProgress) -> Void = { _ in }
    ) throws(DiskError) -> UInt64 {
        var file = try NewDisk.partialFile(path)
        let output = try create(file.partialPath, sizeBytes: reader.sizeBytes, path)
        let count = try unsafe reader.forEachPiece(progress) { (offset, bytes) throws(DiskError) in
            do throws(Errno) { try unsafe output.write(at: offset, bytes) } catch {
                throw DiskError("write image", offset: offset, cause: error).at(path)
            }
        }
        do throws(Errno) {
            try output.synchronize()
            try file.complete()
        } catch {
            throw NewDisk.nameError(error).at(path)
        }
        return count
    }

    /// The size of the disk that an image makes: its own, in whole sectors.
    ///
    /// - Parameter path: a file or a block device.
    public static func sizeBytes(path: String) throws(DiskError) -> UInt64 {
        (try sizeBytes(try open(path), path) + 511) / 512 * 512
    }

    private static func create(
        _ partialPath: String,
        sizeBytes: UInt64,
        _ path: String
    ) throws(DiskError) -> FileDescriptor {
        do throws(Errno) {
            let file = try FileDescriptor.open(
                partialPath,
                [.readWrite, .create, .exclusive]
            )
            try file.resize(toBytes: sizeBytes)
            return file
        } catch {
            throw NewDisk.nameError(error).at(path)
        }
    }

    private static func open(_ path: String) throws(DiskError) -> FileDescriptor {
        do throws(Errno) { return try FileDescriptor.open(path, .readOnly) } catch {
            throw DiskError("open image", cause: error).at(path)
        }
    }

    private static func sizeBytes(
        _ file: borrowing FileDescriptor,
        _ path: String
    ) throws(DiskError) -> UInt64 {
        do throws(Errno) {
            let status = try file.status()
            switch status.kind {
            case .blockDevice: return try file.blockDeviceSize()
            case .regular: return status.sizeBytes
            default: throw Errno.invalidArgument
            }
        } catch {
            throw DiskError("open image", cause: error).at(path)
        }
    }

    /// Copies an image to a disk that reads as zeros.
    ///
    /// - Returns: bytes that were copied.
    public static func load(
        path: String,
        into disk: Disk,
        progress: (CheckProgress) -> Void = { _ in }
    ) throws(DiskError) -> UInt64 {
        let file = try open(path)
        let size = try sizeBytes(file, path)
        let buffer = try KernelBuffers().buffer(for: "import", count: ImagePieces.readBytes)
        var copied: UInt64 = 0
        var offset: UInt64 = 0
        while offset < size, let data = nextData(file, offset, size) {
            offset = data.lowerBound
            while offset < data.upperBound {
                let count = min(ImagePieces.readBytes, Int(data.upperBound - offset))
                // The last sector of a file may be there in part.
                let whole = (count + 511) / 512 * 512
                buffer.clear(count..<whole)
                do throws(Errno) {
                    let read = try unsafe file.read(at: offset, into: buffer.slice(0..<count))
                    guard read == count else { throw .inputOutput }
                } catch {
                    throw DiskError("read image", offset: offset, cause: error).at(path)
                }
                let bytes = unsafe UnsafeRawBufferPointer(buffer.slice(0..<whole))
                copied += try unsafe ImagePieces.forEachUsed(offset, bytes) {
                    (at, used) throws(DiskError) in
                    try unsafe disk.write(at: at, used)
                }
                offset += UInt64(count)
                progress(CheckProgress(bytesDone: offset, bytesTotal: size))
            }
        }
        try disk.flush()
        return copied
    }

    /// The next data, from a sector on; all the rest where nobody can tell.
    private static func nextData(
        _ file: borrowing FileDescriptor,
        _ offset: UInt64,
        _ size: UInt64
    ) -> Range<UInt64>? {
        do throws(Errno) {
            guard let data = try file.nextData(from: offset) else { return nil }
            let start = max(data.lowerBound / 4096 * 4096, offset)
            // A file may have grown since.
            let end = min((data.upperBound + 4095) / 4096 * 4096, size)
            return start < end ? start..<end : nil
        } catch {
            return offset..<size
        }
    }
}
