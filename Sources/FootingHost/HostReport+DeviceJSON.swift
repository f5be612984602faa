internal import FootingSystem

extension HostReport {
    static func json(_ device: BlockDevice, _ facts: inout FactWriter) -> JSONValue {
        let name = "block.\(device.name)"
        var members: JSONObject = [
            "name": .string(device.name),
            "sizeBytes": JSONValue(device.sizeBytes),
            "number": facts.text("\(name).number", device.number),
            "driver": facts.text("\(name).driver", device.driver),
            "driverChain": .array(device.driverChain.map { .string($0) }),
            "interface": .string(device.interface),
            "isParavirtual": .bool(device.isParavirtual),
            "product": facts.text("\(name).product", device.product),
            "model": facts.text("\(name).model", device.model),
            "media": facts.text("\(name).media", device.media),
            "pciSlot": facts.text("\(name).pciSlot", device.pciSlot),
            "numaNode": facts.number("\(name).numaNode", device.numaNode),
            "queues": facts.number("\(name).queues", device.queues),
            "queueDepth": facts.number("\(name).queueDepth", device.queueDepth),
            "requests": facts.number("\(name).requests", device.requests),
            "scheduler": facts.text("\(name).scheduler", device.scheduler),
            "rotational": facts.flag("\(name).rotational", device.rotational),
            "writeCache": facts.text("\(name).writeCache", device.writeCache),
            "fua": facts.flag("\(name).fua", device.fua),
            "discard": [
                "supported": facts.flag(
                    "\(name).discard.supported",
                    device.discardBytesMaximum.map { $0 > 0 }
                ),
                "maximumBytes": facts.number(
                    "\(name).discard.maximumBytes",
                    device.discardBytesMaximum
                ),
                "granularityBytes": facts.number(
                    "\(name).discard.granularityBytes",
                    device.discardGranularityBytes
                ),
            ],
            "logicalBlockBytes": facts.number(
                "\(name).logicalBlockBytes",
                device.logicalBlockBytes
            ),
            "physicalBlockBytes": facts.number(
                "\(name).physicalBlockBytes",
                device.physicalBlockBytes
            ),
            "optimalBytes": facts.number("\(name).optimalBytes", device.optimalBytes),
            "isFree": facts.flag("\(name).isFree", device.isFree),
        ]
        members.merge(stack(device, &facts))
        return .object(members)
    }

    /// What a device stands on, is parted into and is used for.
    private static func stack(
        _ device: BlockDevice,
        _ facts: inout FactWriter
    ) -> JSONObject {
        let name = "block.\(device.name)"
        return [
            "layer": facts.write("\(name).layer", device.layer) { layer in
                ["kind": .string(layer.kind), "detail": layer.detail.map { .string($0) } ?? .null]
            },
            "lower": .strings(device.lower),
            "disks": facts.texts("\(name).disks", device.disks),
            "paths": facts.texts("\(name).paths", device.paths),
            "signature": facts.text("\(name).signature", device.signature),
            "uses": facts.texts("\(name).uses", device.uses),
            "partitions": .array(
                device.partitions.map { part in
                    [
                        "name": .string(part.name),
                        "startBytes": facts.size("\(part.name).startBytes", part.startBytes),
                        "sizeBytes": facts.size("\(part.name).sizeBytes", part.sizeBytes),
                    ]
                }
            ),
            "flash": facts.nested("\(name).flash", device.flash) { card, facts in
                let name = "\(name).flash"
                return [
                    "eraseBytes": facts.number("\(name).eraseBytes", card.eraseBytes),
                    "preferredEraseBytes": facts.number(
                        "\(name).preferredEraseBytes",
                        card.preferredEraseBytes
                    ),
                    "usedPercentMaximum": facts.numbers(
                        "\(name).usedPercentMaximum",
                        card.usedPercentMaximum
                    ),
                    "reserve": facts.text("\(name).reserve", card.reserve),
                ]
            },
        ]
    }

    static func json(_ device: PCIDevice, _ facts: inout FactWriter) -> JSONValue {
        let name = "pci.\(device.slot)"
        return [
            "slot": .string(device.slot),
            "vendor": .string(hexadecimalText(UInt64(device.vendor), digits: 4)),
            "device": .string(hexadecimalText(UInt64(device.device), digits: 4)),
            "class": facts.text(
                "\(name).class",
                device.classCode.map { hexadecimalText(UInt64($0), digits: 6) }
            ),
            "driver": facts.text("\(name).driver", device.driver),
            "numaNode": facts.number("\(name).numaNode", device.numaNode),
            "iommuGroup": facts.number("\(name).iommuGroup", device.iommuGroup),
        ]
    }

    static func json(_ path: PathFacts, _ facts: inout FactWriter) -> JSONValue {
        [
            "path": .string(path.path),
            "mountPoint": facts.text("path.mountPoint", path.mountPoint),
            "fileSystem": facts.text("path.fileSystem", path.type),
            "kind": .string(path.kind.rawValue),
            "options": .array(path.options.map { .string($0) }),
            "source": facts.text("path.source", path.source),
            "journal": facts.text("path.journal", path.journal),
            "chain": .array(path.chain.map { .string($0) }),
            "disks": facts.write("path.disks", path.disks) { .array($0.map { .string($0) }) },
        ]
    }
}
