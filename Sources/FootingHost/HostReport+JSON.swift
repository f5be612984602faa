public import FootingSystem

/// Collects the reasons of absent facts while a document is built.
struct FactWriter {
    private(set) var absences: [(fact: String, reason: String)] = []

    mutating func write<Value>(
        _ name: String,
        _ fact: Fact<Value>,
        _ form: (Value) -> JSONValue
    ) -> JSONValue {
        switch fact {
        case .known(let value): return form(value)
        case .absent(let reason):
            absences.append((name, reason))
            return .null
        }
    }

    mutating func text(_ name: String, _ fact: Fact<String>) -> JSONValue {
        write(name, fact) { .string($0) }
    }

    mutating func number(_ name: String, _ fact: Fact<Int>) -> JSONValue {
        write(name, fact) { .integer(Int64($0)) }
    }

    mutating func size(_ name: String, _ fact: Fact<UInt64>) -> JSONValue {
        write(name, fact) { JSONValue($0) }
    }

    mutating func flag(_ name: String, _ fact: Fact<Bool>) -> JSONValue {
        write(name, fact) { .bool($0) }
    }

    mutating func numbers(_ name: String, _ fact: Fact<[Int]>) -> JSONValue {
        write(name, fact) { .array($0.map { .integer(Int64($0)) }) }
    }

    mutating func absent(_ name: String, _ reason: String) {
        absences.append((name, reason))
    }
}

extension Evidence {
    /// `{"source", "value", "says"}`.
    public var json: JSONValue {
        ["source": .string(source), "value": .string(value), "says": .string(says)]
    }
}

extension Conflict {
    /// `{"about", "believed", "rejected", "reason"}`.
    public var json: JSONValue {
        [
            "about": .string(about), "believed": believed.json, "rejected": rejected.json,
            "reason": .string(reason),
        ]
    }
}

extension HostReport {
    /// The schema's name; a field that changes its meaning changes it.
    public static let schema = "footing.host/1"

    /// The document, without what a deployment makes of it.
    public func json() -> JSONValue {
        .object(members())
    }

    /// The document's members, for a document that adds others.
    public func members() -> [String: JSONValue] {
        document().members
    }

    /// Every absent fact by its name in the document, with the reason.
    func absences() -> [(fact: String, reason: String)] {
        document().absences
    }

    private func document() -> (
        members: [String: JSONValue], absences: [(fact: String, reason: String)]
    ) {
        var facts = FactWriter()
        var members: [String: JSONValue] = [
            "schema": .string(Self.schema),
            "root": .string(root),
            "machine": machineJSON(&facts),
            "cpu": processorJSON(&facts),
            "virtualization": virtualizationJSON(&facts),
            "cloud": cloudJSON(&facts),
            "memory": memoryJSON(&facts),
            "numa": numaJSON(&facts),
            "block": .array(hardware.block.map { Self.json($0, &facts) }),
            "pci": .array(hardware.pci.map { Self.json($0, &facts) }),
            "paravirtual": .array(
                hardware.paravirtual.map { device in
                    [
                        "bus": .string(device.bus), "name": .string(device.name),
                        "kind": .string(device.kind),
                        "driver": facts.text("paravirtual.\(device.name).driver", device.driver),
                    ]
                }
            ),
        ]
        if let path { members["path"] = Self.json(path, &facts) }
        members["absent"] = .array(
            facts.absences.map { ["fact": .string($0.fact), "reason": .string($0.reason)] }
        )
        return (members, facts.absences)
    }

    private func machineJSON(_ facts: inout FactWriter) -> JSONValue {
        [
            "vendor": facts.text("machine.vendor", hardware.machine.vendor),
            "product": facts.text("machine.product", hardware.machine.product),
            "firmwareVendor": facts.text(
                "machine.firmwareVendor",
                hardware.machine.firmwareVendor
            ),
            "compatible": .array(hardware.machine.compatible.map { .string($0) }),
        ]
    }

    private func processorJSON(_ facts: inout FactWriter) -> JSONValue {
        [
            "vendor": facts.text("cpu.vendor", hardware.processor.vendor),
            "model": facts.text("cpu.model", hardware.processor.model),
            "online": facts.numbers("cpu.online", hardware.processor.online),
        ]
    }

    private func virtualizationJSON(_ facts: inout FactWriter) -> JSONValue {
        let info = hardware.virtualization
        let name = "virtualization"
        return [
            "hypervisor": facts.write("\(name).hypervisor", info.hypervisor) {
                .string($0.rawValue)
            },
            "isVirtualMachine": facts.flag("\(name).isVirtualMachine", info.isVirtualMachine),
            "role": .string(info.role.rawValue),
            "product": facts.text("\(name).product", info.product),
            "version": facts.text("\(name).version", info.version),
            "xenMode": facts.write("\(name).xenMode", info.xenMode) { .string($0.rawValue) },
            "container": .string(info.container),
            "isTrustDomain": .bool(info.isTrustDomain),
            "layers": .array(
                info.layers.map {
                    [
                        "kind": .string($0.kind.rawValue), "name": .string($0.name),
                        "source": .string($0.source),
                    ]
                }
            ),
            "evidence": .array(info.evidence.map(\.json)),
            "conflicts": .array(info.conflicts.map(\.json)),
        ]
    }

    private func cloudJSON(_ facts: inout FactWriter) -> JSONValue {
        [
            "provider": facts.text("cloud.provider", hardware.cloud.provider),
            "brand": facts.text("cloud.brand", hardware.cloud.brand),
            "evidence": .array(hardware.cloud.evidence.map(\.json)),
        ]
    }

    private func memoryJSON(_ facts: inout FactWriter) -> JSONValue {
        [
            "totalBytes": facts.size("memory.totalBytes", memory.totalBytes),
            "availableBytes": facts.size("memory.availableBytes", memory.availableBytes),
            "limitBytes": facts.size("memory.limitBytes", memory.limitBytes),
            "balloon": facts.write("memory.balloon", memory.balloon) { balloon in
                [
                    "kind": .string(balloon.kind),
                    "source": .string(balloon.source),
                    "currentBytes": balloon.currentBytes.value.map { JSONValue($0) } ?? .null,
                    "targetBytes": balloon.targetBytes.value.map { JSONValue($0) } ?? .null,
                ]
            },
        ]
    }

    private func numaJSON(_ facts: inout FactWriter) -> JSONValue {
        if let absence = numa.absence { facts.absent("numa.nodes", absence) }
        return [
            "nodes": .array(
                numa.nodes.map { node in
                    let name = "numa.\(node.id)"
                    return [
                        "id": .integer(Int64(node.id)),
                        "cpus": facts.numbers("\(name).cpus", node.cpus),
                        "memoryBytes": facts.size("\(name).memoryBytes", node.memoryBytes),
                        "distances": facts.numbers("\(name).distances", node.distances),
                    ]
                }
            )
        ]
    }
}
