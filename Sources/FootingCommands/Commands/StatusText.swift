internal import FootingSystem

/// A running disk's status for people: a line for each thing, decisions last.
struct StatusText {
    let status: JSONValue

    init(_ status: JSONValue) {
        self.status = status
    }

    var text: String {
        var table = TextTable(alignments: [.left, .left])
        for (name, value) in [
            ("disk", "\(word("path")), \(bytes("sizeBytes"))"), ("uri", uri),
            ("running", running), ("clients", clients), ("limits", limits), ("memory", memory),
            ("cache", cache),
            ("log", log), ("io", io), ("compression", compression),
            ("encryption", encryption), ("snapshots", snapshots),
            ("scrub", ScrubCommand.summary(status["scrub"])),
        ] {
            table.add([name, value])
        }
        for (name, value) in requests + container { table.add([name, value]) }
        if status["pressure"] == .null {
            table.add(["pressure", "not watched: the budget is fixed"])
        } else {
            for (name, value) in pressure { table.add([name, value]) }
        }
        return table.text()
    }

    // MARK: - Lines

    private var uri: String {
        status["uri"] == .null ? "as the program that serves it has it" : word("uri")
    }

    private var encryption: String {
        let text = word("disk", "encryption")
        guard case .string(let failure) = status["disk"]["keyLockFailure"] else { return text }
        let reason = TerminalText.harmless(failure, keepsLineFeeds: false)
        return "\(text); its keys may be swapped out: \(reason)"
    }

    private var running: String {
        let seconds = Duration.seconds(min(number("uptimeSeconds"), 1 << 32))
        return "for \(DurationText.text(seconds)) as process \(number("processId"))"
    }

    private var clients: String {
        "\(number("clients", "active")) now, \(number("clients", "total")) in all; "
            + "\(number("clients", "requests")) requests, "
            + "\(bytes("clients", "readBytes")) read, "
            + "\(bytes("clients", "writtenBytes")) written"
            + (status["clients"]["refused"] == .null
                ? "" : ", \(number("clients", "refused")) refused")
    }

    private var limits: String {
        if status["limits"] == .null { return "none is known" }
        let isElsewhere = value(["limits", "connections"]) == .null
        var text =
            isElsewhere
            ? "those of the program that serves it"
            : "\(number("limits", "connections")) clients"
        if value(["limits", "bandwidthBytesPerSecond"]) != .null {
            text += ", \(bytes("limits", "bandwidthBytesPerSecond")) a second, for which "
            text += "\(number("clients", "heldRequests")) requests waited"
        }
        if value(["limits", "memoryCeilingBytes"]) != .null {
            text += ", \(bytes("limits", "memoryCeilingBytes")) of memory"
        }
        if value(["limits", "profile"]) != .null {
            text += ", by the profile \(word("limits", "profile"))"
        }
        return text
    }

    private var memory: String {
        "\(bytes("memory", "usedBytes")) used of a budget of \(bytes("memory", "budgetBytes")); "
            + "at least \(bytes("memory", "floorBytes")) is needed"
    }

    private var cache: String {
        let hits = number("disk", "blockCache", "hits")
        let misses = number("disk", "blockCache", "misses")
        let looks = Double(hits) + Double(misses)
        let percent = looks == 0 ? 0 : Int(Double(hits) * 100 / looks)
        let share = looks == 0 ? "no reads yet" : "\(percent) % of \(hits &+ misses) blocks found"
        return "\(share); \(bytes("memory", "blockCache", "usedBytes")) of at most "
            + bytes("memory", "blockCache", "limitBytes")
    }

    private var log: String {
        "\(number("disk", "commits")) commits, \(bytes("disk", "logBytes")); "
            + "\(number("disk", "blocksMoved")) blocks moved by the collector, "
            + "\(number("disk", "throttledWrites")) writes waited for it"
    }

    private var io: String {
        let reason = word("io", "reason")
        return word("io", "mode") + (reason.isEmpty ? "" : ": \(reason)")
    }

    private var compression: String {
        let policy = status["disk"]["compression"].text
        let written = Double(number("disk", "blocksWritten")) * 4096
        if written == 0 { return policy }
        let percent = Int(Double(number("disk", "storedBytes")) * 100 / written)
        return "\(policy); what was written takes \(percent) % of its size"
    }

    private var snapshots: String {
        let snapshots = status["snapshots"].elements
        if snapshots.isEmpty { return "none" }
        let readers = snapshots.reduce(0 as UInt64) { $0 &+ $1["readers"].unsigned }
        let names = snapshots.suffix(3).map { snapshot in
            let frees = ByteSize.text(snapshot["exclusiveBytes"].unsigned)
            return "\(snapshot["name"].text) (deleting it frees \(frees))"
        }
        return "\(snapshots.count), read by \(readers); the last: "
            + names.joined(separator: ", ")
    }

    private var pressure: [(String, String)] {
        var lines = [("machine", room("memory")), ("group", room("controlGroup"))]
        let balloon = status["pressure"]["balloon"]
        if case .string(let reason) = balloon["absent"] {
            lines.append(("balloon", "none: \(JSONValue.string(reason).text)"))
        } else {
            let isActive = balloon["isActive"] == .bool(true)
            var text = bytes("pressure", "balloon", "currentBalloonBytes")
            if case .string(let source) = balloon["targetSource"],
                balloon["targetBalloonBytes"] != .null
            {
                text += " of \(bytes("pressure", "balloon", "targetBalloonBytes")) wanted"
                text += " by \(JSONValue.string(source).text)"
            }
            lines.append(("balloon", text + (isActive ? ", active" : "")))
        }
        for source in status["pressure"]["sources"].elements {
            let name = source["name"].text
            switch source["state"].text {
            case "absent": lines.append(("unwatched", "\(name): \(source["note"].text)"))
            default: lines.append((source["state"].text, name))
            }
        }
        for decision in status["pressure"]["decisions"].elements.suffix(5) {
            let before = ByteSize.text(decision["previousBudgetBytes"].unsigned)
            let after = ByteSize.text(decision["budgetBytes"].unsigned)
            lines.append(("decided", "\(before) to \(after): \(decision["reason"].text)"))
        }
        return lines
    }

    private func room(_ name: String) -> String {
        let room = status["pressure"][name]
        if room == .null { return "no limit is known" }
        var text = "nothing is known of its size"
        if room["sizeBytes"] != .null {
            let available = ByteSize.text(room["availableBytes"].unsigned)
            text = "\(available) available of \(ByteSize.text(room["sizeBytes"].unsigned))"
        }
        if case .number(let percent) = room["stallPercent"] {
            text += ", stalled \((percent * 10).rounded() / 10) % of the time"
        }
        return text
    }

    // MARK: - Values

    private func value(_ names: [String]) -> JSONValue {
        names.reduce(status) { $0[$1] }
    }

    private func word(_ names: String...) -> String { value(names).text }
    private func number(_ names: String...) -> UInt64 { value(names).unsigned }
    private func bytes(_ names: String...) -> String { ByteSize.text(value(names).unsigned) }
}
