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

/// The first bytes of a qcow2 image, as docs/interop/qcow2.txt of QEMU describes them.
struct QcowHeader {
    let sizeBytes: UInt64

    /// - Throws: why this cannot be imported.
    init(path: String) throws(CommandError) {
        let header = AlignedBuffer(count: 4096)
        do throws(Errno) {
            let file = try FileDescriptor.open(path, .readOnly)
            _ = try unsafe file.read(at: 0, into: header.slice(0..<104))
        } catch {
            throw CommandError("cannot open", path, error)
        }
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
    }
}
