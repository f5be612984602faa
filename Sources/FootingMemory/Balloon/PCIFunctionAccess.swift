internal import FootingSystem

/// What can be asked of a PCI function beside its driver.
protocol PCIFunctionAccess: Sendable {
    /// Bytes of the configuration space; fewer where no more are shown.
    func configuration(at offset: Int, count: Int) throws(Errno) -> [UInt8]

    /// Writes to the configuration space.
    func setConfiguration(_ bytes: [UInt8], at offset: Int) throws(Errno)

    /// The word at an I/O port of the first BAR.
    func port(at offset: Int) throws(Errno) -> UInt32
}

/// A function of the live machine, by its files in sysfs (Documentation/PCI/sysfs-pci.rst).
///
/// Each file is opened when it is first needed, and for no more than that: `config` is written only
/// where there is no other way.
final class LivePCIFunction: PCIFunctionAccess {
    private struct Files: ~Copyable {
        var configuration: FileDescriptor?
        var writableConfiguration: FileDescriptor?
        var ports: FileDescriptor?
    }

    private let folder: String
    private let root: HostRoot
    private let files = Locked(Files())

    /// - Parameters:
    ///   - folder: its folder.
    ///   - root: the live machine.
    init(_ folder: String, _ root: HostRoot) {
        precondition(root.isLive, "a recorded machine has no device to ask")
        self.folder = folder
        self.root = root
    }

    func configuration(at offset: Int, count: Int) throws(Errno) -> [UInt8] {
        let root = root
        let path = "\(folder)/config"
        return try files.withLock { (files: inout Files) throws(Errno) in
            if files.configuration == nil { files.configuration = try root.open(path) }
            return try Self.read(files.configuration, at: offset, count: count)
        }
    }

    func setConfiguration(_ bytes: [UInt8], at offset: Int) throws(Errno) {
        let root = root
        let path = "\(folder)/config"
        try files.withLock { (files: inout Files) throws(Errno) in
            if files.writableConfiguration == nil {
                files.writableConfiguration = try root.open(path, [.readWrite])
            }
            let result: Result<Void, Errno> = unsafe bytes.withUnsafeBytes { buffer in
                do throws(Errno) {
                    try unsafe files.writableConfiguration?.write(at: UInt64(offset), buffer)
                    return .success(())
                } catch {
                    return .failure(error)
                }
            }
            try result.get()
        }
    }

    func port(at offset: Int) throws(Errno) -> UInt32 {
        let root = root
        let path = "\(folder)/resource0"
        let bytes = try files.withLock { (files: inout Files) throws(Errno) in
            if files.ports == nil { files.ports = try root.open(path) }
            return try Self.read(files.ports, at: offset, count: 4)
        }
        guard bytes.count == 4 else { throw .inputOutput }
        return bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    private static func read(
        _ file: borrowing FileDescriptor?,
        at offset: Int,
        count: Int
    ) throws(Errno) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var result: Result<Int, Errno> = .success(0)
        unsafe bytes.withUnsafeMutableBytes { buffer in
            do throws(Errno) {
                result = .success(try unsafe file?.read(at: UInt64(offset), into: buffer) ?? 0)
            } catch {
                result = .failure(error)
            }
        }
        return Array(bytes.prefix(try result.get()))
    }
}
