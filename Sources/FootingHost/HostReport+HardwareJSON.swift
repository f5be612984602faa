internal import FootingSystem

/// Processors, memory, nodes and limits, and devices other than disks.
extension HostReport {
    func processorJSON(_ facts: inout FactWriter) -> JSONValue {
        let processor = hardware.processor
        return [
            "vendor": facts.text("cpu.vendor", processor.vendor),
            "model": facts.text("cpu.model", processor.model),
            "models": facts.texts("cpu.models", processor.models),
            "online": facts.numbers("cpu.online", processor.online),
            "features": facts.texts("cpu.features", processor.features),
            "sockets": facts.number("cpu.sockets", processor.topology.sockets),
            "cores": facts.number("cpu.cores", processor.topology.cores),
            "threads": facts.number("cpu.threads", processor.topology.threads),
            "caches": facts.nested("cpu.caches", processor.caches) { caches, facts in
                .array(
                    caches.map { cache in
                        let name = "cpu.caches.L\(cache.level)-\(cache.type)"
                        return [
                            "level": .integer(Int64(cache.level)),
                            "type": .string(cache.type),
                            "sizeBytes": facts.size("\(name).sizeBytes", cache.sizeBytes),
                            "cpus": facts.numbers("\(name).cpus", cache.cpus),
                        ]
                    }
                )
            },
        ]
    }

    func memoryJSON(_ facts: inout FactWriter) -> JSONValue {
        [
            "totalBytes": facts.size("memory.totalBytes", memory.totalBytes),
            "availableBytes": facts.size("memory.availableBytes", memory.availableBytes),
            "limitBytes": facts.size("memory.limitBytes", memory.limitBytes),
            "hugePageBytes": facts.size("memory.hugePageBytes", memory.hugePageBytes),
            "balloon": facts.nested("memory.balloon", memory.balloon) { balloon, facts in
                let name = "memory.balloon"
                return [
                    "kind": .string(balloon.kind),
                    "source": .string(balloon.source),
                    "currentBytes": facts.size("\(name).currentBytes", balloon.currentBytes),
                    "targetBytes": facts.size("\(name).targetBytes", balloon.targetBytes),
                    "returnsFreePages": facts.flag(
                        "\(name).returnsFreePages",
                        balloon.returnsFreePages
                    ),
                    "deflatesWhenShort": facts.flag(
                        "\(name).deflatesWhenShort",
                        balloon.deflatesWhenShort
                    ),
                ]
            },
        ]
    }

    func numaJSON(_ facts: inout FactWriter) -> JSONValue {
        if let absence = numa.absence { facts.absent("numa.nodes", absence) }
        return [
            "nodes": .array(numa.nodes.map { nodeJSON($0, &facts) }),
            "tiers": facts.write("numa.tiers", numa.tiers) { tiers in
                .array(
                    tiers.map {
                        [
                            "id": .integer(Int64($0.id)),
                            "nodes": .array($0.nodes.map { .integer(Int64($0)) }),
                        ]
                    }
                )
            },
        ]
    }

    private func nodeJSON(_ node: NUMANode, _ facts: inout FactWriter) -> JSONValue {
        let name = "numa.\(node.id)"
        return [
            "id": .integer(Int64(node.id)),
            "cpus": facts.numbers("\(name).cpus", node.cpus),
            "memoryBytes": facts.size("\(name).memoryBytes", node.memoryBytes),
            "distances": facts.numbers("\(name).distances", node.distances),
            "kind": facts.write("\(name).kind", node.kind) { .string($0.rawValue) },
            "hugePages": facts.number("\(name).hugePages", node.hugePages),
            "freeHugePages": facts.number("\(name).freeHugePages", node.freeHugePages),
            "pci": .strings(
                hardware.pci.filter { $0.numaNode.value == node.id }.map(\.slot)
            ),
        ]
    }

    func limitsJSON(_ facts: inout FactWriter) -> JSONValue {
        [
            "hierarchy": .string(limits.hierarchy.rawValue),
            "memoryMaximumBytes": facts.size(
                "limits.memoryMaximumBytes",
                limits.memoryMaximumBytes
            ),
            "memoryHighBytes": facts.size("limits.memoryHighBytes", limits.memoryHighBytes),
            "processors": facts.write("limits.processors", limits.processors) { .number($0) },
            "cpus": facts.numbers("limits.cpus", limits.cpus),
            "memoryNodes": facts.numbers("limits.memoryNodes", limits.memoryNodes),
            "evidence": .array(limits.evidence.map(\.json)),
        ]
    }

    static func json(_ controller: NVMeController, _ facts: inout FactWriter) -> JSONValue {
        let name = "nvme.\(controller.name)"
        return [
            "name": .string(controller.name),
            "model": facts.text("\(name).model", controller.model),
            "firmware": facts.text("\(name).firmware", controller.firmware),
            "transport": facts.text("\(name).transport", controller.transport),
            "state": facts.text("\(name).state", controller.state),
            "product": facts.text("\(name).product", controller.product),
            "pciSlot": facts.text("\(name).pciSlot", controller.pciSlot),
            "numaNode": facts.number("\(name).numaNode", controller.numaNode),
            "queues": facts.number("\(name).queues", controller.queues),
            "queueDepth": facts.number("\(name).queueDepth", controller.queueDepth),
            "namespaces": .array(
                controller.namespaces.map {
                    [
                        "name": .string($0.name),
                        "id": facts.number("\(name).\($0.name).id", $0.id),
                    ]
                }
            ),
        ]
    }

    static func json(_ device: QATDevice, _ facts: inout FactWriter) -> JSONValue {
        let name = "qat.\(device.slot)"
        return [
            "slot": .string(device.slot),
            "family": .string(device.family),
            "generation": .integer(Int64(device.generation)),
            "isVirtualFunction": .bool(device.isVirtualFunction),
            "driver": facts.text("\(name).driver", device.driver),
            "isUp": facts.flag("\(name).isUp", device.isUp),
            "services": facts.texts("\(name).services", device.services),
            "virtualFunctions": facts.number(
                "\(name).virtualFunctions",
                device.virtualFunctions
            ),
            "condition": .string(device.condition.rawValue),
            "remedy": .string(device.remedy),
        ]
    }

    static func json(
        _ device: MemoryTechnologyDevice,
        _ facts: inout FactWriter
    ) -> JSONValue {
        let name = "flash.\(device.name)"
        return [
            "name": .string(device.name),
            "type": facts.text("\(name).type", device.type),
            "sizeBytes": facts.number("\(name).sizeBytes", device.sizeBytes),
            "eraseBytes": facts.number("\(name).eraseBytes", device.eraseBytes),
            "writeBytes": facts.number("\(name).writeBytes", device.writeBytes),
        ]
    }

    static func json(
        _ controller: PeripheralController,
        _ facts: inout FactWriter
    ) -> JSONValue {
        [
            "bus": .string(controller.bus),
            "name": .string(controller.name),
            "label": facts.text("peripherals.\(controller.name).label", controller.label),
            "devices": .strings(controller.devices),
        ]
    }
}
