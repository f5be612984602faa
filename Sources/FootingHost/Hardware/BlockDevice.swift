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
    /// What the PCI id says of an NVMe device, as `amazon-ebs`.
    public let product: Fact<String>
    /// The device's own model text.
    public let model: Fact<String>
    /// The first PCI function above it.
    public let pciSlot: Fact<String>
    /// NUMA node of that function; -1 where the firmware names none.
    public let numaNode: Fact<Int>
    /// Hardware queues (directories in `mq`).
    public let queues: Fact<Int>
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
    /// `eMMC`, `SD` for flash cards; absent elsewhere.
    public let media: Fact<String>
    /// Whether nothing uses this NVMe namespace, as far as sysfs and the mount table tell.
    public let isFree: Fact<Bool>

    /// Every device that has a size: an unbound loop device or an empty card reader has none.
    static func all(
        _ root: HostRoot,
        pci: [PCIDevice],
        usage: @autoclosure () -> DeviceUsage
    ) -> [BlockDevice] {
        var shared: DeviceUsage?
        // One file names all that have a size, where a machine has dozens of unbound loop devices.
        // A recorded tree need not have it, and has time.
        let partitions = root.isLive ? try? root.text("proc/partitions") : nil
        return root.namesIfPresent("sys/block").compactMap { name in
            if let partitions, !partitions.holds(" \(name)") { return nil }
            guard let sectors = root.number("sys/block/\(name)/size").value, sectors > 0 else {
                return nil
            }
            if name.hasPrefix("nvme"), shared == nil { shared = usage() }
            return BlockDevice(name, sectors: UInt64(sectors), root, pci: pci, usage: shared)
        }
    }

    private init(
        _ name: String,
        sectors: UInt64,
        _ root: HostRoot,
        pci: [PCIDevice],
        usage: DeviceUsage?
    ) {
        let path = "sys/block/\(name)"
        let queue = Attributes("\(path)/queue", root)
        let place = DevicePlace(name, root)
        self.name = name
        // sysfs counts in units of 512 bytes whatever the device's sector is.
        sizeBytes = sectors.multipliedReportingOverflow(by: 512).partialValue
        number = root.fact("\(path)/dev")
        driver = place.driver
        driverChain = place.chain
        interface = place.interface
        isParavirtual = place.isParavirtual
        let function = place.pciSlot.flatMap { slot in pci.first { $0.slot == slot } }
        product =
            function.flatMap { BlockInterface.nvmeProduct($0.identity) }.map { .known($0) }
            ?? .absent("no known PCI id above it")
        pciSlot = place.pciSlot.map { .known($0) } ?? .absent("no PCI function above it")
        numaNode = function?.numaNode ?? .absent("no PCI function above it")
        let isSoftware = place.isSoftware
        model = isSoftware ? .absent("not hardware") : root.fact("\(path)/device/model")
        let queueNames = root.namesIfPresent("\(path)/mq")
        queues = queueNames.isEmpty ? .absent("\(path)/mq is not there") : .known(queueNames.count)
        requests = queue.number("nr_requests")
        scheduler = queue.fact("scheduler").map(Self.chosen)
        rotational = queue.flag("rotational")
        writeCache = queue.fact("write_cache")
        fua = queue.flag("fua")
        discardBytesMaximum = queue.number("discard_max_bytes")
        discardGranularityBytes = queue.number("discard_granularity")
        logicalBlockBytes = queue.number("logical_block_size")
        physicalBlockBytes = queue.number("physical_block_size")
        optimalBytes = queue.number("optimal_io_size")
        let isCard = place.interface == "mmc"
        media = isCard ? root.fact("\(path)/device/type") : .absent("not a flash card")
        isFree =
            name.hasPrefix("nvme")
            ? usage?.isFree(name, number: number.value, root) ?? .absent("not examined")
            : .absent("not an NVMe namespace")
    }

    /// `[none] mq-deadline` means that `none` is in use.
    private static func chosen(_ text: String) -> String {
        guard let open = text.utf8.firstIndex(of: UInt8(ascii: "[")),
            let close = text.utf8.lastIndex(of: UInt8(ascii: "]")), open < close
        else { return text }
        return String(text[text.utf8.index(after: open)..<close])
    }
}
