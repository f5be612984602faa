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
            let alias = event.line(after: "MODALIAS=virtio:d")
            let number = alias.flatMap { UInt64($0.prefix(8), radix: 16) }
            let driver = event.line(after: "DRIVER=")
            let id = number ?? root.fact("\(path)/device").value.flatMap { hexadecimal($0) }
            return ParavirtualDevice(
                bus: "virtio",
                name: name,
                kind: virtioKind(id),
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
            pciKind(function.identity).map {
                ParavirtualDevice(
                    bus: "pci",
                    name: function.slot,
                    kind: $0,
                    driver: function.driver
                )
            }
        }
    }

    /// Device numbers of the virtio specification, section 5: one line for each.
    private static func virtioKind(_ number: UInt64?) -> String {
        switch number {
        case 1: "network"
        case 2: "block"
        case 3: "console"
        case 4: "entropy"
        case 5: "balloon"
        case 8: "scsi"
        case 9: "9p"
        case 16: "gpu"
        case 18: "input"
        case 19: "vsock"
        case 20: "crypto"
        case 24: "memory"
        case 25: "sound"
        case 26: "filesystem"
        case 27: "pmem"
        default: "other"
        }
    }

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

    /// PCI ids of hypervisors' own devices: one line for each.
    private static func pciKind(_ id: UInt32) -> String? {
        switch id {
        case 0x15ad_07c0: "scsi"  // VMware PVSCSI
        case 0x15ad_07f0: "block"  // VMware NVMe
        case 0x15ad_07b0: "network"  // VMware VMXNET3
        case 0x15ad_0740: "communication"  // VMware VMCI
        case 0x1d0f_8061: "block"  // Amazon EBS
        case 0x1d0f_ec20: "network"  // Amazon ENA
        case 0x1414_b111: "block"  // Azure NVMe
        case 0x1ae0_001f: "block"  // Google persistent disk
        case 0x1ae0_0042: "network"  // Google gVNIC
        case 0x5853_0001: "platform"  // Xen platform device
        case 0x80ee_cafe: "communication"  // VirtualBox guest service
        default: nil
        }
    }
}
