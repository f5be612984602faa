internal import FootingAcceleration
internal import FootingDisk
internal import FootingLifecycle
internal import FootingMemory
internal import FootingNBD
internal import FootingSystem
internal import FootingTuning

/// A disk that is being served, with what watches its memory and what answers for it.
final class RunningDisk: Sendable {
    let disk: Disk
    let server: any DiskServer
    /// The container as the user named it.
    let path: String
    /// Where clients connect; nil where another program knows that.
    let uri: String?
    /// Why the disk's keys are not locked in memory; nil if they are, or there are none.
    let keyLockFailure: Errno?
    /// What it was opened by; nil: by the place's own.
    let profile: TuningProfile?
    /// What its clients are kept to; nil where another program serves them.
    let limits: ServeLimits?
    /// Gives memory back under pressure; nil where the budget is fixed.
    let coordinator: BalloonCoordinator?
    /// Who before the disk would not notice that it changes but by clients; nil if nobody is.
    let fixedBy: String?
    private let startNanoseconds: UInt64
    private let clock = SystemClock()
    private let control = Locked<ControlServer?>(nil)
    private let recent: Locked<RecentRequests>

    init(
        disk: Disk,
        server: any DiskServer,
        path: String,
        uri: String?,
        keyLockFailure: Errno? = nil,
        profile: TuningProfile?,
        limits: ServeLimits?,
        coordinator: BalloonCoordinator?,
        fixedBy: String? = nil
    ) {
        self.disk = disk
        self.server = server
        self.path = path
        self.uri = uri
        self.keyLockFailure = keyLockFailure
        self.profile = profile
        self.limits = limits
        self.coordinator = coordinator
        self.fixedBy = fixedBy
        startNanoseconds = clock.nanoseconds
        recent = Locked(RecentRequests(at: startNanoseconds))
    }

    /// Answers those who ask from now on, and goes on with what was begun before.
    ///
    /// - Returns: what cannot be, for people; the disk is served all the same.
    func start() -> [String] {
        var failures: [String] = []
        do throws(ControlError) { try listen(in: .user()) } catch {
            failures.append("'footing status' will not find this disk: \(error)")
        }
        if disk.hasScrubToFinish, !disk.isScrubStopped {
            let rate = disk.scrub.bytesPerSecond
            let some = rate == 0 ? ScrubCommand.defaultBytesPerSecond : rate
            do throws(DiskError) { try disk.startScrub(bytesPerSecond: some) } catch {
                failures.append("scrubbing does not go on: \(error)")
            }
        }
        return failures
    }

    /// Answers `footing status` and `footing disk snapshot` from now on.
    ///
    /// - Throws: a reason for people.
    private func listen(in folder: ControlFolder) throws(ControlError) {
        let server = try folder.server(forContainer: path) {
            [weak self] (request) throws(ControlError) -> JSONValue? in
            guard let self else { return nil }
            switch request.command {
            case "status": return status
            case "compression": return try compressionAnswer(to: request)
            default: return try diskAnswer(to: request)
            }
        }
        try server.start(duties)
        control.withLock { $0 = server }
    }

    /// Looks at the requests now and then, and gives the metrics to who asks by HTTP.
    private var duties: ControlServer.Duties {
        var duties = ControlServer.Duties()
        duties.tickMilliseconds = RecentRequests.periodMilliseconds
        duties.onTick = { [weak self] in
            guard let self else { return }
            let statistics = server.requestStatistics
            let now = clock.nanoseconds
            recent.withLock { $0.note(statistics, at: now) }
        }
        duties.page = { [weak self] path in
            guard let self, path == "/metrics" else { return nil }
            return ControlPage(
                contentType: OpenMetrics.contentType,
                text: OpenMetrics([status]).text
            )
        }
        return duties
    }

    /// Stops to answer and to watch.
    func stop() {
        control.withLock { $0.take() }?.stop()
        coordinator?.stop()
    }

    /// Changes how writes are compressed, to the policy of the argument's name.
    private func compressionAnswer(
        to request: ControlRequest
    ) throws(ControlError) -> JSONValue {
        guard let policy = CompressionPolicy(rawValue: request.arguments["policy"].text) else {
            throw ControlError.refusal("no such compression")
        }
        if policy != .none { try require(.compression) }
        do throws(DiskError) {
            try disk.setCompression(policy)
            return ["compression": .string(policy.rawValue)]
        } catch {
            throw ControlError.refusal(error.description)
        }
    }

    /// All there is to know of it, as docs/status.md describes it.
    var status: JSONValue {
        [
            "schema": "footing.status/1",
            "version": .string(Release.version),
            "path": .string(path),
            "uri": uri.map { .string($0) } ?? .null,
            "processId": .integer(Int64(ProcessIdentity.number)),
            "uptimeSeconds": JSONValue((clock.nanoseconds &- startNanoseconds) / 1_000_000_000),
            "sizeBytes": JSONValue(disk.sizeBytes),
            "uuid": .string(disk.information.identifier.description),
            "clients": clients,
            "limits": ServeLimits.json(limits, profile),
            "requests": requests,
            "disk": engine,
            "acceleration": disk.acceleration.json,
            "io": disk.inputOutput.json,
            "container": container,
            "snapshots": snapshots,
            "compaction": disk.compaction.json,
            "scrub": disk.scrubJSON,
            "memory": disk.memory.json,
            "pressure": coordinator?.status.json ?? .null,
        ]
    }

    private var clients: JSONValue {
        let served = server.statistics
        // What another program refuses or holds up it does not tell.
        func own(_ count: UInt64) -> JSONValue { limits == nil ? .null : JSONValue(count) }
        return [
            "active": JSONValue(served.activeConnections),
            "total": JSONValue(served.connections),
            "refused": own(served.refusedConnections),
            "broken": own(served.brokenConnections),
            "requests": JSONValue(served.requests),
            "refusedRequests": own(served.refusedRequests),
            "readBytes": JSONValue(served.readBytes),
            "writtenBytes": JSONValue(served.writtenBytes),
            "heldRequests": own(served.heldRequests),
            "heldNanoseconds": own(served.heldNanoseconds),
        ]
    }

    private var requests: JSONValue {
        let statistics = server.requestStatistics
        let now = clock.nanoseconds
        return recent.withLock { $0.json(statistics, at: now) }
    }

    /// Nil for a block device, and for a file that has another name by now.
    private var allocatedBytes: UInt64? {
        let status = try? FileStatus(
            directory: Socket.workingDirectory,
            path: path,
            followsLink: true
        )
        return status?.kind == .regular ? status?.allocatedBytes : nil
    }

    /// What is in the container, and what was written to it.
    private var container: JSONValue {
        let space = disk.space
        let statistics = disk.statistics
        return [
            "allocatedBytes": allocatedBytes.map { JSONValue($0) } ?? .null,
            "liveBytes": JSONValue(space.liveBytes),
            "deadBytes": JSONValue(space.deadBytes),
            "pinnedBytes": JSONValue(space.pinnedBytes),
            "segmentBytes": JSONValue(space.segmentBytes),
            "segments": [
                "used": JSONValue(space.usedSegmentCount),
                "free": JSONValue(space.freeSegmentCount),
                "unallocated": JSONValue(space.unallocatedSegmentCount),
                "evacuated": JSONValue(space.evacuatedSegmentCount),
                "quarantined": JSONValue(space.quarantinedSegmentCount),
                "wanted": JSONValue(space.wantedSegmentCount),
            ],
            "written": [
                "logBytes": JSONValue(statistics.written.logBytes),
                "mapBytes": JSONValue(statistics.written.mapBytes),
                "tableBytes": JSONValue(statistics.written.tableBytes),
                "superblockBytes": JSONValue(statistics.written.superblockBytes),
                "preparedBytes": JSONValue(statistics.written.preparedBytes),
            ],
            "writeAmplification": statistics.writeAmplification.map { .number($0) } ?? .null,
        ]
    }

    private var snapshots: JSONValue { .array(disk.snapshots().map { $0.json }) }

    private var engine: JSONValue {
        let engine = disk.statistics
        return [
            "blocksRead": JSONValue(engine.blocksRead),
            "blocksWritten": JSONValue(engine.blocksWritten),
            "blocksMoved": JSONValue(engine.blocksMoved),
            "compression": .string(disk.compression.rawValue),
            "encryption": .string(disk.information.encryptionText),
            "keyLockFailure": keyLockFailure.map { .string($0.description) } ?? .null,
            "compressedBlocks": JSONValue(engine.compressedBlocks),
            "recompressedBlocks": JSONValue(engine.recompressedBlocks),
            "storedBytes": JSONValue(engine.storedBytes),
            "commits": JSONValue(engine.commits),
            "logBytes": JSONValue(engine.logBytes),
            "synchronizations": JSONValue(engine.synchronizations),
            "checkpoints": JSONValue(engine.checkpoints),
            "mapPagesWritten": JSONValue(engine.mapPagesWritten),
            "rearrangedBlocks": JSONValue(engine.rearrangedBlocks),
            "returnedAtRestBytes": JSONValue(engine.returnedAtRestBytes),
            "segmentsCollected": JSONValue(engine.segmentsCollected),
            "throttledWrites": JSONValue(engine.throttledWrites),
            "throttledNanoseconds": JSONValue(engine.throttledNanoseconds),
            "flushGroups": engine.flushGroups.json,
            "refusedCommits": JSONValue(engine.refusedCommits),
            "readsAhead": JSONValue(engine.readsAhead),
            "blockCache": engine.blockCache.json,
            "mapCache": engine.mapCache.json,
        ]
    }
}

extension AcceleratorStatistics {
    /// By operation; speeds are those of one thread, where some calls were timed.
    var json: JSONValue {
        var members: [String: JSONValue] = [:]
        for operation in AccelerationOperation.allCases {
            let done = self[operation]
            members[operation.name] = [
                "count": JSONValue(done.count),
                "inputBytes": JSONValue(done.inputBytes),
                "outputBytes": JSONValue(done.outputBytes),
                "failures": JSONValue(done.failureCount),
                "standIns": JSONValue(done.fallbackCount),
                "bytesPerSecond": done.bytesPerSecond.map { JSONValue($0) } ?? .null,
            ]
        }
        return JSONValue(members)
    }
}

extension CacheStatistics {
    var json: JSONValue {
        [
            "hits": JSONValue(hits),
            "misses": JSONValue(misses),
            "insertions": JSONValue(insertions),
            "evictions": JSONValue(evictions),
            "updates": JSONValue(updates),
            "bypasses": JSONValue(bypasses),
            "aheadInsertions": JSONValue(aheadInsertions),
            "aheadHits": JSONValue(aheadHits),
        ]
    }
}

extension FlushGroups {
    /// Pairs of the largest size and how many groups there were; the last has all larger ones.
    var json: JSONValue {
        let last = counts.count - 1
        return [
            "flushes": JSONValue(flushCount),
            "buckets": .array(
                counts.enumerated().map { index, count in
                    let limit = index < last ? FlushGroups.limit(index) : .max
                    return [JSONValue(limit), JSONValue(count)]
                }
            ),
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
