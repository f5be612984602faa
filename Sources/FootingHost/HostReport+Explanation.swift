extension HostReport {
    /// The facts a person asks for first, a line each.
    public func summary() -> String {
        var lines: [String] = []
        let info = hardware.virtualization
        let machine = [hardware.machine.vendor.value, hardware.machine.product.value]
            .compactMap { $0 }.joined(separator: " ")
        Self.add("machine", machine.isEmpty ? "unnamed" : machine, to: &lines)
        Self.add("processor", Self.text(hardware.processor.model) { $0 }, to: &lines)
        var hypervisor = Self.text(info.hypervisor) { $0.rawValue }
        if let product = info.product.value { hypervisor += " (\(product))" }
        if let mode = info.xenMode.value { hypervisor += ", \(mode.rawValue)" }
        Self.add("hypervisor", "\(hypervisor), role \(info.role.rawValue)", to: &lines)
        Self.add("container", info.container, to: &lines)
        Self.add("cloud", cloudText(), to: &lines)
        var total = Self.text(memory.totalBytes, Self.size)
        if let limit = memory.limitBytes.value { total += ", limited to \(Self.size(limit))" }
        Self.add("memory", total, to: &lines)
        Self.add("balloon", Self.text(memory.balloon) { $0.kind }, to: &lines)
        Self.add("NUMA nodes", String(numa.nodes.count), to: &lines)
        for device in hardware.block {
            let queues = device.queues.value.map { ", \($0) queue\($0 == 1 ? "" : "s")" } ?? ""
            let cache = device.writeCache.value.map { ", \($0)" } ?? ""
            let what = "\(Self.size(device.sizeBytes)) \(device.interface)\(queues)\(cache)"
            Self.add("disk \(device.name)", what, to: &lines)
        }
        if let path {
            let type = Self.text(path.type) { $0 }
            let disks = Self.text(path.disks) { $0.joined(separator: " ") }
            Self.add("under \(path.path)", "\(type) on \(disks)", to: &lines)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Every fact with what it rests on, and every absent one with the reason.
    public func explanation() -> String {
        summary() + "\n" + evidenceText()
    }

    /// The part of ``explanation()`` behind the summary.
    public func evidenceText() -> String {
        var text = "Evidence\n"
        // What proved itself is in the cloud's own evidence already.
        let asked = hardware.cloud.metadata.value?.evidence ?? []
        let cloud = hardware.cloud.evidence
        for item in hardware.virtualization.evidence + cloud + asked.filter({ !cloud.contains($0) })
        {
            let value = item.value.isEmpty ? "is there" : "\"\(item.value)\""
            text += "  \(item.source) \(value): \(item.says)\n"
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

    /// The provider, and what its metadata server told.
    private func cloudText() -> String {
        var text = Self.text(hardware.cloud.provider) { $0 }
        guard let metadata = hardware.cloud.metadata.value else { return text }
        if metadata.outcome != .proven {
            return "\(text), metadata server \(metadata.outcome.rawValue)"
        }
        // The zone names its region, wherever there are both.
        let place = metadata.zone.value ?? metadata.region.value
        for detail in [metadata.instanceType.value, place, metadata.instanceID.value] {
            if let detail { text += ", \(detail)" }
        }
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
            text += "    no mount, partition, holder or swap uses it; signatures were not read\n"
        }
        return text
    }

    private static func add(_ label: String, _ value: String, to lines: inout [String]) {
        let gap = String(repeating: " ", count: max(1, 14 - label.utf8.count))
        lines.append(label + gap + value)
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
