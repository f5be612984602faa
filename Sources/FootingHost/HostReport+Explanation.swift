extension HostReport {
    /// Sentences and devices that fit one screen of 80 columns and 24 lines, prompt included.
    ///
    /// - Parameter conclusion: what follows from the facts, for the sentences' end.
    public func summary(conclusion: [String] = []) -> String {
        var sentences = sentences() + conclusion
        if let path {
            let type = path.type.value ?? "a file system that is not known"
            let disks = path.disks.value.map { " on \($0.joined(separator: ", "))" } ?? ""
            sentences.append("Under \(cut(path.path, columns: 40)): \(type)\(disks).")
        }
        let conflicts = hardware.virtualization.conflicts
        if !conflicts.isEmpty {
            let about = Set(conflicts.map(\.about)).sorted().joined(separator: ", ")
            sentences.append("Sources contradict each other on: \(about); see --explain.")
        }
        var lines = sentences.flatMap { wrapped($0) }
        let room = Self.screenLines - lines.count - 1
        lines += [""] + DeviceTable(self).lines(maximum: room)
        return lines.joined(separator: "\n") + "\n"
    }

    /// A screen has 24 lines, and the prompt needs one.
    private static let screenLines = 23

    /// Every fact with what it rests on, and every absent one with the reason.
    public func evidenceText() -> String {
        var text = ""
        let conflicts = hardware.virtualization.conflicts
        if !conflicts.isEmpty { text += "Conflicts\n" }
        for conflict in conflicts {
            text += "  \(conflict.about): \(Self.quoted(conflict.believed)) is believed, "
            text += "not \(Self.quoted(conflict.rejected)): \(conflict.reason)\n"
        }
        if !conflicts.isEmpty { text += "\n" }
        text += "Evidence\n"
        // What proved itself is in the cloud's own evidence already.
        let asked = hardware.cloud.metadata.value?.evidence ?? []
        let cloud = hardware.cloud.evidence
        for item in hardware.virtualization.evidence + cloud + asked.filter({ !cloud.contains($0) })
        {
            text += "  \(Self.quoted(item)): \(item.says)\n"
        }
        text += explainedMemory() + "\nDevices\n"
        for device in hardware.block { text += Self.explained(device) }
        for device in hardware.pci {
            text += "  sys/bus/pci/devices/\(device.slot): "
            text += "\(hexadecimalText(UInt64(device.vendor))):"
            text += "\(hexadecimalText(UInt64(device.device))), "
            text += "\(device.driver.value ?? "no driver")\n"
        }
        for device in hardware.paravirtual {
            text += "  \(device.bus) \(device.name): \(device.kind), "
            text += "\(device.driver.value ?? "no driver")\n"
        }
        let absences = absences()
        if !absences.isEmpty { text += "\nAbsent\n" }
        for absence in absences { text += "  \(absence.fact): \(absence.reason)\n" }
        return text
    }

    private func explainedMemory() -> String {
        var text = "  proc/meminfo MemTotal: \(Self.text(memory.totalBytes, Self.size))\n"
        if let balloon = memory.balloon.value {
            text += "  \(balloon.source): a balloon of kind \(balloon.kind), "
            text += "\(Self.text(balloon.currentBytes, Self.size)) in it\n"
        }
        for node in numa.nodes {
            let cpus = node.cpus.value.map { "\($0.count) processors" } ?? "processors unknown"
            text += "  sys/devices/system/node/node\(node.id): \(cpus), "
            text += "\(Self.text(node.memoryBytes, Self.size))\n"
        }
        return text
    }

    private static func explained(_ device: BlockDevice) -> String {
        var text = "  sys/block/\(device.name): \(device.interface)"
        if !device.driverChain.isEmpty {
            text += " by drivers " + device.driverChain.joined(separator: " <- ")
        }
        if let slot = device.pciSlot.value { text += " at PCI \(slot)" }
        text += "\n    queue: scheduler \(device.scheduler.value ?? "unknown")"
        text += ", write_cache \(device.writeCache.value ?? "unknown")"
        text += ", fua \(device.fua.value.map { $0 ? "1" : "0" } ?? "unknown")"
        text += ", rotational \(device.rotational.value.map { $0 ? "1" : "0" } ?? "unknown")\n"
        if device.isFree.value == true {
            text += "    no mount, partition, holder or swap uses it; no known signature is on it\n"
        }
        return text
    }

    private static func quoted(_ item: Evidence) -> String {
        "\(item.source) " + (item.value.isEmpty ? "is there" : "\"\(item.value)\"")
    }

    private static func text<Value>(_ fact: Fact<Value>, _ form: (Value) -> String) -> String {
        switch fact {
        case .known(let value): form(value)
        case .absent(let reason): "absent (\(reason))"
        }
    }

    /// A size in the largest binary unit that leaves a whole or one decimal.
    static func size(_ bytes: UInt64) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
        var unit = 0
        var divisor: UInt64 = 1
        while unit + 1 < units.count, bytes / divisor >= 1024 {
            divisor *= 1024
            unit += 1
        }
        let tenths = bytes / divisor * 10 + (bytes % divisor) * 10 / divisor
        let fraction = tenths % 10 == 0 ? "" : ".\(tenths % 10)"
        return "\(tenths / 10)\(fraction) \(units[unit])"
    }
}
