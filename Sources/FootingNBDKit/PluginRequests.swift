internal import CNBDKit
internal import FootingDisk
internal import FootingNBD
internal import FootingSystem

// Called by many of nbdkit's threads at once; each waits for its own request.

@c @implementation
func footing_plugin_read(
    _ handle: UnsafeMutableRawPointer,
    _ buffer: UnsafeMutableRawPointer,
    _ count: UInt32,
    _ offset: UInt64
) -> Int32 {
    let connection = unsafe PluginConnection.at(handle)
    return connection.answer(.read, offset, count) { range throws(DiskError) in
        let bytes = unsafe UnsafeMutableRawBufferPointer(start: buffer, count: range.count)
        switch connection.target {
        case .disk(let disk): try unsafe disk.read(at: offset, into: bytes)
        case .snapshot(let snapshot): try unsafe snapshot.read(at: offset, into: bytes)
        }
    }
}

@c @implementation
func footing_plugin_write(
    _ handle: UnsafeMutableRawPointer,
    _ buffer: UnsafeRawPointer,
    _ count: UInt32,
    _ offset: UInt64,
    _ isDurable: Bool
) -> Int32 {
    let connection = unsafe PluginConnection.at(handle)
    return connection.change(.write, offset, count, isDurable: isDurable) {
        disk,
        range throws(DiskError) in
        try unsafe disk.write(
            at: offset,
            UnsafeRawBufferPointer(start: buffer, count: range.count)
        )
    }
}

@c @implementation
func footing_plugin_zero(
    _ handle: UnsafeMutableRawPointer,
    _ count: UInt32,
    _ offset: UInt64,
    _ keepsSpace: Bool,
    _ mustBeFast: Bool,
    _ isDurable: Bool
) -> Int32 {
    let connection = unsafe PluginConnection.at(handle)
    if mustBeFast && !connection.export.zeroingIsFast(keepsSpace: keepsSpace) {
        return connection.refuse(.writeZeroes, .notSupported)
    }
    return connection.change(.writeZeroes, offset, count, isDurable: isDurable) {
        disk,
        range throws(DiskError) in
        try disk.writeZeroes(range, keepsSpace: keepsSpace)
    }
}

@c @implementation
func footing_plugin_trim(
    _ handle: UnsafeMutableRawPointer,
    _ count: UInt32,
    _ offset: UInt64,
    _ isDurable: Bool
) -> Int32 {
    let connection = unsafe PluginConnection.at(handle)
    return connection.change(.trim, offset, count, isDurable: isDurable) {
        disk,
        range throws(DiskError) in
        try disk.trim(range)
    }
}

@c @implementation
func footing_plugin_cache(
    _ handle: UnsafeMutableRawPointer,
    _ count: UInt32,
    _ offset: UInt64
) -> Int32 {
    let connection = unsafe PluginConnection.at(handle)
    return connection.answer(.cache, offset, count) { range throws(DiskError) in
        do throws(Errno) { try connection.export.cache(range) } catch {
            throw DiskError(.inputOutput, "cache", "", cause: error)
        }
    }
}

@c @implementation
func footing_plugin_flush(_ handle: UnsafeMutableRawPointer) -> Int32 {
    let connection = unsafe PluginConnection.at(handle)
    return connection.answer(.flush) { () throws(DiskError) in
        // All of a snapshot is durable.
        if case .disk(let disk) = connection.target { try disk.flush() }
    }
}

/// Runs told of in one answer; nbdkit asks again for what is behind them.
private let extentsMax = 1024

@c @implementation
func footing_plugin_extents(
    _ handle: UnsafeMutableRawPointer,
    _ count: UInt32,
    _ offset: UInt64,
    _ oneIsEnough: Bool,
    _ extents: OpaquePointer
) -> Int32 {
    let connection = unsafe PluginConnection.at(handle)
    // A filter may ask at any byte; nbdkit leaves out what lies before it.
    let first = offset / PluginConnection.sectorBytes * PluginConnection.sectorBytes
    let end = offset + UInt64(count)
    let padding = (0 &- end) % PluginConnection.sectorBytes
    return connection.answer(.blockStatus, bytes: UInt64(count)) { () throws(DiskError) in
        let range = first..<min(end + padding, connection.export.sizeBytes)
        let limit = oneIsEnough ? 1 : extentsMax
        let runs =
            switch connection.target {
            case .disk(let disk): try disk.extents(range, limit: limit)
            case .snapshot(let snapshot): try snapshot.extents(range, limit: limit)
            }
        var place = first
        for run in runs {
            let result = unsafe footing_nbdkit_add_extent(
                extents,
                place,
                run.count,
                run.isAllocated
            )
            if result < 0 {
                throw DiskError(
                    .failed,
                    "extents",
                    "nbdkit refuses them",
                    cause: Errno(rawValue: -result)
                )
            }
            place += run.count
        }
    }
}
