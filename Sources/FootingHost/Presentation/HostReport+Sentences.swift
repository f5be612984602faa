extension HostReport {
    /// A sentence for each layer between the program and the hardware, the innermost first.
    public func sentences() -> [String] {
        let info = hardware.virtualization
        var sentences: [String] = []
        if info.container != "none" {
            sentences.append(
                info.container == "other"
                    ? "In a container of an unknown manager."
                    : "In \(Names.article(info.container)) container."
            )
        }
        sentences.append(ground(info))
        sentences += below(info)
        sentences += cloudSentence()
        sentences.append(contentsOf: memorySentence())
        return sentences
    }

    /// What the kernel runs on, with what it has.
    private func ground(_ info: HypervisorInfo) -> String {
        let with = resources()
        let version = info.version.value.map { " \($0)" } ?? ""
        switch (info.isVirtualMachine, info.hypervisor) {
        case (.known(true), .known(let kind)):
            let mode = info.xenMode.value.map { " \($0.rawValue.uppercased())" } ?? ""
            let product = info.product.value.flatMap { product in
                Names.name(product) == Names.name(kind.rawValue) ? nil : Names.name(product)
            }
            let suffix = product.map { " (\($0))" } ?? ""
            let trust = info.isTrustDomain ? ", guarded by Intel TDX" : ""
            return kind == .other
                ? "On a virtual machine of an unknown hypervisor\(trust)\(with)."
                : "On \(Names.article(kind.rawValue))\(version)\(mode) virtual machine"
                    + "\(suffix)\(trust)\(with)."
        case (.known(false), .known(let kind)) where kind != .none:
            return "On the host of \(Names.name(kind.rawValue))\(version), \(machine())\(with)."
        case (.known(false), _):
            return "On the hardware itself, \(machine())\(with)."
        default:
            return "On something that does not tell what it is\(with)."
        }
    }

    private func machine() -> String {
        let names = [hardware.machine.vendor.value, hardware.machine.product.value]
        let text = names.compactMap { $0 }.joined(separator: " ")
        return text.isEmpty ? "unnamed" : cut(text, columns: 60)
    }

    private func resources() -> String {
        let count = hardware.processor.online.value?.count
        let parts = [
            count.map { "\($0) processor\($0 == 1 ? "" : "s")" },
            memory.totalBytes.value.map { "\(Self.size($0)) of memory" },
        ]
        // A board's processor is often named as the board.
        let name = hardware.processor.model.value.flatMap { model in
            model == hardware.machine.product.value ? nil : model
        }
        let model = name.map { " (\(cut($0, columns: 48)))" } ?? ""
        let text = parts.compactMap { $0 }.joined(separator: " and ")
        return text.isEmpty ? "" : ", with \(text)\(model)"
    }

    private func below(_ info: HypervisorInfo) -> [String] {
        var sentences: [String] = []
        let offered = info.layers.filter { $0.kind == .enlightenment }.map { Names.name($0.name) }
        if !offered.isEmpty {
            sentences.append("It offers the interface of \(offered.joined(separator: ", ")) too.")
        }
        let outer = info.layers.filter { $0.kind == .outerHypervisor }.map { Names.name($0.name) }
        if !outer.isEmpty {
            sentences.append("That hypervisor runs on \(outer.joined(separator: ", that on ")).")
        }
        // The host of a hypervisor was named as that already.
        let ground = info.isVirtualMachine.value == true ? nil : info.hypervisor.value?.rawValue
        let hosts = info.layers.filter { $0.kind == .host && $0.name != ground }
            .map { Names.name($0.name) }
        if !hosts.isEmpty {
            let names = hosts.joined(separator: ", ")
            sentences.append("It can run virtual machines itself, with \(names).")
        }
        return sentences
    }

    /// The provider, and what its metadata server told.
    private func cloudSentence() -> [String] {
        guard let provider = hardware.cloud.provider.value, provider != "none" else { return [] }
        let brand = hardware.cloud.brand.value.map { " (\(Names.name($0)))" } ?? ""
        var text = "In the cloud: \(Names.name(provider))\(brand)"
        if let metadata = hardware.cloud.metadata.value {
            if metadata.outcome != .proven {
                return ["\(text); its metadata server: \(metadata.outcome.rawValue)."]
            }
            // The zone names its region, wherever there are both.
            let place = metadata.zone.value ?? metadata.region.value
            for detail in [metadata.instanceType.value, place, metadata.instanceID.value] {
                if let detail { text += ", \(cut(detail, columns: 40))" }
            }
        }
        return [text + "."]
    }

    private func memorySentence() -> [String] {
        var parts: [String] = []
        if let limit = memory.limitBytes.value {
            parts.append("a control group limits it to \(Self.size(limit))")
        }
        if let balloon = memory.balloon.value {
            parts.append("a balloon (\(balloon.kind)) can ask it back")
        }
        if numa.nodes.count > 1 { parts.append("it lies in \(numa.nodes.count) NUMA nodes") }
        return parts.isEmpty ? [] : ["Of its memory: " + parts.joined(separator: ", ") + "."]
    }
}
