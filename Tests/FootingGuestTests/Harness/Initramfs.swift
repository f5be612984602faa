import FootingSystem

/// The files that a guest starts with: an uncompressed cpio archive of the `newc` form.
///
/// The form is described in the kernel's
/// Documentation/driver-api/early-userspace/buffer-format.rst.
struct Initramfs {
    private(set) var bytes: [UInt8] = []
    private var count: UInt32 = 0
    private var folders: Set<String> = []

    /// What every guest has: the first process, the program, a shell, and the modules.
    ///
    /// - Parameters:
    ///   - programs: what lies beside them in `/bin`.
    ///   - files: what lies where it does on this machine.
    init(
        modules: [KernelModules.Module],
        programs: [GuestKit.Part] = [],
        files: [String] = []
    ) throws {
        for folder in ["bin", "dev", "modules", "proc", "run", "sys", "tmp"] { addFolder(folder) }
        addFile("init", try Self.read(GuestKit.Part.initialProcess.path))
        addFile("bin/footing", try Self.read(GuestKit.Part.program.path))
        addFile("bin/busybox", try Self.read(GuestKit.Part.shell.path))
        for program in programs {
            let name = program.path.split(separator: "/").last ?? ""
            addFile("bin/\(name)", try Self.read(program.path))
        }
        for file in files {
            let parts = file.split(separator: "/").map { String($0) }
            for count in 1..<parts.count { addFolder(parts.prefix(count).joined(separator: "/")) }
            addFile(parts.joined(separator: "/"), try Self.read(file))
        }
        var order = ""
        for module in modules {
            addFile("modules/\(module.name).ko", try Self.read(module.path))
            order += "/modules/\(module.name).ko \(module.parameters)\n"
        }
        addFile("modules/order", Array(order.utf8))
        add("TRAILER!!!", mode: 0, [])
    }

    private mutating func addFolder(_ path: String) {
        guard folders.insert(path).inserted else { return }
        add(path, mode: 0o040_755, [])
    }

    private mutating func addFile(_ path: String, _ content: [UInt8]) {
        add(path, mode: 0o100_755, content)
    }

    private mutating func add(_ path: String, mode: UInt32, _ content: [UInt8]) {
        count += 1
        let nameBytes = UInt32(path.utf8.count + 1)
        // Inode, mode, user, group, links, time, size, four device numbers, name's size, checksum.
        let fields = [
            count, mode, 0, 0, 1, 0, UInt32(content.count), 0, 0, 0, 0, nameBytes, 0,
        ]
        bytes += "070701".utf8
        for field in fields {
            let digits = String(field, radix: 16)
            bytes += (String(repeating: "0", count: 8 - digits.count) + digits).utf8
        }
        bytes += path.utf8
        bytes.append(0)
        pad()
        bytes += content
        pad()
    }

    private mutating func pad() {
        while !bytes.count.isMultiple(of: 4) { bytes.append(0) }
    }

    private static func read(_ path: String) throws -> [UInt8] {
        let file = try FileDescriptor.open(path, .readOnly)
        var content = [UInt8](repeating: 0, count: Int(try file.status().sizeBytes))
        let count = try unsafe content.withUnsafeMutableBytes {
            try unsafe file.read(at: 0, into: $0)
        }
        guard count == content.count else { throw GuestError("\(path) is being written") }
        return content
    }
}
