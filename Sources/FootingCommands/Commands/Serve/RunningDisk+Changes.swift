internal import FootingDisk
internal import FootingLifecycle
internal import FootingNBD
internal import FootingSystem
internal import FootingTuning

// What `footing disk` asks of a disk that is served.
extension RunningDisk {
    /// - Returns: nil if it is not about that.
    /// - Throws: why not, for people.
    func diskAnswer(to request: ControlRequest) throws(ControlError) -> JSONValue? {
        if ["snapshot-create", "snapshot-rollback"].contains(request.command) {
            try require(.snapshots)
        }
        if ["resize", "snapshot-rollback"].contains(request.command) { try requireUnfixed() }
        do throws(DiskError) {
            switch request.command {
            case "snapshot-list": return SnapshotCommand.json(disk.snapshots())
            case "snapshot-create": return try disk.createdSnapshot(request.name)
            case "snapshot-delete":
                try disk.deleteSnapshot(request.name)
                return SnapshotCommand.done("deleted", request.name)
            case "snapshot-settle":
                // Open, it has its tree.
                _ = try disk.openSnapshot(request.name)
                return SnapshotCommand.done("settled", request.name)
            case "snapshot-rollback": return try rollBack(to: request.name)
            case "resize": return try resize(toBytes: request.arguments["sizeBytes"].unsigned)
            case "compact-start":
                try disk.startCompaction()
                return disk.compaction.json
            case "compact-stop":
                disk.stopCompaction()
                return disk.compaction.json
            case "compact-status": return disk.compaction.json
            case "scrub-start":
                let rate = request.arguments["bytesPerSecond"].unsigned
                try disk.startScrub(bytesPerSecond: rate)
                return disk.scrubJSON
            case "scrub-stop":
                disk.stopScrub()
                return disk.scrubJSON
            case "scrub-status": return disk.scrubJSON
            default: return nil
            }
        } catch {
            throw ControlError.refusal(error.description)
        }
    }

    /// Refuses what the profile does not allow.
    func require(_ feature: TuningProfile.Feature) throws(ControlError) {
        if let profile, !profile.allows(feature) {
            throw ControlError.refusal(profile.refusal(of: feature))
        }
    }

    /// Refuses what somebody before the disk would not notice.
    private func requireUnfixed() throws(ControlError) {
        if let fixedBy {
            throw ControlError.refusal(
                "\(fixedBy) may hold blocks or the size of the disk as it was; "
                    + "do it without that filter"
            )
        }
    }

    private func resize(toBytes size: UInt64) throws(DiskError) -> JSONValue {
        let before = disk.sizeBytes
        if size >= before {
            try disk.resize(toBytes: size)
            return ResizeCommand.json(before, size)
        }
        let isDone = try server.withoutClients { () throws(DiskError) in
            try disk.resize(toBytes: size)
            return true
        }
        if isDone == true { return ResizeCommand.json(before, size) }
        throw DiskError(
            .busy,
            "resize",
            "clients are connected, and would write beyond the new end; disconnect them first"
        )
    }

    private func rollBack(to name: String) throws(DiskError) -> JSONValue {
        let isDone = try server.withoutClients { () throws(DiskError) in
            try disk.rollBack(to: name)
            return true
        }
        guard isDone == true else {
            throw DiskError(
                .busy,
                "roll back",
                "clients are connected, and the disk would change under them; disconnect them first"
            )
        }
        return SnapshotCommand.done("rolledBack", name)
    }
}

extension ControlRequest {
    /// The snapshot that it is about; without one there is none of that name.
    fileprivate var name: String { arguments["name"].string }
}
