extension ConversionContext {
    /// Reads a context file; every field is described in `docs/kubevirt/convert.md`.
    init(reading bytes: [UInt8]) throws(ConversionError) {
        let documents: [YAMLNode]
        do throws(YAMLError) {
            documents = try YAMLNode.documents(in: bytes)
        } catch {
            throw .malformedContext(error)
        }
        guard documents.count <= 1 else {
            throw .objects("the context has \(documents.count) documents, not one")
        }
        self.init()
        guard let document = documents.first else { return }
        do throws(ConversionError) {
            try read(document)
        } catch {
            throw error.ofContext
        }
    }

    private mutating func read(_ document: YAMLNode) throws(ConversionError) {
        let report = FieldReport()
        let reader = try FieldReader(document, path: "", pattern: "", report: report)
        try readMachine(reader)
        try readCluster(reader)
        try readNode(reader)
        try readObjects(reader)
        let left = report.leftOver(without: FieldTable())
        guard left.notConverted.isEmpty else { throw .notConverted(left.notConverted) }
    }

    private mutating func readMachine(_ reader: FieldReader) throws(ConversionError) {
        let known = Architecture.allCases.map(\.rawValue)
        if let name = try reader.choice("architecture", known).flatMap(Architecture.init) {
            architecture = name
        }
        let names = [Hypervisor.kvm.rawValue, Hypervisor.hypervDirect.rawValue]
        if let name = try reader.choice("hypervisor", names).flatMap(Hypervisor.init) {
            hypervisor = name
        }
        hasHypervisorDevice = try reader.bool("hypervisorDevice") ?? hasHypervisorDevice
        allowsEmulation = try reader.bool("allowEmulation") ?? allowsEmulation
        namespace = try reader.optionalName("namespace") ?? namespace
        uid = try reader.optionalName("uid")
        firmwareUUID = try reader.word("firmwareUUID")
        machineType = try reader.word("machineType")
        vsockCID = try reader.integer("vsockCID", in: 3...Int(UInt32.max))
        isNonRoot = try reader.bool("nonRoot") ?? isNonRoot
        isAsKubeVirt = try reader.bool("asKubeVirt") ?? isAsKubeVirt
        if let paths = try reader.child("paths") {
            ephemeralDisks = try paths.word("ephemeralDisks") ?? ephemeralDisks
            cloudInit = try paths.word("cloudInit") ?? cloudInit
            ignition = try paths.word("ignition") ?? ignition
        }
        if let firmware = try reader.child("firmware") {
            self.firmware = Firmware(
                code: try firmware.string("code") ?? "",
                variables: try firmware.string("variables") ?? "",
                isSecure: try firmware.bool("secure"),
                selectsItself: try firmware.bool("autoSelection") ?? false
            )
        }
        if let smbios = try reader.child("smbios") {
            for (index, entry) in self.smbios.enumerated() {
                self.smbios[index].value = try smbios.string(entry.name) ?? ""
            }
        }
    }

    private mutating func readCluster(_ reader: FieldReader) throws(ConversionError) {
        processorModel = try reader.word("cpuModel") ?? processorModel
        processorRequest = try reader.quantity("cpuRequest")
        let names = [Rollout.liveUpdate.rawValue, Rollout.stage.rawValue]
        if let name = try reader.choice("rolloutStrategy", names).flatMap(Rollout.init) {
            rollout = name
        }
        hotplugRatio = try reader.integer("maxHotplugRatio", in: 1...64) ?? hotplugRatio
        let range = 1...ProcessorFields.processorsMaximum
        maximumSockets = try reader.integer("maxCpuSockets", in: range)
        maximumGuestMemory = try reader.quantity("maxGuest")
        let seconds = try reader.integer("balloonStatisticsSeconds", in: 0...Int(Int32.max))
        balloonStatisticsSeconds = seconds ?? balloonStatisticsSeconds
        reportsFreePages = try reader.bool("freePageReporting") ?? reportsFreePages
        logsSerialConsole = try reader.bool("serialConsoleLog") ?? logsSerialConsole
        bochsForEFI = try reader.bool("bochsForEFI") ?? bochsForEFI
        let formats = ["qcow2", "raw"]
        containerDiskFormat = try reader.choice("containerDiskFormat", formats)
    }

    /// More processors than a node has.
    private static let hostProcessors = 0...65535

    private mutating func readNode(_ reader: FieldReader) throws(ConversionError) {
        processorSet = try reader.integers("cpuSet", in: Self.hostProcessors) ?? []
        guard Set(processorSet).count == processorSet.count else {
            throw reader.error("cpuSet", "has a processor twice")
        }
        guard let topology = try reader.child("topology") else { return }
        var seen: Set<Int> = []
        for cell in try topology.children("cells") {
            guard let id = try cell.integer("id", in: Self.hostProcessors),
                seen.insert(id).inserted
            else { throw cell.error("id", "is required, and must stand once") }
            var processors: [HostCell.Processor] = []
            for processor in try cell.children("cpus") {
                guard let id = try processor.integer("id", in: Self.hostProcessors) else {
                    throw processor.error("id", "is required")
                }
                let siblings = try processor.integers("siblings", in: Self.hostProcessors) ?? []
                processors.append(HostCell.Processor(id: id, siblings: siblings))
            }
            var distances: [HostCell.Distance] = []
            for distance in try cell.children("distances") {
                guard let id = try distance.integer("id", in: Self.hostProcessors),
                    let value = try distance.integer("value", in: 0...255)
                else { throw distance.error("value", "and id are required") }
                distances.append(HostCell.Distance(id: id, value: value))
            }
            cells.append(HostCell(id: id, processors: processors, distances: distances))
        }
    }

    private mutating func readObjects(_ reader: FieldReader) throws(ConversionError) {
        for (name, child) in try reader.named("interfaces") {
            interfaces[name] = try Self.interface(child)
        }
        for (name, child) in try reader.named("volumes") {
            volumes[name] = try Self.volume(child)
        }
        for (name, child) in try reader.named("hostDevices") {
            hostDevices[name] = try Self.hostDevice(child)
        }
    }

    private static func interface(_ reader: FieldReader) throws(ConversionError) -> Interface {
        let address = try reader.word("mac")
        if let address, !InterfaceFields.isAddress(address) {
            throw reader.error("mac", "must be an address like 02:00:00:00:00:01")
        }
        return Interface(
            attachment: try reader.choice("attachment", ["tap", "plugin"])
                .flatMap(Interface.Attachment.init),
            address: address,
            tap: try reader.word("tap"),
            mtu: try reader.integer("mtu", in: 68...65535),
            podInterface: try reader.word("podInterface"),
            pciAddress: try PCIAddress(reader, "pciAddress")
        )
    }

    private static func volume(_ reader: FieldReader) throws(ConversionError) -> Volume {
        var volume = Volume(
            isBlock: try reader.bool("block") ?? false,
            format: try reader.choice("format", ["qcow2", "raw"]),
            isPreallocated: try reader.bool("preallocated") ?? false,
            allowsDirectIO: try reader.bool("directIO"),
            isHotplugged: try reader.bool("hotplugged") ?? false
        )
        if let size = try reader.child("blockSize") {
            let range = 0...(1 << 30)
            volume.blockSize = DiskFields.BlockSize(
                logical: try size.integer("logical", in: range) ?? 0,
                physical: try size.integer("physical", in: range) ?? 0,
                discard: try size.integer("discardGranularity", in: range)
            )
        }
        return volume
    }

    private static func hostDevice(_ reader: FieldReader) throws(ConversionError) -> HostDevice {
        if let address = try PCIAddress(reader, "pci") { return .pci(address) }
        if let uuid = try reader.word("mdev") { return .mdev(uuid: uuid) }
        if let usb = try reader.child("usb") {
            guard let bus = try usb.integer("bus", in: 0...255),
                let device = try usb.integer("device", in: 0...255)
            else { throw usb.error("bus", "and device are required") }
            return .usb(bus: bus, device: device)
        }
        throw .invalid(reader.path, reader.position, "must have pci, mdev or usb")
    }
}
