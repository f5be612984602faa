internal import CNBDKit
internal import FootingCommands
internal import FootingDisk
internal import FootingNBD
internal import FootingSystem

/// A client's connection: what its requests need.
final class PluginConnection: Sendable {
    /// What clients' offsets and lengths must be multiples of.
    static let sectorBytes: UInt64 = 512

    /// More than a snapshot's name and its disk's file have; a client may send 4 KiB.
    private static let nameBytesMax = 1024

    /// What the client asked for.
    enum Target {
        case disk(Disk)
        case snapshot(DiskSnapshot)
    }

    let target: Target
    /// The same as NBD clients see it.
    let export: any Export
    /// Whether the client may change nothing.
    let isReadOnly: Bool
    private let server: ForeignServer
    private let number: UInt64

    private init(_ plugin: PluginDisk, _ target: Target, _ name: String) {
        self.target = target
        export =
            switch target {
            case .disk(let disk): DiskExport(disk, name: name)
            case .snapshot(let snapshot): SnapshotExport(snapshot, name: name)
            }
        isReadOnly = plugin.isReadOnly || export.isReadOnly
        server = plugin.server
        number = plugin.server.connect()
    }

    deinit { server.disconnect() }

    /// A connection that nbdkit keeps until it gives it to ``end(_:)``.
    ///
    /// - Returns: nil if there is no such export.
    /// - Throws: why it cannot be opened.
    static func begin(
        _ plugin: PluginDisk,
        _ name: String
    ) throws(DiskError) -> UnsafeMutableRawPointer? {
        let target: Target
        if name.isEmpty || name == plugin.name {
            target = .disk(plugin.disk)
        } else if name.utf8.count <= nameBytesMax,
            let snapshot = try plugin.snapshots?.openSnapshot(name)
        {
            target = .snapshot(snapshot)
        } else {
            return nil
        }
        return unsafe Unmanaged.passRetained(PluginConnection(plugin, target, name)).toOpaque()
    }

    /// Ends a connection.
    ///
    /// nbdkit does not tell of those that end after it was told to: nothing waits for these.
    static func end(_ handle: UnsafeMutableRawPointer) {
        unsafe Unmanaged<PluginConnection>.fromOpaque(handle).release()
    }

    static func at(_ handle: UnsafeMutableRawPointer) -> PluginConnection {
        unsafe Unmanaged<PluginConnection>.fromOpaque(handle).takeUnretainedValue()
    }

    /// The disk, for who changes it.
    ///
    /// - Throws: if it is a snapshot's connection; nbdkit does not ask that.
    func changing(_ operation: String) throws(DiskError) -> Disk {
        if case .disk(let disk) = target { return disk }
        throw DiskError(.invalid, operation, "a snapshot is never changed")
    }

    /// Runs a request, and measures it.
    ///
    /// - Returns: 0, or the negative error number, of which nbdkit has been told the reason.
    func answer(
        _ kind: RequestKind,
        bytes: UInt64 = 0,
        _ operation: () throws(DiskError) -> Void
    ) -> Int32 {
        server.measure(kind, bytes: bytes, connection: number) {
            do throws(DiskError) {
                try operation()
                return 0
            } catch {
                Plugin.report(error.description)
                return -error.errno.rawValue
            }
        }
    }

    /// Refuses a request without a word, and counts it: the client asked whether it is possible.
    func refuse(_ kind: RequestKind, _ error: Errno) -> Int32 {
        server.measure(kind, bytes: 0, connection: number) { -error.rawValue }
    }

    /// The same for a range, which nbdkit has found to lie on the disk.
    func answer(
        _ kind: RequestKind,
        _ offset: UInt64,
        _ count: UInt32,
        _ body: (Range<UInt64>) throws(DiskError) -> Void
    ) -> Int32 {
        answer(kind, bytes: UInt64(count)) { () throws(DiskError) in
            guard (offset | UInt64(count)) % Self.sectorBytes == 0 else {
                throw DiskError(
                    .invalid,
                    kind.rawValue,
                    "\(count) bytes at \(offset) are no multiple of \(Self.sectorBytes) bytes"
                )
            }
            try body(offset..<offset + UInt64(count))
        }
    }

    /// The same for a change, which is durable at the end if that is wanted.
    func change(
        _ kind: RequestKind,
        _ offset: UInt64,
        _ count: UInt32,
        isDurable: Bool,
        _ body: (Disk, Range<UInt64>) throws(DiskError) -> Void
    ) -> Int32 {
        answer(kind, offset, count) { range throws(DiskError) in
            let disk = try changing(kind.rawValue)
            try body(disk, range)
            if isDurable { try disk.flush() }
        }
    }
}

// MARK: - Exports and connections

@c @implementation
func footing_plugin_export() -> UnsafePointer<CChar> { unsafe Plugin.defaultExport }

@c @implementation
func footing_plugin_exports(_ exports: OpaquePointer) -> Int32 {
    guard let disk = Plugin.disk else { return -Errno.invalidArgument.rawValue }
    let own = DiskExport(disk.disk, name: disk.name)
    let first = ExportListing(name: own.name, summary: own.summary)
    for export in [first] + (disk.snapshots?.list() ?? []) {
        let result = unsafe footing_nbdkit_add_export(exports, export.name, export.summary)
        if result < 0 { return result }
    }
    return 0
}

@c @implementation
func footing_plugin_description(_ handle: UnsafeMutableRawPointer) -> UnsafePointer<CChar>? {
    unsafe footing_nbdkit_keep(PluginConnection.at(handle).export.summary)
}

@c @implementation
func footing_plugin_connect(_ name: UnsafePointer<CChar>) -> UnsafeMutableRawPointer? {
    guard let disk = Plugin.disk else {
        Plugin.report("the disk is not open")
        return nil
    }
    do throws(DiskError) {
        if let connection = try unsafe PluginConnection.begin(disk, String(cString: name)) {
            return unsafe connection
        }
        Plugin.report(disk.missing(unsafe String(cString: name)))
    } catch {
        Plugin.report(error.description)
    }
    return nil
}

@c @implementation
func footing_plugin_disconnect(_ handle: UnsafeMutableRawPointer) {
    unsafe PluginConnection.end(handle)
}

@c @implementation
func footing_plugin_size(_ handle: UnsafeMutableRawPointer) -> Int64 {
    Int64(unsafe PluginConnection.at(handle).export.sizeBytes)
}

@c @implementation
func footing_plugin_is_read_only(_ handle: UnsafeMutableRawPointer) -> Bool {
    unsafe PluginConnection.at(handle).isReadOnly
}
