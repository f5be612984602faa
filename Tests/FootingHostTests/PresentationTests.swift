import FootingDeployment
import FootingHost
import FootingSystem
import Testing

@Suite struct PresentationTests {
    private func summary(_ name: String, path: String? = nil) throws -> String {
        try MachineFixture(name: name).withRoot { Detection(root: $0, path: path).summary() }
    }

    @Test(arguments: MachineFixture.several)
    func `a machine fits one screen`(_ fixture: MachineFixture) throws {
        try fixture.withRoot { root in
            let text = Detection(root: root, path: "/var/lib/disk.img").summary()
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            #expect(lines.count <= 24)
            #expect(lines.allSatisfy { $0.count <= 80 })
            #expect(lines.allSatisfy { $0.last != " " })
        }
    }

    @Test func `a screen is not left for a hundred disks`() throws {
        let disks = (0..<100).flatMap { number in
            [
                "file sys/block/vd\(number)/size 2097152",
                "link sys/block/vd\(number)/device/driver -> ../../virtio_blk",
            ]
        }
        try MachineFixture("many", disks).withRoot { root in
            let text = Detection(root: root).summary()
            #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count <= 24)
            #expect(text.contains(" more: --explain shows all\n"))
        }
    }

    @Test func `the words for a fact`() throws {
        func word(_ field: DetectionField, _ name: String) throws -> String {
            try MachineFixture(name: name).withRoot { root in
                let word = field.word(Detection(root: root))
                return "\(word.text) \(word.isFound ? 0 : 1)"
            }
        }
        #expect(try word(.hypervisor, "ec2-nitro") == "kvm 0")
        #expect(try word(.hypervisor, "xen-dom0") == "xen 1")
        #expect(try word(.hypervisor, "oracle-server") == "none 1")
        #expect(try word(.hypervisor, "empty") == "unknown 1")
        #expect(try word(.virtualization, "docker") == "docker 0")
        #expect(try word(.virtualization, "xen-dom0") == "none 1")
        #expect(try word(.virtualization, "vmware") == "vmware 0")
        #expect(try word(.container, "docker") == "docker 0")
        #expect(try word(.container, "vmware") == "none 1")
        #expect(try word(.role, "xen-dom0") == "host 0")
        #expect(try word(.role, "oracle-server") == "none 1")
        #expect(try word(.product, "ec2-nitro") == "nitro 0")
        #expect(try word(.version, "zvm-second-level") == "7.2.0 0")
        #expect(try word(.version, "vmware") == "none 1")
        #expect(try word(.xenMode, "xen-pv") == "pv 0")
        #expect(try word(.cloud, "azure") == "azure 0")
        #expect(try word(.cloud, "oracle-server") == "none 1")
        #expect(try word(.environment, "raspberry-pi") == "edge 0")
        #expect(try word(.facets, "docker") == "container 0")
        #expect(try word(.facets, "oracle-server") == "none 1")
        #expect(try word(.numaNodes, "numa-sparse") == "3 0")
        #expect(try word(.numaNodes, "empty") == "0 1")
        #expect(try word(.cpus, "dump-proc-pci") == "2 0")
        #expect(try word(.memoryBytes, "xen-pv") == "8341417984 0")
        #expect(try word(.balloon, "xen-pv") == "xen 0")
        #expect(try word(.brand, "azure") == "none 1")
    }

    /// The texts are in `Fixtures`, beside the machines.
    @Test(arguments: [
        "bare-metal-numa", "conflict-vmware-kvm", "docker", "ec2-nitro", "empty", "raspberry-pi",
        "xen-dom0", "xen-pv", "zvm-second-level",
    ])
    func `the text of a machine`(_ name: String) throws {
        #expect(try summary(name) == MachineFixture.text("\(name).txt"))
    }

    @Test func `conflicts are explained`() throws {
        let text = try MachineFixture(name: "conflict-vmware-kvm").withRoot {
            Detection(root: $0).explanation()
        }
        #expect(
            text.contains(
                """
                Conflicts
                  hypervisor: cpuid 0x40000000 "KVMKVMKVM" is believed, not \
                sys/class/dmi/id/product_name "VMware7,1": \
                DMI can be passed through or set by the user

                """
            )
        )
    }
}
