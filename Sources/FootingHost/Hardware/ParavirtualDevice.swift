internal import FootingSystem

/// A device that exists as an agreement between this kernel and a hypervisor.
public struct ParavirtualDevice: Sendable {
    /// `virtio`, `xen`, `vmbus` or `pci`.
    public let bus: String
    /// The device's name on its bus.
    public let name: String
    /// What it is for, as `block`, `scsi`, `network` or `balloon`.
    public let kind: String
    /// The driver bound to it.
    public let driver: Fact<String>

    /// Every such device, bus by bus.
    static func all(_ root: HostRoot, pci: [PCIDevice]) -> [ParavirtualDevice] {
        virtio(root) + xen(root) + virtualMachineBus(root) + functions(pci)
    }

    private static func virtio(_ root: HostRoot) -> [ParavirtualDevice] {
        let folder = "sys/bus/virtio/devices"
        return root.namesIfPresent(folder).map { name in
            let path = "\(folder)/\(name)"
            // One read tells both; a recorded tree may lack it.
            let event = (try? root.attribute("\(path)/uevent")) ?? ""
            var number: UInt64?
            var driver: String?
            for line in lines(event) {
                if let text = line.dropping(prefix: "MODALIAS=virtio:d") {
                    number = UInt64(text.prefix(8), radix: 16)
                } else if let text = line.dropping(prefix: "DRIVER=") {
                    driver = text
                }
            }
            let id = number ?? root.fact("\(path)/device").value.flatMap { hexadecimal($0) }
            return ParavirtualDevice(
                bus: "virtio",
                name: name,
                kind: virtioKinds.first { UInt64($0.number) == id }?.kind ?? "other",
                driver: driver.map { .known($0) } ?? root.linkName("\(path)/driver")
            )
        }
    }

    private static func xen(_ root: HostRoot) -> [ParavirtualDevice] {
        let folder = "sys/bus/xen/devices"
        return root.namesIfPresent(folder).map { name in
            ParavirtualDevice(
                bus: "xen",
                name: name,
                kind: xenKinds.first { name.hasPrefix($0.prefix) }?.kind ?? "other",
                driver: root.linkName("\(folder)/\(name)/driver")
            )
        }
    }

    private static func virtualMachineBus(_ root: HostRoot) -> [ParavirtualDevice] {
        let folder = "sys/bus/vmbus/devices"
        return root.namesIfPresent(folder).map { name in
            let id = root.fact("\(folder)/\(name)/class_id").value ?? ""
            return ParavirtualDevice(
                bus: "vmbus",
                name: name,
                kind: busKinds.first { id.holds($0.id) }?.kind ?? "other",
                driver: root.linkName("\(folder)/\(name)/driver")
            )
        }
    }

    private static func functions(_ pci: [PCIDevice]) -> [ParavirtualDevice] {
        pci.compactMap { function in
            let line = pciKinds.first {
                $0.vendor == function.vendor && $0.device == function.device
            }
            return line.map {
                ParavirtualDevice(
                    bus: "pci",
                    name: function.slot,
                    kind: $0.kind,
                    driver: function.driver
                )
            }
        }
    }

    /// Device numbers of the virtio specification, section 5.
    private static let virtioKinds: [(number: UInt16, kind: String)] = [
        (1, "network"), (2, "block"), (3, "console"), (4, "entropy"), (5, "balloon"),
        (8, "scsi"), (9, "9p"), (16, "gpu"), (18, "input"), (19, "vsock"), (20, "crypto"),
        (24, "memory"), (25, "sound"), (26, "filesystem"), (27, "pmem"),
    ]

    private static let xenKinds: [(prefix: String, kind: String)] = [
        ("vbd", "block"), ("vscsi", "scsi"), ("vif", "network"), ("vfb", "gpu"),
        ("vkbd", "input"), ("console", "console"), ("9pfs", "9p"),
    ]

    /// Class ids of `include/linux/hyperv.h`.
    private static let busKinds: [(id: String, kind: String)] = [
        ("ba6163d9-04a1-4d29-b605-72e2ffb1dc7f", "scsi"),
        ("32412632-86cb-44a2-9b5c-50d1417354f5", "ide"),
        ("2f9bcc4a-0069-4af3-b76b-6fd0be528cda", "fibre-channel"),
        ("f8615163-df3e-46c5-913f-f2d2f965ed0e", "network"),
        ("525074dc-8985-46e2-8057-a307dc18a502", "balloon"),
    ]

    private static let pciKinds: [(vendor: UInt16, device: UInt16, kind: String)] = [
        (0x15ad, 0x07c0, "scsi"),  // VMware PVSCSI
        (0x15ad, 0x07f0, "block"),  // VMware NVMe
        (0x15ad, 0x07b0, "network"),  // VMware VMXNET3
        (0x15ad, 0x0740, "communication"),  // VMware VMCI
        (0x1d0f, 0x8061, "block"),  // Amazon EBS
        (0x1d0f, 0xec20, "network"),  // Amazon ENA
        (0x1414, 0xb111, "block"),  // Azure NVMe
        (0x1ae0, 0x001f, "block"),  // Google persistent disk
        (0x1ae0, 0x0042, "network"),  // Google gVNIC
        (0x5853, 0x0001, "platform"),  // Xen platform device
        (0x80ee, 0xcafe, "communication"),  // VirtualBox guest service
    ]
}
