internal import FootingSystem

/// Hypervisors of single architectures, each with a source of its own.
enum PlatformHypervisor {
    /// The beginning of `/proc/cpuinfo`, where CPUID does not tell as much.
    ///
    /// The kernel takes 30 µs to write it. On a live x86 machine only User Mode Linux, known by a
    /// file of its own, has anything there that the instruction would not say better.
    static func processorText(_ root: HostRoot, _ processor: CPUIDFacts) -> String? {
        if root.isLive, processor.absence == nil, !root.exists("proc/exitcode") { return nil }
        return try? root.beginning("proc/cpuinfo")
    }

    typealias Finding = (kind: HypervisorKind, evidence: Evidence)

    /// User Mode Linux executes the host's CPUID, so `/proc/cpuinfo` must be asked first.
    static func userMode(processorText: String?) -> Finding? {
        guard let vendor = processorText?.field("vendor_id"), vendor == "User Mode Linux" else {
            return nil
        }
        return (.uml, Evidence(source: "proc/cpuinfo", value: vendor, says: "User Mode Linux"))
    }

    /// IBM Z: `/proc/sysinfo` names what runs this system, the second-level guest first.
    static func mainframe(_ root: HostRoot) -> Finding? {
        guard let text = try? root.beginning("proc/sysinfo", limitBytes: 16384) else { return nil }
        return mainframe(text)
    }

    /// The same of the file's text.
    static func mainframe(_ text: String) -> Finding? {
        if let program = text.field("VM00 Control Program") {
            let kind: HypervisorKind = program.hasPrefix("z/VM") ? .zvm : .kvm
            return (
                kind,
                Evidence(
                    source: "proc/sysinfo",
                    value: program,
                    says: "the control program of this virtual machine"
                )
            )
        }
        return text.field("LPAR Name").map {
            (
                .prsm,
                Evidence(source: "proc/sysinfo", value: $0, says: "a logical partition under PR/SM")
            )
        }
    }

    /// POWER and SPARC: what `/proc/cpuinfo` and single files say.
    static func partition(_ root: HostRoot, processorText: String?) -> Finding? {
        if let machine = processorText?.field("machine"),
            machine.holds("emulated by qemu") || machine.holds("pSeries"),
            machine.holds("qemu")
        {
            return (
                .qemu,
                Evidence(
                    source: "proc/cpuinfo",
                    value: machine,
                    says: "QEMU's POWER board; whether KVM accelerates it is not told"
                )
            )
        }
        if processorText?.holds("PowerVM Lx86") == true {
            return (
                "powervm-lx86",
                Evidence(source: "proc/cpuinfo", value: "PowerVM Lx86", says: "x86 on POWER")
            )
        }
        if let text = try? root.beginning("proc/ppc64/lparcfg"),
            let mode = lines(text).first(where: { $0.hasPrefix("shared_processor_mode=") })
        {
            return (
                .powervm,
                Evidence(source: "proc/ppc64/lparcfg", value: mode, says: "a PowerVM partition")
            )
        }
        guard root.exists("dev/mdesc") else { return nil }
        return (
            .ldoms,
            Evidence(source: "dev/mdesc", value: "", says: "a SPARC machine description: LDoms")
        )
    }

    /// A PCI function that only one hypervisor shows; `lscpu` judges by the same.
    static func device(_ pci: [PCIDevice]) -> Finding? {
        for function in pci {
            let kind: HypervisorKind? =
                switch function.identity {
                case 0x5853_0001: .xen
                case 0x15ad_0710, 0x15ad_0405, 0x15ad_0740: .vmware
                case 0x80ee_beef, 0x80ee_cafe: .virtualbox
                case 0x1414_5353: .hyperv
                default: nil
                }
            if let kind {
                let value =
                    "\(hexadecimalText(UInt64(function.vendor), digits: 4)):"
                    + hexadecimalText(UInt64(function.device), digits: 4)
                return (
                    kind,
                    Evidence(
                        source: "sys/bus/pci/devices/\(function.slot)",
                        value: value,
                        says: "a device that only \(kind) has"
                    )
                )
            }
        }
        return nil
    }

    /// The maker of the ACPI tables, where a small hypervisor signs nothing else.
    static func firmwareProduct(_ root: HostRoot) -> (product: String, evidence: Evidence)? {
        let path = "sys/firmware/acpi/tables/FACP"
        guard let table = try? root.firstBytes(path, count: 36), table.count >= 16 else {
            return nil
        }
        let maker = printable(Array(table[10..<16]))
        return firmwareMakers.first { $0.maker == maker }.map {
            (
                $0.product,
                Evidence(source: path, value: maker, says: "the ACPI tables' maker: \($0.product)")
            )
        }
    }

    private static let firmwareMakers: [(maker: String, product: String)] = [
        ("FIRECK", "firecracker"),
        ("CLOUDH", "cloud-hypervisor"),
        ("CROSVM", "crosvm"),
        ("ACRN", "acrn"),
    ]
}
