extension DomainBuilder {
    func featuresElement() -> XMLElement {
        let features = instance.features ?? FeatureFields()
        let isRealtime = instance.isDedicated && instance.processor?.isRealtime == true
        return XMLElement(
            "features",
            [:],
            [
                features.acpi == true ? XMLElement("acpi") : nil,
                features.apic == true ? XMLElement("apic") : nil,
                hypervElement(features),
                features.smm == true ? XMLElement("smm") : nil,
                kvmElement(features),
                features.spinlocks.map { XMLElement("pvspinlock", isOn: $0) },
                isTDX || isRealtime ? XMLElement("pmu", isOn: false) : nil,
                architecture == .amd64 ? XMLElement("vmport", isOn: false) : nil,
            ]
        )
    }

    private func kvmElement(_ features: FeatureFields) -> XMLElement? {
        let isDedicated = instance.isDedicated && architecture == .amd64
        guard features.hidesKVM != nil || isDedicated else { return nil }
        return XMLElement(
            "kvm",
            [:],
            [
                features.hidesKVM.map { XMLElement("hidden", isOn: $0) },
                isDedicated ? XMLElement("hint-dedicated", isOn: true) : nil,
            ]
        )
    }

    private func hypervElement(_ features: FeatureFields) -> XMLElement? {
        guard let hyperv = features.hyperv else {
            return features.passesHypervThrough
                ? XMLElement("hyperv", ["mode": "passthrough"]) : nil
        }
        return XMLElement(
            "hyperv",
            [:],
            HypervFields.names.map { _, name in
                guard let isOn = hyperv.states[name] else { return nil }
                let state = isOn ? "on" : "off"
                switch name {
                case "spinlocks":
                    let retries = hyperv.spinlockRetries.map { "\($0)" }
                    return XMLElement(name, ["state": state, "retries": retries])
                case "vendor_id":
                    return XMLElement(name, ["state": state, "value": hyperv.vendor])
                case "stimer":
                    return XMLElement(
                        name,
                        ["state": state],
                        [hyperv.directTimer.map { XMLElement("direct", isOn: $0) }]
                    )
                case "tlbflush":
                    return XMLElement(
                        name,
                        ["state": state],
                        [
                            hyperv.directFlush.map { XMLElement("direct", isOn: $0) },
                            hyperv.extendedFlush.map { XMLElement("extended", isOn: $0) },
                        ]
                    )
                default:
                    return XMLElement(name, isOn: isOn)
                }
            }
        )
    }
}
