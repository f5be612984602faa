internal import FootingDisk
internal import FootingLifecycle
internal import FootingMemory
internal import FootingNBD
internal import FootingSystem

/// A disk that is being served, with what watches its memory and what answers for it.
final class RunningDisk: Sendable {
    let disk: Disk
    let server: Server
    /// The container as the user named it.
    let path: String
    let uri: String
    /// Gives memory back under pressure; nil where the budget is fixed.
    let coordinator: BalloonCoordinator?
    private let startNanoseconds: UInt64
    private let clock = SystemClock()
    private let control = Locked<ControlServer?>(nil)

    init(
        disk: Disk,
        server: Server,
        path: String,
        uri: String,
        coordinator: BalloonCoordinator?
    ) {
        self.disk = disk
        self.server = server
        self.path = path
        self.uri = uri
        self.coordinator = coordinator
        startNanoseconds = clock.nanoseconds
    }

    /// Answers `footing status` from now on.
    ///
    /// - Throws: a reason for people; the disk is served all the same.
    func listen(in folder: ControlFolder) throws(ControlError) {
        let server = try folder.server(forContainer: path) { [weak self] command in
            command == "status" ? self?.status : nil
        }
        try server.start()
        control.withLock { $0 = server }
    }

    /// Stops to answer and to watch.
    func stop() {
        control.withLock { $0.take() }?.stop()
        coordinator?.stop()
    }

    /// All there is to know of it, as docs/status.md describes it.
    var status: JSONValue {
        let served = server.statistics
        return [
            "schema": "footing.status/1",
            "version": .string(Release.version),
            "path": .string(path),
            "uri": .string(uri),
            "processId": .integer(Int64(ProcessIdentity.number)),
            "uptimeSeconds": JSONValue((clock.nanoseconds &- startNanoseconds) / 1_000_000_000),
            "sizeBytes": JSONValue(disk.sizeBytes),
            "uuid": .string(disk.information.identifier.description),
            "clients": [
                "active": JSONValue(served.activeConnections),
                "total": JSONValue(served.connections),
                "refused": JSONValue(served.refusedConnections),
                "broken": JSONValue(served.brokenConnections),
                "requests": JSONValue(served.requests),
                "refusedRequests": JSONValue(served.refusedRequests),
                "readBytes": JSONValue(served.readBytes),
                "writtenBytes": JSONValue(served.writtenBytes),
            ],
            "disk": engine,
            "io": disk.inputOutput.json,
            "memory": disk.memory.json,
            "pressure": coordinator?.status.json ?? .null,
        ]
    }

    private var engine: JSONValue {
        let engine = disk.statistics
        return [
            "blocksRead": JSONValue(engine.blocksRead),
            "blocksWritten": JSONValue(engine.blocksWritten),
            "blocksMoved": JSONValue(engine.blocksMoved),
            "commits": JSONValue(engine.commits),
            "logBytes": JSONValue(engine.logBytes),
            "synchronizations": JSONValue(engine.synchronizations),
            "checkpoints": JSONValue(engine.checkpoints),
            "mapPagesWritten": JSONValue(engine.mapPagesWritten),
            "segmentsCollected": JSONValue(engine.segmentsCollected),
            "throttledWrites": JSONValue(engine.throttledWrites),
            "refusedCommits": JSONValue(engine.refusedCommits),
            "readsAhead": JSONValue(engine.readsAhead),
            "blockCache": engine.blockCache.json,
            "mapCache": engine.mapCache.json,
        ]
    }
}

extension CacheStatistics {
    var json: JSONValue {
        [
            "hits": JSONValue(hits),
            "misses": JSONValue(misses),
            "insertions": JSONValue(insertions),
            "evictions": JSONValue(evictions),
        ]
    }
}

extension DiskMemory {
    var json: JSONValue {
        func part(_ part: Part) -> JSONValue {
            [
                "limitBytes": JSONValue(UInt64(part.limitBytes)),
                "usedBytes": JSONValue(UInt64(part.usedBytes)),
            ]
        }
        return [
            "budgetBytes": JSONValue(UInt64(budgetBytes)),
            "usedBytes": JSONValue(UInt64(usedBytes)),
            "floorBytes": JSONValue(UInt64(floorBytes)),
            "blockCache": part(blockCache),
            "mapCache": part(mapCache),
            "commits": part(commits),
            "changes": part(changes),
            "tables": part(tables),
            "work": part(work),
        ]
    }
}
