import FootingSystem

/// A disk that gets its name when it is filled.
enum NewDisk {
    /// Creates a container, has it filled, closes it, and gives it its name.
    ///
    /// - Throws: kind `invalid` if there is a file of that name, kind `busy` if another is just
    ///   being made under it; what `fill` throws. Nothing of the name is there then.
    static func make<Result>(
        path: String,
        _ geometry: Geometry,
        _ compression: CompressionPolicy,
        fill: (Disk) throws(DiskError) -> Result
    ) throws(DiskError) -> Result {
        var file: PartialFile
        do throws(Errno) { file = try PartialFile(path: path) } catch {
            throw nameError(error).at(path)
        }
        try Disk.create(path: file.partialPath, geometry, compression)
        let disk = try Disk(path: file.partialPath)
        let result: Result
        do throws(DiskError) {
            result = try fill(disk)
        } catch {
            try? disk.close()
            throw error
        }
        try disk.close()
        do throws(Errno) { try file.complete() } catch { throw nameError(error).at(path) }
        return result
    }

    static func nameError(_ cause: Errno) -> DiskError {
        switch cause {
        case .fileExists:
            DiskError(.invalid, "create", "there is a file already; nothing was changed")
        case .again:
            DiskError(.busy, "create", "another process is making it just now")
        default: DiskError("create", cause: cause)
        }
    }
}
