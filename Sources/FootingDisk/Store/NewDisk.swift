import FootingSystem

/// A disk that gets its name when it is filled.
public enum NewDisk {
    /// Creates a disk in a new file, has it filled, closes it, and gives it its name.
    ///
    /// - Parameters:
    ///   - path: a file that is not there yet.
    ///   - options: what the disk is to be.
    ///   - fill: what it is filled by.
    /// - Throws: kind `invalid` if there is a file of that name, also one that was made meanwhile;
    ///   what `fill` throws. Nothing of this one is there then.
    public static func make<Result>(
        path: String,
        _ options: DiskOptions,
        fill: (Disk) throws(DiskError) -> Result
    ) throws(DiskError) -> Result {
        try make(path: path, try options.geometry(), options, fill: fill)
    }

    /// The same with a layout that does not follow from the options.
    static func make<Result>(
        path: String,
        _ geometry: Geometry,
        _ wishes: DiskOptions,
        fill: (Disk) throws(DiskError) -> Result
    ) throws(DiskError) -> Result {
        var file = try partialFile(path)
        try Disk.create(path: file.partialPath, geometry, wishes)
        var options = EngineOptions()
        options.key = wishes.encryption?.key
        let disk = try Disk(path: file.partialPath, options: options)
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

    /// Makes sure that the name is free.
    static func partialFile(_ path: String) throws(DiskError) -> PartialFile {
        do throws(Errno) { return try PartialFile(path: path) } catch {
            throw nameError(error).at(path)
        }
    }

    static func nameError(_ cause: Errno) -> DiskError {
        switch cause {
        case .fileExists:
            DiskError(.invalid, "create", "there is a file already; nothing was changed")
        default: DiskError("create", cause: cause)
        }
    }
}
