internal import FootingSystem

/// A whole block device and the properties of its queue (`/sys/block`, sysfs-block).
public struct BlockDevice: Sendable {
    /// Kernel name, as `nvme0n1`.
    public let name: String
    /// Size in bytes.
    public let sizeBytes: UInt64
    /// `major:minor`.
    public let number: Fact<String>
    /// The driver that gives the device its interface.
    public let driver: Fact<String>
    /// Drivers from the device down to its bus.
    public let driverChain: [String]
    /// How it is attached, as `virtio-blk`.
    public let interface: String
    /// Whether it is an agreement with a hypervisor.
    public let isParavirtual: Bool
    /// What the model or the PCI id says of it, as `amazon-ebs`.
    public let product: Fact<String>
    /// The device's own model text.
    public let model: Fact<String>
    /// The first PCI function above it.
    public let pciSlot: Fact<String>
    /// NUMA node of that function; -1 where the firmware names none.
    public let numaNode: Fact<Int>
    /// Hardware queues (directories in `mq`).
    public let queues: Fact<Int>
    /// Requests that the device takes at once: a SCSI device's `queue_depth`, else the tags of a
    /// hardware queue (`mq/0/nr_tags`).
    public let queueDepth: Fact<Int>
    /// Requests the scheduler holds (`nr_requests`).
    public let requests: Fact<Int>
    /// The scheduler in use.
    public let scheduler: Fact<String>
    /// Whether the kernel treats it as rotating; virtio-blk says so of anything.
    public let rotational: Fact<Bool>
    /// `write back` or `write through`: what the kernel believes of the device's cache.
    public let writeCache: Fact<String>
    /// Whether a write can be made durable on its own.
    public let fua: Fact<Bool>
    /// The largest discard in bytes; 0: none.
    public let discardBytesMaximum: Fact<Int>
    /// Discards must be multiples of this many bytes.
    public let discardGranularityBytes: Fact<Int>
    /// The smallest unit of I/O in bytes.
    public let logicalBlockBytes: Fact<Int>
    /// The unit the device writes without reading first, in bytes.
    public let physicalBlockBytes: Fact<Int>
    /// The preferred size of I/O in bytes; 0: none given.
    public let optimalBytes: Fact<Int>
    /// `MMC`, `SD` for flash cards; absent elsewhere.
    public let media: Fact<String>
    /// What a flash card tells of its flash.
    public let flash: Fact<FlashCard>
    /// Its partitions, by number.
    public let partitions: [BlockPartition]
    /// What it is, if the kernel makes it up of other devices.
    public let layer: Fact<BlockLayer>
    /// The devices right below it; none for hardware.
    public let lower: [String]
    /// The hardware at the bottom: itself, if it is hardware.
    public let disks: Fact<[String]>
    /// The ways that lead to the same device: multipath by NVMe or by device mapper.
    public let paths: Fact<[String]>
    /// What is written on an NVMe namespace; `none` if no known format is.
    public let signature: Fact<String>
    /// Every use that can be seen of an NVMe namespace, in words.
    public private(set) var uses: Fact<[String]>
    /// Whether nothing uses this NVMe namespace, as far as can be seen.
    ///
    /// Who hands it over must open it exclusively first: only that shows other processes.
    public var isFree: Fact<Bool> { uses.map { $0.isEmpty } }

    /// What devices are looked at with.
    struct Surroundings {
        let survey: BlockSurvey
        let pci: [PCIDevice]
        /// Names of all block devices that have a size, on a live machine.
        let known: [String]?
        let usage: () -> DeviceUsage
    }

    /// No disk is larger: its size in bytes fits the kernel's `loff_t`.
    private static let sectorsMaximum = Int.max / 512

    /// Every device that has a size: an unbound loop device or an empty card reader has none.
    static func all(
        _ survey: BlockSurvey,
        pci: [PCIDevice],
        container: String
    ) -> [BlockDevice] {
        let root = survey.root
        // One file names all that have a size, where a machine has dozens of unbound loop devices.
        // A recorded tree need not have it, and has time.
        let known = root.isLive ? (try? root.text("proc/partitions")).map(partitionTableNames) : nil
        var shared: DeviceUsage?
        let around = Surroundings(survey: survey, pci: pci, known: known) {
            let usage = shared ?? DeviceUsage(survey, container: container)
            shared = usage
            return usage
        }
        var devices = root.namesIfPresent("sys/block").compactMap { name -> BlockDevice? in
            if let known, !known.contains(name) { return nil }
            let folder = Attributes("sys/block/\(name)", root)
            let size = folder.number("size").value ?? 0
            guard 1...sectorsMaximum ~= size else { return nil }
            return BlockDevice(name, folder, sectors: UInt64(size), around)
        }
        addSiblings(&devices, usage: around.usage)
        return devices
    }

    private init(
        _ name: String,
        _ folder: Attributes,
        sectors: UInt64,
        _ around: Surroundings
    ) {
        let root = around.survey.root
        let path = "sys/block/\(name)"
        let place = DevicePlace(name, root)
        self.name = name
        // sysfs counts in units of 512 bytes whatever the device's sector is.
        sizeBytes = sectors * 512
        number = folder.fact("dev")
        driver = place.driver
        driverChain = place.chain
        interface = place.interface
        isParavirtual = place.isParavirtual
        let function = place.pciSlot.flatMap { slot in around.pci.first { $0.slot == slot } }
        pciSlot = place.pciSlot.map { .known($0) } ?? .absent("no PCI function above it")
        numaNode = function?.numaNode ?? .absent("no PCI function above it")
        let isSoftware = place.isSoftware
        model = isSoftware ? .absent("not hardware") : root.fact("\(path)/device/model")
        product = BlockInterface.product(model: model.value, identity: function?.identity)
        let queueNames = folder.names("mq")
        queues = queueNames.isEmpty ? .absent("\(path)/mq is not there") : .known(queueNames.count)
        queueDepth = Self.depth(folder, place, hasQueues: !queueNames.isEmpty, root)
        requests = folder.number("queue/nr_requests")
        scheduler = folder.fact("queue/scheduler").map(Self.chosen)
        rotational = folder.flag("queue/rotational")
        writeCache = folder.fact("queue/write_cache")
        fua = folder.flag("queue/fua")
        discardBytesMaximum = folder.number("queue/discard_max_bytes")
        discardGranularityBytes = folder.number("queue/discard_granularity")
        logicalBlockBytes = folder.number("queue/logical_block_size")
        physicalBlockBytes = folder.number("queue/physical_block_size")
        optimalBytes = folder.number("queue/optimal_io_size")
        let isCard = place.interface == "mmc"
        media = isCard ? root.fact("\(path)/device/type") : .absent("not a flash card")
        flash =
            isCard
            ? .known(FlashCard("\(path)/device", media: media, root))
            : .absent("not a flash card")
        partitions = BlockPartition.all(of: name, known: around.known, root)
        let stack = Stack(name, place, around.survey)
        layer = stack.layer
        lower = stack.lower
        disks = stack.disks
        paths = stack.paths
        guard name.hasPrefix("nvme") else {
            signature = .absent("not an NVMe namespace")
            uses = .absent("not an NVMe namespace")
            return
        }
        // A partition table or file system that the kernel already uses needs no second look.
        signature =
            partitions.isEmpty
            ? DiskSignature.look(at: name, number: number.value, sizeBytes: sizeBytes, root)
            : .known("partitions")
        uses = around.usage().uses(
            name,
            number: number.value,
            partitions: partitions,
            signature: partitions.isEmpty ? signature : .absent("")
        )
    }

    /// Adds what was seen only once all devices were known.
    mutating func add(use: String) {
        uses = .known((uses.value ?? []) + [use])
    }

    private static func depth(
        _ folder: Attributes,
        _ place: DevicePlace,
        hasQueues: Bool,
        _ root: HostRoot
    ) -> Fact<Int> {
        if place.chain.first == "sd" {
            // Not below the opened folder: in a recorded tree a link may not climb out of it.
            let device = Attributes("\(folder.path)/device", root)
            if case .known(let depth) = device.count("queue_depth") { return .known(depth) }
        }
        return hasQueues ? folder.count("mq/0/nr_tags") : .absent("it has no hardware queues")
    }

    /// `[none] mq-deadline` means that `none` is in use.
    static func chosen(_ text: String) -> String {
        guard let open = text.utf8.firstIndex(of: UInt8(ascii: "[")),
            let close = text.utf8.lastIndex(of: UInt8(ascii: "]")), open < close
        else { return text }
        return String(text[text.utf8.index(after: open)..<close])
    }
}
