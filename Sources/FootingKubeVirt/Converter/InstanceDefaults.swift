extension Instance {
    /// Fills in what KubeVirt's API server fills in before a node sees an instance.
    ///
    /// In upstream's order, which matters: `SetDefaultVirtualMachineInstance` of `pkg/defaults`.
    mutating func fillDefaults(_ context: ConversionContext) throws(ConversionError) {
        let architecture = architecture ?? context.architecture
        self.architecture = architecture
        machineType = machineType ?? context.machineType ?? architecture.machineType
        if let limit = resources.processorLimit, !limit.isZero,
            resources.requestedProcessors?.isZero ?? true
        {
            resources.requestedProcessors = limit
        }
        if resources.requestedProcessors == nil, !isDedicated {
            resources.requestedProcessors = context.processorRequest
        }
        fillGuestMemory()
        try fillTopology()
        fillNetwork()
        fillDisks(architecture)
        var firmware = firmware ?? FirmwareFields()
        firmware.uuid = firmware.uuid ?? context.firmwareUUID
        self.firmware = firmware
        var features = features ?? FeatureFields()
        features.acpi = features.acpi ?? (architecture != .s390x)
        self.features = features
        fillHypervDependencies()
        fillArchitecture(architecture, context)
        if architecture != .arm64, context.rollout == .liveUpdate {
            fillProcessorHotplug(context)
            fillMemoryHotplug(context)
        }
    }

    private mutating func fillGuestMemory() {
        guard memory?.guest == nil else { return }
        var filled = memory ?? MemoryFields()
        if let amount = resources.requestedMemory, !amount.isZero {
            filled.guest = amount
        } else if let amount = resources.memoryLimit, !amount.isZero {
            filled.guest = amount
        } else {
            filled.guest = filled.hugePageSize
        }
        memory = filled
    }

    private mutating func fillTopology() throws(ConversionError) {
        var filled = processor ?? ProcessorFields()
        if filled.sockets == 0, filled.cores == 0, filled.threads == 0 {
            let amount = resources.processorLimit ?? resources.requestedProcessors
            let count = amount?.roundedUp ?? 1
            guard (0...Int64(ProcessorFields.processorsMaximum)).contains(count) else {
                throw .impossible("spec.domain.resources: \(count) processors")
            }
            filled.sockets = Int(count)
            filled.cores = 1
            filled.threads = 1
        }
        processor = filled
    }

    private mutating func fillNetwork() {
        guard devices.attachesPodInterface ?? true, networks.isEmpty, devices.interfaces.isEmpty
        else { return }
        devices.interfaces = [InterfaceFields(default: "default")]
        networks = ["default"]
    }

    private mutating func fillDisks(_ architecture: Architecture) {
        let named = Set(devices.disks.map(\.name) + devices.filesystems)
        for volume in volumes where !named.contains(volume.name) {
            devices.disks.append(DiskFields(volume: volume.name, path: volume.path))
        }
        for index in devices.disks.indices {
            let device = devices.disks[index].device ?? .disk
            devices.disks[index].device = device
            devices.disks[index].bus =
                devices.disks[index].bus ?? (architecture == .amd64 ? "sata" : "virtio")
            if device == .cdrom {
                devices.disks[index].isReadOnly = devices.disks[index].isReadOnly ?? true
                devices.disks[index].tray = devices.disks[index].tray ?? "closed"
            }
        }
    }

    /// Turns on what a feature of Hyper-V needs, unless it is turned off: leaves first.
    private mutating func fillHypervDependencies() {
        guard var hyperv = features?.hyperv else { return }
        defer { features?.hyperv = hyperv }
        if hyperv.states["spinlocks"] == true {
            hyperv.spinlockRetries = hyperv.spinlockRetries ?? 4096
        }
        let needs = [
            ("evmcs", "vapic"), ("ipi", "vpindex"), ("tlbflush", "vpindex"), ("stimer", "synic"),
            ("synic", "vpindex"),
        ]
        for (feature, needed) in needs where hyperv.states[feature] == true {
            guard let state = hyperv.states[needed] else {
                hyperv.states[needed] = true
                continue
            }
            // Upstream leaves the rest as it is; its webhook refuses the instance later.
            if !state { return }
        }
        if hyperv.states["evmcs"] == true {
            let vmx = ProcessorFields.Feature(name: "vmx", policy: "require")
            if let index = processor?.features.firstIndex(where: { $0.name == "vmx" }) {
                processor?.features[index] = vmx
            } else {
                processor?.features.append(vmx)
            }
        }
    }

    private mutating func fillArchitecture(
        _ architecture: Architecture,
        _ context: ConversionContext
    ) {
        var processor = processor ?? ProcessorFields()
        if architecture == .arm64 {
            processor.model = processor.model ?? "host-passthrough"
            if firmware?.hasBootloader != true { firmware?.efi = FirmwareFields.EFI() }
            if firmware?.efi?.isSecure == nil { firmware?.efi?.isSecure = false }
        }
        processor.model = processor.model ?? context.processorModel
        self.processor = processor
    }

    private mutating func fillProcessorHotplug(_ context: ConversionContext) {
        guard var filled = processor, filled.maximumSockets == 0 else { return }
        if let maximum = context.maximumSockets {
            filled.maximumSockets = max(maximum, filled.sockets)
        } else {
            filled.maximumSockets = filled.sockets * context.hotplugRatio
            let perSocket = filled.cores * filled.threads
            // What any machine type takes, as upstream has it.
            if filled.maximumSockets * perSocket > 512 {
                filled.maximumSockets = max(512 / perSocket, filled.sockets)
            }
        }
        processor = filled
    }

    private mutating func fillMemoryHotplug(_ context: ConversionContext) {
        guard var filled = memory, filled.maximumGuest == nil, let guest = filled.guest else {
            return
        }
        let maximum: Quantity
        if let configured = context.maximumGuestMemory {
            maximum = configured
        } else {
            let (bytes, overflow) = guest.roundedUp
                .multipliedReportingOverflow(by: Int64(context.hotplugRatio))
            guard !overflow else { return }
            maximum = Quantity(bytes)
        }
        let isHuge = filled.hugePageSize == Quantity(1 << 30)
        let alignment: Int64 = isHuge ? 1 << 30 : 2 << 20
        guard architecture == .amd64, processor?.isRealtime != true,
            processor?.passesNUMAThrough != true, launchSecurity == nil, guest <= maximum,
            guest.roundedUp % alignment == 0, maximum.roundedUp % alignment == 0,
            guest >= Quantity(1 << 30)
        else { return }
        filled.maximumGuest = maximum
        memory = filled
    }
}
