extension DomainBuilder {
    func diskElements() throws(ConversionError) -> [XMLElement?] {
        var names = DeviceNames(taken: instance.status.targets, disks: instance.devices.disks)
        var sharedThread = 1
        var ownThread = (ioThreads?.shared ?? 0) + 1
        var elements: [XMLElement?] = []
        for disk in instance.devices.disks {
            var thread: Int?
            // With a pool, all of its threads serve each disk.
            if let ioThreads, disk.bus == "virtio", instance.supplementalThreads == nil {
                if disk.hasOwnThread {
                    thread = ownThread
                    ownThread += 1
                } else {
                    thread = sharedThread
                    sharedThread = sharedThread % max(ioThreads.shared, 1) + 1
                }
            }
            let name = names.name(disk)
            elements.append(try element(disk, name, thread: thread))
        }
        return elements
    }

    private func element(
        _ disk: DiskFields,
        _ target: (name: String, unit: Int),
        thread: Int?
    ) throws(ConversionError) -> XMLElement {
        let content = try content(disk)
        if disk.device == .lun, content.kind != "block", !context.isAsKubeVirt {
            throw .missing(
                "\(disk.path).lun",
                "takes a block device: give volumes.\(disk.name).block in the context, if it is one"
            )
        }
        let isVirtio = disk.bus == "virtio"
        let hasModel = isVirtio && disk.device == .disk || content.isMetrics
        return XMLElement(
            "disk",
            [
                "device": disk.device?.rawValue, "type": content.kind,
                "model": hasModel ? virtioModel : nil,
            ],
            [
                sourceElement(content.source, reserves: disk.hasReservation),
                XMLElement("target", ["bus": disk.bus, "dev": target.name, "tray": disk.tray]),
                disk.serial.map { XMLElement("serial", text: $0) },
                try driverElement(disk, content, thread: thread),
                disk.isReadOnly == true || content.isMetrics ? XMLElement("readonly") : nil,
                Self.alias(disk.name),
                content.backing.map { backing in
                    XMLElement(
                        "backingStore",
                        ["type": backing.kind],
                        [
                            XMLElement("format", ["type": backing.format]),
                            sourceElement(backing.source),
                        ]
                    )
                },
                disk.bootOrder.map { XMLElement("boot", ["order": "\($0)"]) },
                addressElement(disk, unit: target.unit),
                try blockElement(disk),
                disk.isShareable ? XMLElement("shareable") : nil,
            ]
        )
    }

    private func sourceElement(
        _ source: DiskContent.Source,
        reserves: Bool = false
    ) -> XMLElement {
        let reservations =
            reserves
            ? XMLElement(
                "reservations",
                ["managed": "no", "migration": context.isAsKubeVirt ? "yes" : nil],
                [
                    XMLElement(
                        "source",
                        [
                            "type": "unix", "path": "/var/run/kubevirt/daemons/pr/pr-helper.sock",
                            "mode": "client",
                        ]
                    )
                ]
            ) : nil
        switch source {
        case .none: return XMLElement("source", [:], [reservations])
        case .file(let path): return XMLElement("source", ["file": path], [reservations])
        case .device(let path, let name):
            // libvirt's schema has no name here, which KubeVirt writes.
            return XMLElement(
                "source",
                ["dev": path, "name": context.isAsKubeVirt ? name : nil],
                [reservations]
            )
        }
    }

    private func addressElement(_ disk: DiskFields, unit: Int) -> XMLElement? {
        if let address = disk.pciAddress { return address.element() }
        guard disk.bus == "scsi", disk.device != .cdrom else { return nil }
        return XMLElement(
            "address",
            ["type": "drive", "bus": "0", "controller": "0", "unit": "\(unit)"]
        )
    }

    private func blockElement(_ disk: DiskFields) throws(ConversionError) -> XMLElement? {
        var size = disk.blockSize
        if disk.matchesVolumeBlocks {
            size = context.volumes[disk.name]?.blockSize
            guard size != nil else {
                throw .missing(
                    "\(disk.path).blockSize.matchVolume",
                    "give volumes.\(disk.name).blockSize in the context"
                )
            }
        }
        guard let size else { return nil }
        if architecture == .s390x, max(size.logical, size.physical) > 4096 {
            throw .impossible("\(disk.path).blockSize: s390x has blocks of at most 4096 bytes")
        }
        let text = { (value: Int) in value == 0 ? nil : "\(value)" }
        return XMLElement(
            "blockio",
            [
                "logical_block_size": text(size.logical),
                "physical_block_size": text(size.physical),
                "discard_granularity": size.discard.map { "\($0)" },
            ]
        )
    }

    private func driverElement(
        _ disk: DiskFields,
        _ content: DiskContent,
        thread: Int?
    ) throws(ConversionError) -> XMLElement {
        let isVirtio = disk.bus == "virtio"
        let cache = try cache(disk, content)
        let known = context.volumes[disk.name]
        let isAllocated = content.kind == "block" || known?.isPreallocated == true
        // Native I/O takes O_DIRECT, and pays where no block has to be found first.
        let nativeIO =
            disk.io == nil && known?.allowsDirectIO != nil && cache == "none" && isAllocated
        let keepsSpace = known?.isPreallocated == true
        let discards =
            content.alwaysDiscards
            || !keepsSpace && (content.isStorage || disk.device != .cdrom) && !content.isMetrics
        var pool: XMLElement?
        if let count = instance.supplementalThreads, isVirtio {
            pool = XMLElement(
                "iothreads",
                [:],
                (1...count).map { XMLElement("iothread", ["id": "\($0)"]) }
            )
        }
        return XMLElement(
            "driver",
            [
                "cache": content.isMetrics ? nil : cache, "error_policy": disk.errorPolicy,
                "io": content.isMetrics ? nil : nativeIO ? "native" : disk.io, "name": "qemu",
                "type": content.format, "iothread": thread.map { "\($0)" },
                "queues": isVirtio && instance.devices.blockQueues && !content.isMetrics
                    ? "\(topology.enabledCount)" : nil,
                "discard": discards ? "unmap" : nil,
                "iommu": isVirtio && !content.isMetrics ? iommu : nil,
            ],
            [pool]
        )
    }

    /// What upstream sets after its conversion, when it has tried O_DIRECT on the volume.
    private func cache(
        _ disk: DiskFields,
        _ content: DiskContent
    ) throws(ConversionError) -> String? {
        guard content.source != .none,
            let allowsDirectIO = context.volumes[disk.name]?.allowsDirectIO
        else { return disk.cache }
        if disk.cache == "none", !allowsDirectIO {
            throw .impossible("\(disk.path).cache: the volume takes no direct I/O, so not none")
        }
        return disk.cache ?? (allowsDirectIO ? "none" : "writethrough")
    }
}

/// The names of the guest's disks, such as `vda` and `sda`.
struct DeviceNames {
    /// The volumes' names by prefix, and the devices' names that are taken.
    private var known: [String: [String: String]] = [:]
    private var taken: Set<String> = []
    private var next: [String: Int] = [:]

    init(taken targets: [String: String], disks: [DiskFields]) {
        for disk in disks {
            guard let target = targets[disk.name] else { continue }
            known[Self.prefix(disk.bus), default: [:]][disk.name] = target
            taken.insert(target)
        }
    }

    private static func prefix(_ bus: String?) -> String { bus == "virtio" ? "vd" : "sd" }

    /// The disk's name, and the place of that name in the order of all.
    mutating func name(_ disk: DiskFields) -> (name: String, unit: Int) {
        let prefix = Self.prefix(disk.bus)
        if let name = known[prefix]?[disk.name] {
            return (name, Self.index(name, prefix: prefix) ?? 0)
        }
        var index = next[prefix] ?? 0
        while taken.contains(Self.name(prefix, index)) { index += 1 }
        next[prefix] = index + 1
        return (Self.name(prefix, index), index)
    }

    /// As the kernel counts: `a` to `z`, then `aa`.
    private static func name(_ prefix: String, _ index: Int) -> String {
        var letters: [UInt8] = []
        var rest = index
        while rest >= 0 {
            letters.append(UInt8(ascii: "a") + UInt8(rest % 26))
            rest = rest / 26 - 1
        }
        return prefix + String(decoding: letters.reversed(), as: UTF8.self)
    }

    private static func index(_ name: String, prefix: String) -> Int? {
        guard name.hasPrefix(prefix), (1...3).contains(name.utf8.count - prefix.utf8.count) else {
            return nil
        }
        return name.utf8.dropFirst(prefix.utf8.count).reduce(0) { value, letter in
            value * 26 + Int(letter - UInt8(ascii: "a")) + 1
        } - 1
    }
}
