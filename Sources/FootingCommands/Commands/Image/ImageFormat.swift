internal import FootingSystem

/// How an image stores a disk.
enum ImageFormat: String, CaseIterable, Sendable {
    /// The bytes as they are.
    case raw
    /// QEMU's own; `qemu-img` reads and writes it.
    case qcow2

    static let option = Option(
        optional: "format",
        .choice(of: ImageFormat.self),
        help: "raw or qcow2; by default what the image's name ends with (.raw, .img or .qcow2)."
    )

    /// The one that was asked for, or that a name stands for.
    ///
    /// An image is never asked: a guest that writes a raw one could make it look like another.
    static func chosen(_ input: Invocation, _ path: String) throws(CommandError) -> ImageFormat {
        if let format = input[option] { return format }
        let ending = path.split(separator: ".").last.map { $0.lowercased() }
        switch ending {
        case "raw", "img": return .raw
        case "qcow2": return .qcow2
        default:
            throw CommandError(
                usage: "'\(path)' does not tell its format: say --format raw or qcow2"
            )
        }
    }
}

/// A qcow2 image that needs no other file, open for reading.
///
/// Its header is as docs/interop/qcow2.txt of QEMU describes it. `qemu-img` gets this very file, by
/// its descriptor, so that nobody can put another in its place between the check and the copy.
struct QcowImage: ~Copyable {
    /// What the disk's size is to be.
    let sizeBytes: UInt64

    private let path: String
    private let file: FileDescriptor
    private let header: AlignedBuffer
    private static let headerBytes = 104

    /// - Throws: why this cannot be imported.
    init(path: String) throws(CommandError) {
        let file = try Self.open(path)
        let header = try Self.header(of: file, path)
        let version = header.get(UInt32.self, at: 4).byteSwapped
        guard header.get(UInt32.self, at: 0) == 0xfb49_4651, version == 2 || version == 3 else {
            throw CommandError("cannot import", path, "it is no qcow2 image")
        }
        // Whoever made the image could name any file of this machine there.
        let features = version == 3 ? header.get(UInt64.self, at: 72).byteSwapped : 0
        guard header.get(UInt64.self, at: 8) == 0, features & 1 << 2 == 0 else {
            throw CommandError(
                "cannot import",
                path,
                "it needs another file",
                remedy: "make one image of them with 'qemu-img convert' first"
            )
        }
        guard header.get(UInt32.self, at: 32) == 0 else {
            throw CommandError("cannot import", path, "it is encrypted")
        }
        sizeBytes = header.get(UInt64.self, at: 24).byteSwapped
        self.path = path
        self.file = file
        self.header = header
    }

    private static func open(_ path: String) throws(CommandError) -> FileDescriptor {
        do throws(Errno) {
            let file = try FileDescriptor.open(path, .readOnly)
            guard try file.status().kind == .regular else { throw .invalidArgument }
            return file
        } catch {
            throw CommandError("cannot open", path, error)
        }
    }

    private static func header(
        of file: borrowing FileDescriptor,
        _ path: String
    ) throws(CommandError) -> AlignedBuffer {
        let header = AlignedBuffer(count: 4096)
        do throws(Errno) {
            _ = try unsafe file.read(at: 0, into: header.slice(0..<headerBytes))
        } catch {
            throw CommandError("cannot read", path, error)
        }
        return header
    }

    /// The descriptor that `qemu-img` is to have as number 3.
    var number: Int32 { file.number }

    /// What `qemu-img` is to open: this file as qcow2, and whatever it says no backing file.
    static let description =
        #"json:{"driver":"qcow2","backing":null,"file":"#
        + #"{"driver":"file","filename":"/proc/self/fd/3"}}"#

    /// Makes sure that the header is still what was checked: a file can also be changed in place.
    func requireUnchanged() throws(CommandError) {
        let now = try Self.header(of: file, path)
        if now.checksum(0..<Self.headerBytes) == header.checksum(0..<Self.headerBytes) { return }
        throw CommandError("cannot import", path, "somebody changed its header meanwhile")
    }
}
