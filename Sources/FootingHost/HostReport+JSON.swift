public import FootingSystem

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

extension HostReport {
    /// The schema's name; a field that changes its meaning changes it.
    public static let schema = "footing.host/1"

    /// The document's text, with a line feed at its end.
    ///
    /// - Parameter more: writes the members that a deployment adds.
    public func text(adding more: (inout ReportWriter) -> Void = { _ in }) -> String {
        document(more).text()
    }

    /// Every absent fact by its name in the document, with the reason.
    func absences() -> [ReportWriter.Absence] {
        document { _ in }.absences
    }

    private func document(_ more: (inout ReportWriter) -> Void) -> ReportWriter {
        var report = ReportWriter()
        report.object(as: "") { report in
            report.string("schema", Self.schema)
            report.string("root", root)
            report.object("machine", write(machine:))
            report.object("kernel", write(kernel:))
            report.object("cpu", write(processor:))
            report.object("virtualization", write(virtualization:))
            report.object("cloud", write(cloud:))
            report.object("memory", write(memory:))
            report.object("numa", write(numa:))
            report.object("limits", write(limits:))
            report.list("nvme", hardware.nvme, Self.write)
            report.list("qat", hardware.qat, Self.write)
            report.list("flash", hardware.flash, Self.write)
            report.list("peripherals", hardware.peripherals, Self.write)
            report.list("block", hardware.block, Self.write)
            report.list("pci", hardware.pci, Self.write)
            report.list("paravirtual", hardware.paravirtual, Self.write)
            if let path { report.object("path") { Self.write(path, &$0) } }
            let absences = report.absences
            report.list("absent", absences) { absence, report in
                report.object(as: "") { report in
                    report.string("fact", absence.fact)
                    report.string("reason", absence.reason)
                }
            }
            more(&report)
        }
        return report
    }

    private func write(machine report: inout ReportWriter) {
        let machine = hardware.machine
        report.string("vendor", machine.vendor)
        report.string("product", machine.product)
        report.string("firmwareVendor", machine.firmwareVendor)
        report.strings("compatible", machine.compatible)
        report.string("architecture", system.map(\.machine))
    }

    private func write(kernel report: inout ReportWriter) {
        report.string("name", system.map(\.name))
        report.string("release", system.map(\.release))
        report.string("version", system.map(\.version))
    }

    private func write(virtualization report: inout ReportWriter) {
        let info = hardware.virtualization
        report.fact("hypervisor", info.hypervisor) { $1.string("hypervisor", $0.rawValue) }
        report.bool("isVirtualMachine", info.isVirtualMachine)
        report.string("role", info.role.rawValue)
        report.string("product", info.product)
        report.string("version", info.version)
        report.fact("xenMode", info.xenMode) { $1.string("xenMode", $0.rawValue) }
        report.string("container", info.container)
        report.bool("isTrustDomain", info.isTrustDomain)
        report.list("layers", info.layers) { layer, report in
            report.object(as: "") { report in
                report.string("kind", layer.kind.rawValue)
                report.string("name", layer.name)
                report.string("source", layer.source)
            }
        }
        report.evidence("evidence", info.evidence)
        report.list("conflicts", info.conflicts) { conflict, report in
            report.object(as: "") { report in
                report.string("about", conflict.about)
                report.evidence("believed", conflict.believed)
                report.string("reason", conflict.reason)
                report.evidence("rejected", conflict.rejected)
            }
        }
    }

    private func write(cloud report: inout ReportWriter) {
        let cloud = hardware.cloud
        report.string("provider", cloud.provider)
        report.string("brand", cloud.brand)
        report.evidence("evidence", cloud.evidence)
        report.fact("metadata", cloud.metadata) { metadata, report in
            report.object("metadata") { report in
                report.string("provider", metadata.provider)
                report.string("address", metadata.address)
                report.string("outcome", metadata.outcome.rawValue)
                report.string("reason", metadata.reason)
                report.string("instanceId", metadata.instanceID)
                report.string("region", metadata.region)
                report.string("zone", metadata.zone)
                report.string("instanceType", metadata.instanceType)
                report.evidence("evidence", metadata.evidence)
            }
        }
    }
}
