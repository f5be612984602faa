internal import FootingDisk
internal import FootingLifecycle
internal import FootingNBD
internal import FootingSystem

// What `footing disk snapshot` asks of a disk that is served.
extension RunningDisk {
    /// - Returns: nil if it is not about snapshots.
    /// - Throws: why not, for people.
    func snapshotAnswer(to request: ControlRequest) throws(ControlError) -> JSONValue? {
        do throws(DiskError) {
            switch request.command {
            case "snapshot-list": return SnapshotCommand.json(try disk.snapshots())
            case "snapshot-create": return try disk.createdSnapshot(request.name)
            case "snapshot-delete":
                try disk.deleteSnapshot(request.name)
                return SnapshotCommand.done("deleted", request.name)
            case "snapshot-settle":
                // Open, it has its tree.
                _ = try disk.openSnapshot(request.name)
                return SnapshotCommand.done("settled", request.name)
            case "snapshot-rollback": return try rollBack(to: request.name)
            default: return nil
            }
        } catch {
            throw ControlError.refusal(error.description)
        }
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
