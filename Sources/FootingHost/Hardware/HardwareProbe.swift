public import FootingSystem

/// The processors, as far as storage cares.
public struct Processor: Sendable {
    /// `GenuineIntel`, `AuthenticAMD`, or what `/proc/cpuinfo` names elsewhere.
    public let vendor: Fact<String>
    /// The model's name.
    public let model: Fact<String>
    /// Processors the kernel runs on (`/sys/devices/system/cpu/online`).
    public let online: Fact<[Int]>
    /// Instructions that compression, encryption and checksums gain by, as `/proc/cpuinfo` names
    /// them; those that a table knows, not all.
    public let features: Fact<[String]>
    /// Sockets, cores and threads.
    public let topology: ProcessorTopology
    /// The caches of the first processor, the nearest first.
    public let caches: Fact<[ProcessorCache]>

    init(_ root: HostRoot, cpuid: CPUIDFacts, source: any CPUIDSource, text: String?) {
        let names = ["model name", "Model", "cpu model", "cpu", "machine"]
        vendor = Self.fact(
            cpuid.vendor?.isEmpty == false
                ? cpuid.vendor : text?.field("vendor_id") ?? text?.field("CPU implementer")
        )
        model = Self.fact(cpuid.model ?? names.lazy.compactMap { text?.field($0) }.first)
        online = ProcessorList.online(root)
        features = ProcessorFeatures.find(cpuid, text: text)
        let folder = try? root.folder("sys/devices/system/cpu")
        topology = ProcessorTopology(folder, online: online)
        let first = online.value?.first ?? 0
        caches = ProcessorCache.all(folder, first: first, cpuid, root.isLive ? source : nil)
    }

    private static func fact(_ text: String?) -> Fact<String> {
        text.map { .known($0) } ?? .absent("neither CPUID nor proc/cpuinfo tells")
    }
}

/// What the machine says of itself: its maker and its name.
public struct MachineIdentity: Sendable {
    /// The maker (DMI `sys_vendor`).
    public let vendor: Fact<String>
    /// The machine's name (DMI `product_name`, or the device tree's `model`).
    public let product: Fact<String>
    /// The maker of the firmware (DMI `bios_vendor`).
    public let firmwareVendor: Fact<String>
    /// What a device tree is compatible with, the most special first; empty without one.
    public let compatible: [String]

    init(dmi: DMI, tree: DeviceTree?) {
        func fact(_ field: DMI.Field) -> Fact<String> {
            dmi[field].map { .known($0) } ?? .absent("\(dmi.source(field)) is not there")
        }
        vendor = fact(.systemVendor)
        firmwareVendor = fact(.biosVendor)
        compatible = tree?.compatible ?? []
        if dmi.folder == nil, let model = tree?.model {
            product = .known(model)
        } else {
            product = fact(.productName)
        }
    }
}

/// The hardware of one machine: read once, from a root.
public struct HardwareProbe: Sendable {
    /// What the machine says of itself.
    public let machine: MachineIdentity
    /// The processor.
    public let processor: Processor
    /// Virtualization, layers and container.
    public let virtualization: HypervisorInfo
    /// The cloud, if any, and what its metadata server says where it was asked.
    public internal(set) var cloud: CloudIdentity
    /// PCI functions by slot.
    public let pci: [PCIDevice]
    /// Block devices that have a size, by name.
    public let block: [BlockDevice]
    /// Devices that exist as an agreement with a hypervisor.
    public let paravirtual: [ParavirtualDevice]
    /// NVMe controllers and their namespaces.
    public let nvme: [NVMeController]
    /// Intel QuickAssist devices.
    public let qat: [QATDevice]
    /// Raw flash.
    public let flash: [MemoryTechnologyDevice]
    /// GPIO chips, I2C adapters and SPI controllers.
    public let peripherals: [PeripheralController]

    /// Reads everything; nothing that is missing is an error.
    ///
    /// - Parameters:
    ///   - root: the machine.
    ///   - cpuid: the root's own ``HostRoot/cpuidSource()``, or one that stands for it.
    public init(root: HostRoot, cpuid: any CPUIDSource) {
        self.init(BlockSurvey(root), cpuid: cpuid)
    }

    /// Reads everything, and leaves in the survey what was learned of block devices.
    init(_ survey: BlockSurvey, cpuid: any CPUIDSource) {
        let root = survey.root
        let processorFacts = CPUIDFacts(cpuid)
        let text = PlatformHypervisor.processorText(root, processorFacts)
        let dmi = DMI(root)
        let tree = DeviceTree(root)
        pci = PCIDevice.all(root)
        var detector = HypervisorDetector(
            root: root,
            processor: processorFacts,
            dmi: dmi,
            processorText: text,
            tree: tree,
            pci: pci
        )
        let virtualization = detector.detect()
        self.virtualization = virtualization
        machine = MachineIdentity(dmi: dmi, tree: tree)
        processor = Processor(root, cpuid: processorFacts, source: cpuid, text: text)
        cloud = CloudIdentity(root: root, dmi: dmi, virtualization: virtualization)
        block = BlockDevice.all(survey, pci: pci, container: virtualization.container)
        paravirtual = ParavirtualDevice.all(root, pci: pci)
        nvme = NVMeController.all(root, block: block, pci: pci)
        qat = QATDevice.all(root, pci: pci)
        flash = MemoryTechnologyDevice.all(root)
        peripherals = PeripheralController.all(root)
    }
}
