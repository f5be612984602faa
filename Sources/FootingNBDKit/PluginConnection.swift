internal import CNBDKit
internal import FootingCommands
internal import FootingDisk
internal import FootingNBD
internal import FootingSystem

/// A client's connection: what its requests need.
final class PluginConnection: Sendable {
    /// What clients' offsets and lengths must be multiples of.
    static let sectorBytes: UInt64 = 512

    let disk: Disk
    let export: DiskExport
    let isReadOnly: Bool

    private init(_ plugin: PluginDisk) {
        disk = plugin.disk
        export = DiskExport(plugin.disk, name: plugin.name)
        isReadOnly = plugin.isReadOnly
    }

    /// A connection that nbdkit keeps until it gives it to ``end(_:)``.
    static func begin(_ plugin: PluginDisk) -> UnsafeMutableRawPointer {
        unsafe Unmanaged.passRetained(PluginConnection(plugin)).toOpaque()
    }

    static func end(_ handle: UnsafeMutableRawPointer) {
        unsafe Unmanaged<PluginConnection>.fromOpaque(handle).release()
    }

    static func at(_ handle: UnsafeMutableRawPointer) -> PluginConnection {
        unsafe Unmanaged<PluginConnection>.fromOpaque(handle).takeUnretainedValue()
    }

    /// Runs an operation on the disk.
    ///
    /// - Returns: 0, or the negative error number, of which nbdkit has been told the reason.
    func answer(_ operation: () throws(DiskError) -> Void) -> Int32 {
        do throws(DiskError) {
            try operation()
            return 0
        } catch {
            Plugin.report(error.description)
            return -error.errno.rawValue
        }
    }

    /// The same for a range, which nbdkit has found to lie on the disk.
    func answer(
        _ operation: StaticString,
        _ offset: UInt64,
        _ count: UInt32,
        _ body: (Range<UInt64>) throws(DiskError) -> Void
    ) -> Int32 {
        answer { () throws(DiskError) in
            guard (offset | UInt64(count)) % Self.sectorBytes == 0 else {
                throw DiskError(
                    .invalid,
                    "\(operation)",
                    "\(count) bytes at \(offset) are no multiple of \(Self.sectorBytes) bytes"
                )
            }
            try body(offset..<offset + UInt64(count))
        }
    }
}

// MARK: - Exports and connections

@c @implementation
func footing_plugin_export() -> UnsafePointer<CChar> { unsafe Plugin.texts.name }

@c @implementation
func footing_plugin_description() -> UnsafePointer<CChar> { unsafe Plugin.texts.summary }

@c @implementation
func footing_plugin_connect(_ name: UnsafePointer<CChar>) -> UnsafeMutableRawPointer? {
    guard let disk = Plugin.disk else {
        Plugin.report("the disk is not open")
        return nil
    }
    let wanted = unsafe String(cString: name)
    guard wanted.isEmpty || wanted == disk.name else {
        Plugin.report("a client asked for an export that is not there")
        return nil
    }
    return unsafe PluginConnection.begin(disk)
}

@c @implementation
func footing_plugin_disconnect(_ handle: UnsafeMutableRawPointer) {
    unsafe PluginConnection.end(handle)
}

@c @implementation
func footing_plugin_size(_ handle: UnsafeMutableRawPointer) -> Int64 {
    Int64(unsafe PluginConnection.at(handle).disk.sizeBytes)
}

@c @implementation
func footing_plugin_is_read_only(_ handle: UnsafeMutableRawPointer) -> Bool {
    unsafe PluginConnection.at(handle).isReadOnly
}
