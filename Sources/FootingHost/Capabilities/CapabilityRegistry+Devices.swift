internal import FootingSystem

/// What the detectors of devices and memory prove.
extension CapabilityRegistry {
    /// One capability for each way a disk is attached: one line for each.
    private static let interfaces: [(interface: String, name: String)] = [
        ("virtio-blk", "virtio.block"), ("virtio-scsi", "virtio.scsi"),
        ("virtio-pmem", "virtio.pmem"), ("pvscsi", "vmware.pvscsi"),
        ("hyperv-storvsc", "hyperv.storvsc"), ("xen-blkfront", "xen.blkfront"),
        ("nvme", "nvme"), ("mmc", "flash.card"),
    ]

    mutating func registerDisks(_ block: [BlockDevice]) {
        func evidence(
            _ file: String,
            _ says: String,
            where holds: (BlockDevice) -> String?
        ) -> [Evidence] {
            block.compactMap { device in
                holds(device).map {
                    Evidence(source: "sys/block/\(device.name)\(file)", value: $0, says: says)
                }
            }
        }
        for line in Self.interfaces {
            let found = evidence("", "a disk of \(line.interface)") {
                $0.interface == line.interface ? $0.driverChain.joined(separator: " ") : nil
            }
            settle(line.name, found, otherwise: "no disk of \(line.interface) in sys/block")
        }
        settle(
            "block.multiqueue",
            evidence("/mq", "hardware queues") { disk in
                disk.queues.value.flatMap { $0 > 1 ? String($0) : nil }
            },
            otherwise: "every disk has one queue"
        )
        settle(
            "block.fua",
            evidence("/queue/fua", "single writes can be made durable") { disk in
                disk.fua.value == true ? "1" : nil
            },
            otherwise: "no disk can make a single write durable"
        )
        settle(
            "block.discard",
            evidence("/queue/discard_max_bytes", "blocks can be given back") { disk in
                disk.discardBytesMaximum.value.flatMap { $0 > 0 ? String($0) : nil }
            },
            otherwise: "no disk takes blocks back"
        )
        settle(
            "multipath",
            evidence("", "several ways lead to it") { disk in
                disk.paths.value.flatMap { $0.count > 1 ? $0.joined(separator: " ") : nil }
            },
            otherwise: "no disk is reached by several ways"
        )
        settle(
            "nvme.free",
            evidence("", "nothing uses it, as far as can be seen without opening it") { disk in
                disk.isFree.value == true ? disk.name : nil
            },
            otherwise: block.contains { $0.interface == "nvme" }
                ? "every NVMe namespace is used, or not all uses can be seen" : "no NVMe disk"
        )
        settle(
            "flash.wear",
            evidence("/device/life_time", "tells how much of its life is used") { disk in
                disk.flash.value?.usedPercentMaximum.value.map { used in
                    used.map { "\($0) %" }.joined(separator: " ")
                }
            },
            otherwise: "no flash card tells of its wear"
        )
    }

    mutating func registerMemory(_ memory: MemoryFacts, _ numa: NUMATopology) {
        if numa.nodes.count > 1 {
            let ids = numa.nodes.map { String($0.id) }.joined(separator: " ")
            let source = "sys/devices/system/node"
            register("numa", [Evidence(source: source, value: ids, says: "several nodes")])
        } else {
            note(absent: "numa", because: numa.absence ?? "there is one node only")
        }
        let tiers = numa.tiers.value ?? []
        settle(
            "memory.tiers",
            tiers.count > 1
                ? tiers.map { tier in
                    Evidence(
                        source: "sys/devices/virtual/memory_tiering/memory_tier\(tier.id)",
                        value: tier.nodes.map(String.init).joined(separator: " "),
                        says: "memory of a speed of its own"
                    )
                } : [],
            otherwise: numa.tiers.absence ?? "all memory is of one tier"
        )
        switch memory.balloon {
        case .absent(let reason):
            note(absent: "balloon", because: reason)
            note(absent: "balloon.reporting", because: reason)
        case .known(let balloon):
            register(
                "balloon",
                [Evidence(source: balloon.source, value: balloon.kind, says: "a balloon")]
            )
            let source = "\(balloon.source)/features"
            let says = "freed pages go back to the host"
            settle(
                "balloon.reporting",
                balloon.returnsFreePages.value == true
                    ? [Evidence(source: source, value: "bit 5", says: says)] : [],
                otherwise: balloon.returnsFreePages.absence ?? "the host did not ask for it"
            )
        }
    }

    /// What is plugged in, and why none of it compresses or encrypts here.
    mutating func registerQAT(_ devices: [QATDevice]) {
        settle(
            "qat.device",
            devices.map { device in
                Evidence(
                    source: "sys/bus/pci/devices/\(device.slot)",
                    value: device.family,
                    says: device.condition == .ready
                        ? "nothing in sysfs keeps it from being used" : device.condition.rawValue
                )
            },
            otherwise: "no PCI function has the id of one"
        )
        // Only an instance that answered proves these; whoever asks one registers them.
        let reason =
            devices.isEmpty
            ? "no QAT device"
            : devices.first { $0.condition != .ready }.map {
                "\($0.slot): \($0.condition.rawValue); \($0.remedy)"
            } ?? "no instance of a QAT device was asked"
        for name in ["qat.compression", "qat.encryption"] { note(absent: name, because: reason) }
    }

    mutating func registerPeripherals(_ controllers: [PeripheralController]) {
        let folders = ["gpio": "sys/bus/gpio", "i2c": "sys/bus/i2c", "spi": "sys/class/spi_master"]
        for bus in ["gpio", "i2c", "spi"] {
            let source = folders[bus] ?? bus
            settle(
                bus,
                controllers.filter { $0.bus == bus }.map {
                    Evidence(source: source, value: $0.name, says: $0.label.value ?? "a controller")
                },
                otherwise: "\(source) shows none"
            )
        }
    }
}
