/// How a hypervisor signs in CPUID leaf 0x40000000 and every 0x100 above it.
///
/// The order of the lines does not matter: twelve bytes are equal to one of them or to none. What
/// matters is which range is asked first, see ``CPUIDFacts``.
struct HypervisorSignature: Sendable {
    let text: String
    let kind: HypervisorKind

    init(_ text: String, _ kind: HypervisorKind) {
        precondition(text.utf8.count <= 12, "a signature has twelve bytes: \(text)")
        self.text = text
        self.kind = kind
    }

    /// The kind that signs with these twelve bytes; shorter texts are filled up with NULs.
    static func kind(_ bytes: [UInt8]) -> HypervisorKind? {
        table.first { entry in
            bytes.starts(with: entry.text.utf8)
                && bytes.dropFirst(entry.text.utf8.count).allSatisfy { $0 == 0 }
        }?.kind
    }

    /// One line for each signature.
    static let table: [HypervisorSignature] = [
        .init("KVMKVMKVM", .kvm),
        .init("Linux KVM Hv", .kvm),  // KVM passing Hyper-V's interface through
        .init("Microsoft Hv", .hyperv),
        .init("VMwareVMware", .vmware),
        .init("XenVMMXenVMM", .xen),
        .init("TCGTCGTCGTCG", .qemu),
        .init("VBoxVBoxVBox", .virtualbox),
        .init("bhyve bhyve ", "bhyve"),
        .init("BHyVE BHyVE ", "bhyve"),
        .init("QNXQVMBSQG", "qnx"),
        .init(" QNXQVMBSQG ", "qnx"),
        .init("ACRNACRNACRN", "acrn"),
        .init("SRESRESRESRE", "sre"),
        .init("Apple VZ", "apple"),
        .init("OpenBSDVMM58", "vmm"),
        .init("LKVMLKVMLKVM", "kvmtool"),
        .init("UnisysSpar64", "unisys"),
        .init(" lrpepyh  vr", "parallels"),
        .init("prl hyperv  ", "parallels"),
        .init(" prl hyperv ", "parallels"),
        .init("Jailhouse", "jailhouse"),
        .init("HAXMHAXMHAXM", "haxm"),
        .init("___ NVMM ___", "nvmm"),
        .init("EVMMEVMMEVMM", "kgt"),
        .init("NoirVisor ZT", "noirvisor"),
    ]

    /// Processor vendors of leaf 0 that only an emulator of x86 gives itself.
    static let emulatedProcessors: [HypervisorSignature] = [
        .init("ConnectixCPU", .virtualpc),
        .init("VirtualApple", "apple"),  // Rosetta 2
        .init("PowerVM Lx86", "powervm-lx86"),
        // Translators of programs, not of machines: a processor's vendor, and no hypervisor.
        .init("MicrosoftXTA", .other),
        .init("Virtual CPU ", .other),  // Windows 10 on Arm; Virtual PC's DMI tells it from this
    ]
}
