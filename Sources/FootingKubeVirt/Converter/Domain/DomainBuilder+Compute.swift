extension DomainBuilder {
    private var hasMaximumMemory: Bool {
        guard let maximum = instance.memory?.maximumGuest else { return false }
        return instance.memory?.guest != maximum
    }

    func memoryElement() throws(ConversionError) -> XMLElement {
        guard let guest = instance.memory?.guest else {
            throw .missing(
                "spec.domain.memory.guest",
                "is required where resources and hugepages say nothing"
            )
        }
        return XMLElement("memory", ["unit": "b"], text: "\(guest.wholeBytes)")
    }

    func maximumMemoryElement() -> XMLElement? {
        guard hasMaximumMemory, let maximum = instance.memory?.maximumGuest else { return nil }
        // Memory comes as virtio-mem, which takes no slot; libvirt 9.0 demands one all the same.
        return XMLElement(
            "maxMemory",
            ["unit": "b", "slots": context.isAsKubeVirt ? "0" : "1"],
            text: "\(maximum.wholeBytes)"
        )
    }

    /// Whether the guest's memory is a file that others can map: huge, or shared.
    private var needsMemoryFile: Bool {
        if instance.memory?.hugePageSize != nil,
            instance.annotations["kubevirt.io/memfd"] != "false"
        {
            return true
        }
        return instance.sharesMemory
    }

    func memoryBackingElement() -> XMLElement? {
        let isHuge = instance.memory?.hugePageSize != nil
        guard isHuge || instance.sharesMemory else { return nil }
        return XMLElement(
            "memoryBacking",
            [:],
            [
                isHuge ? XMLElement("hugepages", [:], numa?.pageElements ?? []) : nil,
                architecture.hasMemoryFiles && needsMemoryFile
                    ? XMLElement("source", ["type": "memfd"]) : nil,
                instance.sharesMemory ? XMLElement("access", ["mode": "shared"]) : nil,
                numa == nil ? nil : XMLElement("allocation", ["mode": "immediate"]),
                numa != nil && instance.processor?.isRealtime == true
                    ? XMLElement("nosharepages") : nil,
            ]
        )
    }

    func processorElement() -> XMLElement {
        let processor = instance.processor ?? ProcessorFields()
        let model = processor.model ?? "host-model"
        let isHost = model == "host-model" || model == "host-passthrough"
        var features = processor.features.map { feature in
            XMLElement(
                "feature",
                // libvirt takes it for required, and its schema wants that said.
                [
                    "name": feature.name,
                    "policy": feature.policy ?? (context.isAsKubeVirt ? nil : "require"),
                ]
            )
        }
        // A named model may list mpx, which no processor has any more.
        if architecture == .amd64, !isHost,
            !processor.features.contains(where: { $0.name == "mpx" })
        {
            features.append(XMLElement("feature", ["name": "mpx", "policy": "disable"]))
        }
        return XMLElement(
            "cpu",
            ["mode": isHost ? model : "custom"],
            [isHost ? nil : XMLElement("model", text: model)] + features
                + [
                    XMLElement(
                        "topology",
                        [
                            "sockets": "\(topology.maximumSockets)", "cores": "\(topology.cores)",
                            "threads": "\(topology.threads)",
                        ]
                    ),
                    numa?.guestElement ?? memoryCellElement(),
                ]
        )
    }

    /// One NUMA cell with everything, which a memory file needs.
    private func memoryCellElement() -> XMLElement? {
        guard architecture.hasMemoryFiles, needsMemoryFile, instance.processor?.hasNUMA != true
        else { return nil }
        let kibibytes = (instance.memory?.guest?.roundedUp ?? 0) / 1024
        return XMLElement(
            "numa",
            [:],
            [
                XMLElement(
                    "cell",
                    [
                        "id": "0", "cpus": "0-\(topology.count - 1)", "memory": "\(kibibytes)",
                        "unit": "KiB",
                    ]
                )
            ]
        )
    }

    /// `<vcpus>`: which processors are there at boot, and which can be plugged.
    func hotplugElement() -> XMLElement? {
        guard let maximum = instance.processor?.maximumSockets, maximum != 0,
            architecture != .arm64
        else { return nil }
        let fixed = topology.cores * topology.threads
        return XMLElement(
            "vcpus",
            [:],
            (0..<topology.count).map { id in
                XMLElement(
                    "vcpu",
                    [
                        "id": "\(id)", "enabled": id < topology.enabledCount ? "yes" : "no",
                        "hotpluggable": id >= fixed ? "yes" : "no",
                    ]
                )
            }
        )
    }

    func clockElement() -> XMLElement? {
        guard let clock = instance.clock else { return nil }
        var offset: String?
        var zone: String?
        var adjustment: String?
        switch clock.offset {
        case .utc(let seconds):
            offset = "utc"
            adjustment = seconds.map { "\($0)" } ?? "reset"
        case .zone(let name):
            offset = "timezone"
            zone = name
        case nil:
            // What libvirt assumes, and its schema wants said.
            offset = context.isAsKubeVirt ? nil : "utc"
        }
        return XMLElement(
            "clock",
            ["offset": offset, "timezone": zone, "adjustment": adjustment],
            clock.timers.map { timer in
                XMLElement(
                    "timer",
                    [
                        "name": timer.name, "tickpolicy": timer.tickPolicy,
                        "present": timer.isPresent ? "yes" : "no", "track": timer.track,
                    ]
                )
            }
        )
    }

    func launchSecurityElement() -> XMLElement? {
        guard architecture == .amd64, let security = instance.launchSecurity else { return nil }
        switch security {
        case .sev(let encryptsState, let session, let dhCert):
            // No debugging; with encrypted registers, SEV-ES.
            return XMLElement(
                "launchSecurity",
                ["type": "sev"],
                [
                    dhCert.map { XMLElement("dhCert", text: $0) },
                    session.map { XMLElement("session", text: $0) },
                    XMLElement("policy", text: encryptsState ? "0x5" : "0x1"),
                ]
            )
        case .snp:
            return XMLElement(
                "launchSecurity",
                ["type": "sev-snp"],
                [XMLElement("policy", text: "0x30000")]
            )
        case .tdx:
            return XMLElement(
                "launchSecurity",
                ["type": "tdx"],
                [
                    XMLElement(
                        "quoteGenerationService",
                        ["path": instance.annotations["kubevirt.io/qgs-socket-path"]?.nonEmpty]
                    )
                ]
            )
        case .unnamed:
            return nil
        }
    }

    var isTDX: Bool {
        if case .tdx = instance.launchSecurity { return true }
        return false
    }

    /// The guest's memory is encrypted in any way.
    var isEncrypted: Bool {
        switch instance.launchSecurity {
        case nil: false
        case .unnamed: architecture == .s390x
        default: true
        }
    }

    /// `on` for a virtio device that reaches the guest's memory through an IOMMU: with AMD's
    /// encryption, and with that of s390x, where libvirt itself would set it.
    var iommu: String? {
        guard isEncrypted, architecture == .s390x || !isTDX else { return nil }
        return "on"
    }
}
