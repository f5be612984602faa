/// Processors, memory, nodes and limits, and devices other than disks.
extension HostReport {
    func write(processor report: inout ReportWriter) {
        let processor = hardware.processor
        report.string("vendor", processor.vendor)
        report.string("model", processor.model)
        report.strings("models", processor.models)
        report.integers("online", processor.online)
        report.strings("features", processor.features)
        report.integer("sockets", processor.topology.sockets)
        report.integer("cores", processor.topology.cores)
        report.integer("threads", processor.topology.threads)
        report.fact("caches", processor.caches) { caches, report in
            report.list("caches", caches) { cache, report in
                report.object(as: "cpu.caches.L\(cache.level)-\(cache.type)") { report in
                    report.integer("level", cache.level)
                    report.string("type", cache.type)
                    report.size("sizeBytes", cache.sizeBytes)
                    report.integers("cpus", cache.cpus)
                }
            }
        }
    }

    func write(memory report: inout ReportWriter) {
        report.size("totalBytes", memory.totalBytes)
        report.size("availableBytes", memory.availableBytes)
        report.size("limitBytes", memory.limitBytes)
        report.size("hugePageBytes", memory.hugePageBytes)
        report.fact("balloon", memory.balloon) { balloon, report in
            report.object("balloon") { report in
                report.string("kind", balloon.kind)
                report.string("source", balloon.source)
                report.size("currentBytes", balloon.currentBytes)
                report.size("targetBytes", balloon.targetBytes)
                report.bool("returnsFreePages", balloon.returnsFreePages)
                report.bool("deflatesWhenShort", balloon.deflatesWhenShort)
            }
        }
    }

    func write(numa report: inout ReportWriter) {
        if let absence = numa.absence { report.absent("numa.nodes", absence) }
        report.list("nodes", numa.nodes, write)
        report.fact("tiers", numa.tiers) { tiers, report in
            report.list("tiers", tiers) { tier, report in
                report.object(as: "") { report in
                    report.integer("id", tier.id)
                    report.integers("nodes", tier.nodes)
                }
            }
        }
    }

    private func write(_ node: NUMANode, _ report: inout ReportWriter) {
        report.object(as: "numa.\(node.id)") { report in
            report.integer("id", node.id)
            report.integers("cpus", node.cpus)
            report.size("memoryBytes", node.memoryBytes)
            report.integers("distances", node.distances)
            report.fact("kind", node.kind) { $1.string("kind", $0.rawValue) }
            report.integer("hugePages", node.hugePages)
            report.integer("freeHugePages", node.freeHugePages)
            var slots: [String] = []
            for device in hardware.pci where device.numaNode.value == node.id {
                slots.append(device.slot)
            }
            report.strings("pci", slots)
        }
    }

    func write(limits report: inout ReportWriter) {
        report.string("hierarchy", limits.hierarchy.rawValue)
        report.size("memoryMaximumBytes", limits.memoryMaximumBytes)
        report.size("memoryHighBytes", limits.memoryHighBytes)
        report.fact("processors", limits.processors) { $1.number("processors", $0) }
        report.integers("cpus", limits.cpus)
        report.integers("memoryNodes", limits.memoryNodes)
        report.evidence("evidence", limits.evidence)
    }

    static func write(_ controller: NVMeController, _ report: inout ReportWriter) {
        let name = "nvme.\(controller.name)"
        report.object(as: name) { report in
            report.string("name", controller.name)
            report.string("model", controller.model)
            report.string("firmware", controller.firmware)
            report.string("transport", controller.transport)
            report.string("state", controller.state)
            report.string("product", controller.product)
            report.string("pciSlot", controller.pciSlot)
            report.integer("numaNode", controller.numaNode)
            report.integer("queues", controller.queues)
            report.integer("queueDepth", controller.queueDepth)
            report.list("namespaces", controller.namespaces) { namespace, report in
                report.object(as: "\(name).\(namespace.name)") { report in
                    report.string("name", namespace.name)
                    report.integer("id", namespace.id)
                }
            }
        }
    }

    static func write(_ device: QATDevice, _ report: inout ReportWriter) {
        report.object(as: "qat.\(device.slot)") { report in
            report.string("slot", device.slot)
            report.string("family", device.family)
            report.integer("generation", device.generation)
            report.bool("isVirtualFunction", device.isVirtualFunction)
            report.string("driver", device.driver)
            report.bool("isUp", device.isUp)
            report.strings("services", device.services)
            report.integer("virtualFunctions", device.virtualFunctions)
            report.string("condition", device.condition.rawValue)
            report.string("remedy", device.remedy)
        }
    }

    static func write(_ device: MemoryTechnologyDevice, _ report: inout ReportWriter) {
        report.object(as: "flash.\(device.name)") { report in
            report.string("name", device.name)
            report.string("type", device.type)
            report.integer("sizeBytes", device.sizeBytes)
            report.integer("eraseBytes", device.eraseBytes)
            report.integer("writeBytes", device.writeBytes)
        }
    }

    static func write(_ controller: PeripheralController, _ report: inout ReportWriter) {
        report.object(as: "peripherals.\(controller.name)") { report in
            report.string("bus", controller.bus)
            report.string("name", controller.name)
            report.string("label", controller.label)
            report.strings("devices", controller.devices)
        }
    }
}
