import FootingSystem
import Testing

@testable import FootingHost

/// What other projects' recordings hold, and how: more than a fixture's plain lines can say.
@Suite struct RecordingLayoutTests {
    private func caches(_ lines: [String]) throws -> [String] {
        try MachineFixture("caches", lines).withRoot { root in
            let caches = HardwareProbe(root: root, cpuid: root.cpuidSource()).processor.caches
            return (caches.value ?? []).map { cache in
                let sharing = cache.cpus.value?.map(String.init).joined(separator: ",") ?? "?"
                return "\(cache.level) \(cache.type) \(cache.sizeBytes.value ?? 0) \(sharing)"
            }
        }
    }

    private func caches(of fixture: String) throws -> [String] {
        try MachineFixture(name: fixture).withRoot { root in
            let caches = HardwareProbe(root: root, cpuid: root.cpuidSource()).processor.caches
            return (caches.value ?? []).map { "\($0.level) \($0.type) \($0.sizeBytes.value ?? 0)" }
        }
    }

    @Test func `caches of other architectures`() throws {
        #expect(try caches(of: "s390-drawers") == ["1 Data 131072", "3 Unified 67108864"])
        #expect(
            try caches(of: "sun4u") == ["1 Data 16384", "1 Instruction 16384", "2 Unified 1048576"]
        )
        #expect(try caches(of: "topology-masks") == ["1 Data 16384"])
    }

    @Test func `caches by CPUID alone`() throws {
        // Leaf 4: a cache of its own, and one that others share; whose is not told.
        let intel = [
            "cpuid 0x00000000 0x00: eax=0x0000000b ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69",
            "cpuid 0x00000004 0x00: eax=0x1c000121 ebx=0x01c0003f ecx=0x0000003f edx=0x00000000",
            "cpuid 0x00000004 0x01: eax=0x1c03c163 ebx=0x03c0003f ecx=0x00001fff edx=0x00000002",
        ]
        #expect(try caches(intel) == ["1 Data 32768 0", "3 Unified 8388608 ?"])
        // Cores of two sizes: what was recorded is the first processor's.
        let hybrid =
            intel + [
                "cpuid 0x00000007 0x00: eax=0x00000000 ebx=0x00000000 ecx=0x00000000 edx=0x00008000"
            ]
        #expect(try caches(hybrid).count == 2)
    }

    @Test func `caches of processors before those leaves`() throws {
        let amd = "cpuid 0x00000000 0x00: eax=0x1 ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65"
        let top = "cpuid 0x80000000 0x00: eax=0x80000018 ebx=0x0 ecx=0x0 edx=0x0"
        let first = "cpuid 0x80000005 0x00: eax=0x0 ebx=0x0 ecx=0x40020140 edx=0x40020140"
        let none = "cpuid 0x80000006 0x00: eax=0x0 ebx=0x0 ecx=0x02000140 edx=0x0"
        let second = "cpuid 0x80000006 0x00: eax=0x0 ebx=0x0 ecx=0x04008140 edx=0x0"
        let lowest = ["1 Data 65536 ?", "1 Instruction 65536 ?"]
        #expect(try caches([amd, top, first, second]) == lowest + ["2 Unified 1048576 ?"])
        #expect(try caches([amd, top, first, none]) == lowest)
        // Two dies in socket G34: each has half of what is told.
        let opteron = [
            amd, top, first,
            "cpuid 0x00000001 0x00: eax=0x00100f91 ebx=0x0 ecx=0x0 edx=0x178bfbff",
            "cpuid 0x80000001 0x00: eax=0x00100f91 ebx=0x30000000 ecx=0x0 edx=0x0",
            "cpuid 0x80000006 0x00: eax=0x0 ebx=0x0 ecx=0x02008140 edx=0x0050b140",
        ]
        #expect(try caches(opteron).last == "3 Unified 5242880 ?")
        let pentium = [
            "cpuid 0x00000000 0x00: eax=0x2 ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69",
            "cpuid 0x00000002 0x00: eax=0x03020101 ebx=0x80000044 ecx=0x00000000 edx=0x0c040843",
        ]
        #expect(
            try caches(pentium) == [
                "1 Data 16384 ?", "1 Instruction 16384 ?", "2 Unified 524288 ?",
            ]
        )
    }

    @Test func `the end of a long list of processors is read`() throws {
        var lines = ["text proc/cpuinfo"]
        for number in 0..<400 {
            lines += ["| processor : \(number)", "| cpu : POWER8E (raw), altivec supported", "| "]
        }
        lines += ["| platform : PowerNV", "| machine : PowerNV 8247-22L"]
        try MachineFixture("power", lines).withRoot { root in
            let probe = HardwareProbe(root: root, cpuid: root.cpuidSource())
            #expect(probe.virtualization.hypervisor.value == HypervisorKind.none)
            #expect(probe.machine.product.value == "PowerNV 8247-22L")
            #expect(probe.processor.online.value?.count == 400)
        }
    }

    @Test func `names of Arm processors`() {
        #expect(ArmProcessor.vendor("0xc0") == "Ampere")
        #expect(ArmProcessor.vendor("0x99") == "0x99")
        #expect(ArmProcessor.model(implementer: "0x41", part: "0xd4f") == "Neoverse-V2")
        #expect(ArmProcessor.model(implementer: "0x41", part: "0xffff0000ffff") == nil)
        #expect(ArmProcessor.model(implementer: "0x99", part: "0xd4f") == nil)
    }

    @Test(arguments: [
        ("lxccontainer_ttys=/dev/pts/0", "lxc"),
        ("systemd-nspawn_ttys=/dev/pts/0", "systemd-nspawn"),
        ("lxcfs", "other"), ("mine_ttys=x", "other"),
    ])
    func `a manager's name without the NUL behind it`(text: String, name: String) throws {
        try MachineFixture("environ", ["file proc/1/environ container=\(text)"]).withRoot { root in
            #expect(HypervisorDetector.detect(root: root).container == name)
        }
    }

    @Test func `a line within a variable of a copied environment is no variable`() throws {
        let lines = ["text proc/1/environ", "| NOTE=a", "| container=docker\\0PATH=/bin\\0"]
        try MachineFixture("environ", lines).withRoot { root in
            #expect(ContainerDetector(root).name == "none")
        }
    }

    @Test func `an environment that a person pasted`() throws {
        let lines = ["text proc/1/environ", "| PATH=/bin", "| container=podman", "| HOME=/root"]
        try MachineFixture("environ", lines).withRoot { root in
            #expect(HypervisorDetector.detect(root: root).container == "podman")
        }
    }

    @Test func `lists with far more members than there are processors are not believed`() throws {
        let folder = "sys/devices/system/cpu"
        let lines =
            ["file \(folder)/online 0-7"]
            + (0..<8).map {
                "file \(folder)/cpu\($0)/topology/core_cpus_list \($0),100000-160000"
            }
        try MachineFixture("long", lines).withRoot { root in
            let online = ProcessorList.online(root)
            let topology = ProcessorTopology(try root.folder(folder), online: online, root)
            #expect(topology.threads.value == 8)
            #expect(topology.cores.absence?.contains("too many members") == true)
        }
    }

    @Test func `a group without its own member is none`() throws {
        let folder = "sys/devices/system/cpu"
        let lines = [
            "file \(folder)/online 0-1", "file \(folder)/cpu0/topology/core_cpus_list 7-9",
            "file \(folder)/cpu0/topology/package_cpus_list ",
            "file \(folder)/cpu0/topology/core_id -1",
        ]
        try MachineFixture("odd", lines).withRoot { root in
            let topology = HardwareProbe(root: root, cpuid: root.cpuidSource()).processor.topology
            #expect(topology.cores.value == nil)
            #expect(topology.sockets.value == nil)
            #expect(topology.threads.value == 2)
        }
    }
}
