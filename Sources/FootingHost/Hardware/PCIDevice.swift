internal import FootingSystem

/// A PCI function (`/sys/bus/pci/devices`).
public struct PCIDevice: Sendable {
    /// Domain, bus, device and function, as in `0000:00:02.0`.
    public let slot: String
    /// Vendor id.
    public let vendor: UInt16
    /// Device id.
    public let device: UInt16
    /// Class, subclass and programming interface, 24 bits.
    public let classCode: Fact<UInt32>
    /// The driver bound to it.
    public let driver: Fact<String>
    /// NUMA node; -1 where the firmware names none.
    public let numaNode: Fact<Int>
    /// The devices that the IOMMU cannot tell from it (`iommu_group`).
    public let iommuGroup: Fact<Int>

    /// Vendor and device id in one number, as tables have it.
    var identity: UInt32 { UInt32(vendor) << 16 | UInt32(device) }

    private static let folder = "sys/bus/pci/devices"

    /// Every function, by slot.
    static func all(_ root: HostRoot) -> [PCIDevice] {
        var bridge = ""
        var bus = Attributes(folder, root)
        let slots = root.namesIfPresent(folder)
        if slots.isEmpty, !root.isLive { return recorded(root) }
        // Without an IOMMU no function has a group: one folder spares a question for each.
        let hasGroups =
            !slots.isEmpty && !root.namesIfPresent("sys/kernel/iommu_groups").isEmpty
        return slots.compactMap { slot in
            // Most functions lie right below their host bridge, whose opened folder spares the
            // walk over the bus's links.
            let above = "sys/devices/pci\(slot.prefix(7))"
            if above != bridge {
                bridge = above
                bus = Attributes(above, root)
            }
            return PCIDevice(slot, root, bus, hasGroups: hasGroups)
        }
    }

    /// Nil where neither `uevent` nor the single attributes give the ids.
    private init?(_ slot: String, _ root: HostRoot, _ bus: Attributes, hasGroups: Bool) {
        let path = "\(Self.folder)/\(slot)"
        self.slot = slot
        // One read tells four facts; a recorded tree may lack it or hold only a part.
        let near = bus.fact("\(slot)/uevent").value
        let event = near ?? (try? root.attribute("\(path)/uevent")) ?? ""
        var ids: (vendor: UInt64, device: UInt64)?
        if let text = event.line(after: "PCI_ID=") {
            let parts = pieces(text, separator: ":")
            if parts.count == 2, let vendor = hexadecimal(parts[0]),
                let device = hexadecimal(parts[1])
            {
                ids = (vendor, device)
            }
        }
        let classText = event.line(after: "PCI_CLASS=")
        let driverName = event.line(after: "DRIVER=")
        let read: (String) -> UInt64? = { name in
            root.fact("\(path)/\(name)").value.flatMap { hexadecimal($0) }
        }
        guard let vendor = ids?.vendor ?? read("vendor"),
            let device = ids?.device ?? read("device"),
            vendor <= 0xffff, device <= 0xffff
        else { return nil }
        self.vendor = UInt16(vendor)
        self.device = UInt16(device)
        let code = classText.flatMap { hexadecimal($0) } ?? read("class")
        classCode =
            code.map { .known(UInt32(truncatingIfNeeded: $0 & 0xff_ffff)) }
            ?? .absent("neither \(path)/uevent nor \(path)/class tells")
        if let driverName {
            driver = .known(driverName)
        } else if event.isEmpty {
            driver = root.linkName("\(path)/driver")
        } else {
            driver = .absent("no driver is bound")
        }
        numaNode = near == nil ? root.number("\(path)/numa_node") : bus.number("\(slot)/numa_node")
        if hasGroups {
            let group =
                near == nil
                ? root.linkName("\(path)/iommu_group") : bus.linkName("\(slot)/iommu_group")
            switch group {
            case .absent(let reason): iommuGroup = .absent(reason)
            case .known(let name):
                iommuGroup = Int(name).map { .known($0) } ?? .absent("no group's number: \(name)")
            }
        } else {
            iommuGroup = .absent("sys/kernel/iommu_groups shows no group: no IOMMU is in use")
        }
    }

    /// Whether a path component is a slot, as `0000:00:1f.2`.
    public static func isSlot(_ name: some StringProtocol) -> Bool {
        let bytes = Array(name.utf8)
        guard bytes.count >= 12, bytes[bytes.count - 2] == UInt8(ascii: ".") else { return false }
        return bytes[bytes.count - 5] == UInt8(ascii: ":")
            && bytes[bytes.count - 8] == UInt8(ascii: ":")
    }
}
