public import FootingSystem

/// The processors, as far as storage cares.
public struct Processor: Sendable {
    /// `GenuineIntel`, `AuthenticAMD`, or what `/proc/cpuinfo` names elsewhere.
    public let vendor: Fact<String>
    /// The model's name; the first processor's where they differ.
    public let model: Fact<String>
    /// All names, in the order of the processors: more than one on Arm with cores of several sizes.
    public let models: Fact<[String]>
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
        let names = ProcessorNames(root, cpuid, text)
        vendor = Self.fact(names.vendor)
        model = Self.fact(names.model)
        models = names.models.isEmpty ? Self.fact(nil).map { [$0] } : .known(names.models)
        let folder = try? root.folder("sys/devices/system/cpu")
        online = ProcessorList.online(root)
        features = ProcessorFeatures.find(cpuid, text: text)
        topology = ProcessorTopology(folder, online: online, root)
        let first = online.value?.first ?? 0
        caches = ProcessorCache.all(root, folder, first: first, cpuid, source)
    }

    private static func fact(_ text: String?) -> Fact<String> {
        text.map { .known($0) } ?? .absent("neither CPUID nor proc/cpuinfo tells")
    }
}

/// What the machine says of itself: its maker and its name.
public struct MachineIdentity: Sendable {
    /// The maker (DMI `sys_vendor`, or `Manufacturer` of IBM Z's `/proc/sysinfo`).
    public let vendor: Fact<String>
    /// The machine's name: DMI `product_name`, the device tree's `model`, IBM Z's type, or a line
    /// of `/proc/cpuinfo`.
    public let product: Fact<String>
    /// The maker of the firmware (DMI `bios_vendor`).
    public let firmwareVendor: Fact<String>
    /// What a device tree is compatible with, the most special first; empty without one.
    public let compatible: [String]

    /// IBM Z's type, as in `processor 0: version = 00,  identification = 1,  machine = 2964`.
    private static func mainframe(_ text: String?) -> String? {
        guard let text, text.field("vendor_id") == "IBM/S390" else { return nil }
        return lines(text).lazy.filter { $0.hasPrefix("processor ") }
            .compactMap { pieces($0, separator: ",").last?.trimmed.dropping(prefix: "machine = ") }
            .first
    }

    /// Lines of `/proc/cpuinfo` that name the machine: POWER and MIPS, boards such as Raspberry
    /// Pi's, the chip on Arm, old POWER.
    private static let names = ["machine", "Model", "Hardware", "model"]

    /// One of these lines; a processor's number, as Itanium's `model` is, names no machine.
    private static func line(_ name: String, _ text: String?) -> String? {
        guard let text, let value = text.field(name) else { return nil }
        let isNumber = text.field("arch") == "IA-64" || value.utf8.allSatisfy(\.isDigit)
        return name == "model" && isNumber ? nil : value
    }

    init(_ root: HostRoot, dmi: DMI, tree: DeviceTree?, text: String?) {
        func fact(_ field: DMI.Field) -> Fact<String> {
            dmi[field].map { .known($0) } ?? .absent("\(dmi.source(field)) is not there")
        }
        firmwareVendor = fact(.biosVendor)
        compatible = tree?.compatible ?? []
        // IBM Z has neither; its maker and type are what the firmware answers.
        let answer =
            dmi.folder == nil ? try? root.beginning("proc/sysinfo", limitBytes: 16384) : nil
        vendor = answer?.field("Manufacturer").map { .known($0) } ?? fact(.systemVendor)
        guard dmi.folder == nil else {
            product = fact(.productName)
            return
        }
        var name = answer?.field("Type") ?? tree?.model ?? Self.mainframe(text)
        // On x86 this line is the processor's number.
        if name == nil, text?.field("flags") == nil {
            for line in Self.names where name == nil { name = Self.line(line, text) }
        }
        product = name.map { .known($0) } ?? fact(.productName)
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
        machine = MachineIdentity(root, dmi: dmi, tree: tree, text: text)
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
