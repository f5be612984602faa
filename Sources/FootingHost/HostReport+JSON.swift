public import FootingSystem

/// Collects the reasons of absent facts while a document is built.
struct FactWriter {
    private(set) var absences: [(fact: String, reason: String)] = []

    mutating func write<Value>(
        _ name: @autoclosure () -> String,
        _ fact: Fact<Value>,
        _ form: (Value) -> JSONValue
    ) -> JSONValue {
        switch fact {
        case .known(let value): return form(value)
        case .absent(let reason):
            absences.append((name(), reason))
            return .null
        }
    }

    mutating func text(_ name: @autoclosure () -> String, _ fact: Fact<String>) -> JSONValue {
        write(name(), fact) { .string($0) }
    }

    mutating func number(_ name: @autoclosure () -> String, _ fact: Fact<Int>) -> JSONValue {
        write(name(), fact) { .integer(Int64($0)) }
    }

    mutating func size(_ name: @autoclosure () -> String, _ fact: Fact<UInt64>) -> JSONValue {
        write(name(), fact) { JSONValue($0) }
    }

    mutating func flag(_ name: @autoclosure () -> String, _ fact: Fact<Bool>) -> JSONValue {
        write(name(), fact) { .bool($0) }
    }

    mutating func numbers(_ name: @autoclosure () -> String, _ fact: Fact<[Int]>) -> JSONValue {
        write(name(), fact) { .array($0.map { .integer(Int64($0)) }) }
    }

    mutating func texts(_ name: @autoclosure () -> String, _ fact: Fact<[String]>) -> JSONValue {
        write(name(), fact) { .strings($0) }
    }

    /// A fact whose members are facts themselves.
    mutating func nested<Value>(
        _ name: @autoclosure () -> String,
        _ fact: Fact<Value>,
        _ form: (Value, inout FactWriter) -> JSONValue
    ) -> JSONValue {
        switch fact {
        case .known(let value): return form(value, &self)
        case .absent(let reason):
            absences.append((name(), reason))
            return .null
        }
    }

    mutating func absent(_ name: String, _ reason: String) {
        absences.append((name, reason))
    }
}

extension JSONValue {
    /// A list of texts.
    static func strings(_ texts: [String]) -> JSONValue {
        .array(texts.map { .string($0) })
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
    public func members() -> JSONObject {
        document().members
    }

    /// Every absent fact by its name in the document, with the reason.
    func absences() -> [(fact: String, reason: String)] {
        document().absences
    }

    private func document() -> (
        members: JSONObject, absences: [(fact: String, reason: String)]
    ) {
        var facts = FactWriter()
        var members: JSONObject = [
            "schema": .string(Self.schema),
            "root": .string(root),
            "machine": machineJSON(&facts),
            "kernel": kernelJSON(&facts),
            "cpu": processorJSON(&facts),
            "virtualization": virtualizationJSON(&facts),
            "cloud": cloudJSON(&facts),
            "memory": memoryJSON(&facts),
            "numa": numaJSON(&facts),
            "limits": limitsJSON(&facts),
            "nvme": .array(hardware.nvme.map { Self.json($0, &facts) }),
            "qat": .array(hardware.qat.map { Self.json($0, &facts) }),
            "flash": .array(hardware.flash.map { Self.json($0, &facts) }),
            "peripherals": .array(hardware.peripherals.map { Self.json($0, &facts) }),
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
            "architecture": facts.text("machine.architecture", system.map(\.machine)),
        ]
    }

    private func kernelJSON(_ facts: inout FactWriter) -> JSONValue {
        [
            "name": facts.text("kernel.name", system.map(\.name)),
            "release": facts.text("kernel.release", system.map(\.release)),
            "version": facts.text("kernel.version", system.map(\.version)),
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
            "metadata": metadataJSON(&facts),
        ]
    }

    private func metadataJSON(_ facts: inout FactWriter) -> JSONValue {
        let name = "cloud.metadata"
        guard let metadata = hardware.cloud.metadata.value else {
            return facts.text(name, hardware.cloud.metadata.map { _ in "" })
        }
        return [
            "provider": facts.text("\(name).provider", metadata.provider),
            "address": .string(metadata.address),
            "outcome": .string(metadata.outcome.rawValue),
            "reason": .string(metadata.reason),
            "instanceId": facts.text("\(name).instanceId", metadata.instanceID),
            "region": facts.text("\(name).region", metadata.region),
            "zone": facts.text("\(name).zone", metadata.zone),
            "instanceType": facts.text("\(name).instanceType", metadata.instanceType),
            "evidence": .array(metadata.evidence.map(\.json)),
        ]
    }
}
