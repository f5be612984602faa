import FootingHost
import FootingSystem
import Testing

/// Leaves that a test makes up, with the leaves that were asked for.
private final class CountedCPUID: CPUIDSource {
    let leaves: [UInt32: CPUIDRegisters]
    let asked = Locked<[UInt32]>([])
    let absence = ""

    init(_ leaves: [UInt32: CPUIDRegisters]) { self.leaves = leaves }

    func registers(leaf: UInt32, subleaf: UInt32) -> CPUIDRegisters? {
        asked.withLock { $0.append(leaf) }
        return leaves[leaf] ?? .zero
    }
}

@Suite struct CPUIDTests {
    private func detect(_ source: some CPUIDSource) throws -> HypervisorInfo {
        try MachineFixture("none", ["folder sys"]).withRoot {
            HypervisorDetector.detect(root: $0, cpuid: source)
        }
    }

    private func signature(_ text: String, maximum: UInt32) -> CPUIDRegisters {
        let bytes = Array(text.utf8) + [UInt8](repeating: 0, count: 12 - text.utf8.count)
        func word(_ at: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << ($1 * 8) }
        }
        return CPUIDRegisters(eax: maximum, ebx: word(0), ecx: word(4), edx: word(8))
    }

    private let bit = CPUIDRegisters(eax: 0, ebx: 0, ecx: 1 << 31, edx: 0)

    @Test func `the hypervisor's leaves are not asked without its bit`() throws {
        let source = CountedCPUID([
            0: signature("GenuineIntel", maximum: 0x16),
            0x4000_0000: signature("KVMKVMKVM", maximum: 0x4000_0001),
        ])
        let info = try detect(source)
        #expect(info.hypervisor.value == HypervisorKind.none)
        #expect(
            source.asked.withLock { $0 }.allSatisfy { !(0x4000_0000..<0x5000_0000).contains($0) }
        )
    }

    @Test func `a known signature ends the scan`() throws {
        let source = CountedCPUID([
            1: bit, 0x4000_0000: signature("VMwareVMware", maximum: 0x4000_0010),
        ])
        #expect(try detect(source).hypervisor.value == .vmware)
        #expect(source.asked.withLock { $0 }.filter { $0 > 0x4000_0000 && $0 < 0x5000_0000 } == [])
    }

    @Test(arguments: [
        ("KVMKVMKVM", "kvm"), ("Linux KVM Hv", "kvm"), ("TCGTCGTCGTCG", "qemu"),
        ("VMwareVMware", "vmware"), ("Microsoft Hv", "hyperv"), ("XenVMMXenVMM", "xen"),
        ("VBoxVBoxVBox", "virtualbox"), ("bhyve bhyve ", "bhyve"), ("BHyVE BHyVE ", "bhyve"),
        ("QNXQVMBSQG", "qnx"), (" QNXQVMBSQG ", "qnx"), ("ACRNACRNACRN", "acrn"),
        ("SRESRESRESRE", "sre"), ("Apple VZ", "apple"), ("OpenBSDVMM58", "vmm"),
        ("LKVMLKVMLKVM", "kvmtool"), ("UnisysSpar64", "unisys"), (" lrpepyh  vr", "parallels"),
        ("prl hyperv  ", "parallels"), (" prl hyperv ", "parallels"), ("Jailhouse", "jailhouse"),
        ("HAXMHAXMHAXM", "haxm"), ("___ NVMM ___", "nvmm"), ("EVMMEVMMEVMM", "kgt"),
        ("SomethingNew", "other"), ("", "other"),
    ])
    func `a signature names its hypervisor`(_ text: String, _ kind: String) throws {
        let source = CountedCPUID([1: bit, 0x4000_0000: signature(text, maximum: 0x4000_0001)])
        #expect(try detect(source).hypervisor.value?.rawValue == kind)
    }

    @Test func `a leaf beyond its range's maximum is an echo`() throws {
        let source = CountedCPUID([
            1: bit, 0x4000_0000: signature("Microsoft Hv", maximum: 0x4000_0005),
            0x4000_0100: signature("KVMKVMKVM", maximum: 0x21f),
        ])
        #expect(try detect(source).hypervisor.value == .hyperv)
    }

    @Test func `an emulator's processor vendor is not overlooked`() throws {
        let zero = signature("ConnectixCPU", maximum: 1)
        let source = CountedCPUID([
            // Leaf 0 has the registers in another order.
            0: CPUIDRegisters(eax: 1, ebx: zero.ebx, ecx: zero.edx, edx: zero.ecx)
        ])
        #expect(try detect(source).hypervisor.value == .virtualpc)
    }

    private func recorded(_ text: String) -> RecordedCPUID? {
        (try? JSONValue(parsing: Array(text.utf8))).flatMap { RecordedCPUID($0) }
    }

    @Test func `a recording is leaf, sub-leaf and four registers`() throws {
        let source = try #require(
            recorded(
                """
                {"format":1,"leaves":{
                "0x0":{"0":["0x16","0x756e6547","0x6c65746e","0x49656e69"]},
                "0x00000007":{"0x1":["0x00000001","0x0","0","0xffffffff"]}}}
                """
            )
        )
        #expect(source.registers(leaf: 0, subleaf: 0)?.vendor == Array("GenuineIntel".utf8))
        #expect(source.registers(leaf: 7, subleaf: 1)?.edx == 0xffff_ffff)
        #expect(source.registers(leaf: 7, subleaf: 0) == .zero)
        #expect(source.registers(leaf: 8, subleaf: 0) == .zero)
    }

    @Test(arguments: [
        #"{"leaves":{}}"#, #"{"format":2,"leaves":{}}"#, #"{"format":1,"leaves":[]}"#,
        #"{"format":1,"leaves":{"x":{"0":["0x0","0x0","0x0","0x0"]}}}"#,
        #"{"format":1,"leaves":{"0x0":{"0":["0x0","0x0","0x0"]}}}"#,
        #"{"format":1,"leaves":{"0x0":{"0":["0x0","0x0","0x0",0]}}}"#,
        #"{"format":1,"leaves":{"0x0":{"0":["0x100000000","0x0","0x0","0x0"]}}}"#,
        #"{"format":1,"leaves":{"0x0":{"0":["0x+1","0x0","0x0","0x0"]}}}"#,
    ])
    func `a recording of another form is none`(_ text: String) {
        #expect(recorded(text) == nil)
    }

    @Test func `a tree without leaves has no CPUID, and says why`() throws {
        let bit =
            #"file .cpuid.json {"format":1,"leaves":{"0x1":{"0":["0","0","0x80000000","0"]}}}"#
        let vendor = { (lines: [String]) throws in
            try MachineFixture("cpuid", lines).withRoot { root in
                HostReport.gather(root: root).hardware.processor.vendor
            }
        }
        #expect(try vendor(["folder sys"]).value == nil)
        #expect(try vendor(["file .cpuid.json {"]).value == nil)
        let info = try MachineFixture("cpuid", [bit]).withRoot {
            HypervisorDetector.detect(root: $0)
        }
        // Nothing but the bit: someone is there.
        #expect(info.hypervisor.value == .other)
        // The form before was a file that a machine might have.
        let old = "file cpuid 0x00000001 0x00: eax=0x0 ebx=0x0 ecx=0x80000000 edx=0x0"
        let none = try MachineFixture("cpuid", [old]).withRoot {
            HypervisorDetector.detect(root: $0)
        }
        #expect(none.hypervisor.value == nil)
    }
}
