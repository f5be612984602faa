internal import FootingDeployment
internal import FootingDisk
internal import FootingHost
internal import FootingMemory
internal import FootingSystem
internal import FootingTuning

/// What `footing serve` says when it is ready: where it is, what it decided, what it recovered.
struct ServeReport {
    let disk: Disk
    let detection: Detection
    let placement: DiskPlacement
    /// Nil where another program's server has its own.
    let limits: ServeLimits?
    let uri: String

    func print(_ console: Console, isJSON: Bool) {
        if isJSON { console.print(json) } else { console.write(text) }
    }

    private var json: JSONValue {
        let recovery = disk.recovery
        return [
            "schema": "footing.serve/1",
            "uri": .string(uri),
            "sizeBytes": JSONValue(disk.sizeBytes),
            "uuid": .string(disk.information.identifier.description),
            "encryption": .string(disk.information.encryptionText),
            "environment": .string(detection.context.kind.rawValue),
            "placement": placement.json,
            "profile": JSONValue(
                Dictionary(
                    detection.profile.values.map { ($0.name, JSONValue($0.number)) }
                ) { first, _ in first }
            ),
            "memory": memory,
            "limits": limits.map { ServeLimits.json($0, $0.profile) } ?? .null,
            "io": disk.inputOutput.json,
            "recovery": [
                "wasClean": .bool(recovery.wasClean),
                "commits": JSONValue(UInt64(recovery.commitCount)),
                "blocks": JSONValue(UInt64(recovery.blockCount)),
                "bytes": JSONValue(recovery.byteCount),
                "discardedCommits": JSONValue(UInt64(recovery.discardedCount)),
                "healedSuperblock": .bool(recovery.healedSuperblock),
                "nanoseconds": JSONValue(recovery.nanoseconds),
            ],
        ]
    }

    /// The budget, and each part's share of it.
    private var memory: JSONValue {
        let memory = disk.memory
        return [
            "budgetBytes": JSONValue(UInt64(memory.budgetBytes)),
            "floorBytes": JSONValue(UInt64(memory.floorBytes)),
            "blockCacheBytes": JSONValue(UInt64(memory.blockCache.limitBytes)),
            "mapCacheBytes": JSONValue(UInt64(memory.mapCache.limitBytes)),
            "commitBytes": JSONValue(UInt64(memory.commits.limitBytes)),
            "changeBytes": JSONValue(UInt64(memory.changes.limitBytes)),
            "tableBytes": JSONValue(UInt64(memory.tables.limitBytes)),
            "workBytes": JSONValue(UInt64(memory.work.limitBytes)),
        ]
    }

    private var memoryText: String {
        let memory = disk.memory
        let budget = ByteSize.text(UInt64(memory.budgetBytes))
        let cache = ByteSize.text(UInt64(memory.blockCache.limitBytes))
        let map = ByteSize.text(UInt64(memory.mapCache.limitBytes))
        let floor = ByteSize.text(UInt64(memory.floorBytes))
        return "\(budget): \(cache) for blocks, \(map) for the map; the least is \(floor)"
    }

    private func limitsText(_ limits: ServeLimits) -> String {
        var text = "\(limits.connections) clients"
        if let rate = limits.bandwidthBytesPerSecond {
            text += ", \(ByteSize.text(rate)) a second"
        }
        if let ceiling = MemoryCeiling(limits, detection) {
            let keeper = ceiling.keeper(detection.report.memory.limitBytes.value)
            text += ", \(ByteSize.text(ceiling.askedBytes)) of memory (\(keeper))"
        }
        if let profile = limits.profile { text += ", \(profile.text(of: "features"))" }
        return text
    }

    private var text: String {
        var text = "place     \(detection.context.kind.rawValue)"
        if let reason = detection.context.evidence.last { text += ": \(harmless(reason.says))" }
        text += "\nprofile   \(detection.profile.name)\n"
        for value in detection.profile.values {
            text += "          \(value.name) \(value.number): \(harmless(value.reason))\n"
        }
        text += "memory    \(memoryText)\n"
        if let limits { text += "limits    \(limitsText(limits))\n" }
        text += "node      \(harmless(placement.text))\n"
        text += "io        \(harmless(disk.inputOutput.text))\n"
        text += "recovery  \(recoveryText)\n"
        text += "disk      \(ByteSize.text(disk.sizeBytes)), \(disk.information.identifier)"
        let information = disk.information
        let isEncrypted = information.isEncrypted
        text += isEncrypted ? ", encrypted: \(information.encryptionText)" : ", not encrypted"
        text += "\n"
        return text + "ready     \(harmless(uri))\n"
    }

    /// A value for its line: a path may hold whatever its owner likes.
    private func harmless(_ value: String) -> String {
        TerminalText.harmless(value, keepsLineFeeds: false)
    }

    private var recoveryText: String {
        let recovery = disk.recovery
        let time = DurationText.text(.nanoseconds(Int64(recovery.nanoseconds)))
        if recovery.wasClean { return "none needed: closed cleanly (looked for \(time))" }
        var text =
            "replayed \(recovery.commitCount) commits with \(recovery.blockCount) blocks "
            + "(\(ByteSize.text(recovery.byteCount))) in \(time)"
        if recovery.discardedCount > 0 {
            text += "; left out \(recovery.discardedCount) commits of a write that was not complete"
        }
        if recovery.healedSuperblock { text += "; replaced a damaged superblock copy" }
        return text
    }
}

extension InputOutput {
    var text: String { reason.map { "\(mode.rawValue): \($0)" } ?? mode.rawValue }

    var json: JSONValue {
        ["mode": .string(mode.rawValue), "reason": reason.map { .string($0) } ?? .null]
    }
}
