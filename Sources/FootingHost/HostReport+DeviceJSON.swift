extension HostReport {
    static func write(_ device: BlockDevice, _ report: inout ReportWriter) {
        report.object(as: "block.\(device.name)") { report in
            report.string("name", device.name)
            report.size("sizeBytes", device.sizeBytes)
            report.string("number", device.number)
            report.string("driver", device.driver)
            report.strings("driverChain", device.driverChain)
            report.string("interface", device.interface)
            report.bool("isParavirtual", device.isParavirtual)
            report.string("product", device.product)
            report.string("model", device.model)
            report.string("media", device.media)
            report.string("pciSlot", device.pciSlot)
            report.integer("numaNode", device.numaNode)
            report.integer("queues", device.queues)
            report.integer("queueDepth", device.queueDepth)
            report.integer("requests", device.requests)
            report.string("scheduler", device.scheduler)
            report.bool("rotational", device.rotational)
            report.string("writeCache", device.writeCache)
            report.bool("fua", device.fua)
            report.object("discard") { report in
                report.bool("supported", device.discardBytesMaximum.map { $0 > 0 })
                report.integer("maximumBytes", device.discardBytesMaximum)
                report.integer("granularityBytes", device.discardGranularityBytes)
            }
            report.integer("logicalBlockBytes", device.logicalBlockBytes)
            report.integer("physicalBlockBytes", device.physicalBlockBytes)
            report.integer("optimalBytes", device.optimalBytes)
            report.bool("isFree", device.isFree)
            write(stackOf: device, &report)
        }
    }

    /// What a device stands on, is parted into and is used for.
    private static func write(stackOf device: BlockDevice, _ report: inout ReportWriter) {
        report.fact("layer", device.layer) { layer, report in
            report.object("layer") { report in
                report.string("kind", layer.kind)
                if let detail = layer.detail {
                    report.string("detail", detail)
                } else {
                    report.null("detail")
                }
            }
        }
        report.strings("lower", device.lower)
        report.strings("disks", device.disks)
        report.strings("paths", device.paths)
        report.string("signature", device.signature)
        report.strings("uses", device.uses)
        report.list("partitions", device.partitions) { part, report in
            report.object(as: part.name) { report in
                report.string("name", part.name)
                report.size("startBytes", part.startBytes)
                report.size("sizeBytes", part.sizeBytes)
            }
        }
        report.fact("flash", device.flash) { card, report in
            report.object("flash") { report in
                report.integer("eraseBytes", card.eraseBytes)
                report.integer("preferredEraseBytes", card.preferredEraseBytes)
                report.integers("usedPercentMaximum", card.usedPercentMaximum)
                report.string("reserve", card.reserve)
            }
        }
    }

    static func write(_ device: PCIDevice, _ report: inout ReportWriter) {
        report.object(as: "pci.\(device.slot)") { report in
            report.string("slot", device.slot)
            report.string("vendor", hexadecimalText(UInt64(device.vendor), digits: 4))
            report.string("device", hexadecimalText(UInt64(device.device), digits: 4))
            let code = device.classCode.map { hexadecimalText(UInt64($0), digits: 6) }
            report.string("class", code)
            report.string("driver", device.driver)
            report.integer("numaNode", device.numaNode)
            report.integer("iommuGroup", device.iommuGroup)
        }
    }

    static func write(_ device: ParavirtualDevice, _ report: inout ReportWriter) {
        report.object(as: "paravirtual.\(device.name)") { report in
            report.string("bus", device.bus)
            report.string("name", device.name)
            report.string("kind", device.kind)
            report.string("driver", device.driver)
        }
    }

    static func write(_ path: PathFacts, _ report: inout ReportWriter) {
        report.string("path", path.path)
        report.string("mountPoint", path.mountPoint)
        report.string("fileSystem", path.type)
        report.string("kind", path.kind.rawValue)
        report.strings("options", path.options)
        report.string("source", path.source)
        report.string("journal", path.journal)
        report.strings("chain", path.chain)
        report.strings("disks", path.disks)
    }
}
