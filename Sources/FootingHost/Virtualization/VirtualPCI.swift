/// PCI functions that one hypervisor alone shows; `lscpu` judges by some of the same.
struct VirtualPCI: Sendable {
    let vendor: UInt16
    /// Nil: any function of that maker.
    let device: UInt16?
    let kind: HypervisorKind

    init(_ vendor: UInt16, _ device: UInt16?, _ kind: HypervisorKind) {
        self.vendor = vendor
        self.device = device
        self.kind = kind
    }

    /// One line for each, the surest first: the line decides, not the slot.
    ///
    /// VirtualBox and QEMU can show VMware's graphics and network cards, and Xen and Parallels use
    /// QEMU's or Bochs' graphics, so those that nobody imitates stand first. virtio (1af4) is not
    /// here: every hypervisor has it, and network cards for servers have it in hardware.
    static let table: [VirtualPCI] = [
        .init(0x5853, 0x0001, .xen),  // platform device
        .init(0x5853, 0x0002, .xen),  // platform device of Citrix
        .init(0x5853, 0xc000, .xen),
        .init(0x80ee, 0xbeef, .virtualbox),  // graphics
        .init(0x80ee, 0xcafe, .virtualbox),  // guest service
        .init(0x1ab8, nil, .parallels),
        .init(0x1414, 0x5353, .hyperv),  // graphics of generation 1
        .init(0xfb5d, 0x40fb, "bhyve"),  // graphics
        .init(0x110a, 0x4106, "jailhouse"),  // shared memory
        .init(0x15ad, 0x0740, .vmware),  // VMCI
        .init(0x15ad, 0x0790, .vmware),  // PCI bridge
        .init(0x15ad, 0x07a0, .vmware),  // PCI Express port
        .init(0x15ad, 0x0710, .vmware),  // graphics of old versions
        .init(0x1b36, nil, .qemu),  // QEMU's own functions, Red Hat's number
        .init(0x1234, 0x1111, .qemu),  // graphics of QEMU and Bochs
        .init(0x15ad, 0x0405, .vmware),  // graphics
    ]

    /// The surest line that fits one of the functions, with what was seen.
    static func find(_ functions: [PCIDevice]) -> PlatformHypervisor.Finding? {
        guard !functions.isEmpty else { return nil }
        for line in table {
            let function = functions.first {
                $0.vendor == line.vendor && (line.device == nil || $0.device == line.device)
            }
            guard let function else { continue }
            let value =
                hexadecimalText(UInt64(function.vendor), digits: 4) + ":"
                + hexadecimalText(UInt64(function.device), digits: 4)
            return (
                line.kind,
                Evidence(
                    source: "pci \(function.slot)",
                    value: value,
                    says: "a device that only \(line.kind) has"
                )
            )
        }
        return nil
    }
}
