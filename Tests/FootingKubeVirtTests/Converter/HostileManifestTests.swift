import Testing

@testable import FootingKubeVirt

/// Manifests and contexts that nobody means well with.
@Suite struct HostileManifestTests {
    private static let head =
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstance\nmetadata: {name: a}\n"

    private func failure(_ manifest: String, context: String = "") -> String {
        let error = #expect(throws: ConversionError.self) {
            try DomainConverter.convert(
                manifest: [UInt8](manifest),
                context: [UInt8](context),
                bestEffort: true
            )
        }
        return error?.description ?? ""
    }

    private func failure(domain: String, context: String = "") -> String {
        failure(
            Self.head + "spec:\n  domain: {memory: {guest: 1Gi}, \(domain)}\n",
            context: context
        )
    }

    @Test(arguments: [
        ("", "the manifest has no object"),
        ("---\n---\n", "the manifest has no object"),
        ("- a\n", "the document (line 1, column 1): must be a map, not a list"),
        ("a: {", "the manifest: line 2, column 1: did not find expected node content"),
        (head + "---\n" + head, "the manifest has 2 objects; give one at a time"),
        ("kind: Pod\napiVersion: v1\n", "apiVersion (line 2, column 13): must be one of"),
        (
            "kind: Pod\napiVersion: kubevirt.io/v1\n",
            "kind (line 1, column 7): must be VirtualMachineInstance or VirtualMachine"
        ),
        (head, "spec (line 1, column 1): must have a domain"),
        (head + "spec: {domain: {}}", "spec.domain.devices (line 4, column 16): is required"),
        (
            head + "spec: {domain: {devices: {}}}",
            "spec.domain.memory.guest: is required where resources and hugepages say nothing"
        ),
        (
            "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nspec: {}\nmetadata: {name: a}",
            "spec (line 3, column 7): must have a template"
        ),
    ])
    func `What is no instance is refused`(manifest: String, words: String) {
        #expect(failure(manifest).hasPrefix(words))
    }

    @Test(arguments: [
        ("devices: []", "spec.domain.devices (line 5, column 43): must be a map, not a list"),
        ("devices: {disks: {}}", "spec.domain.devices.disks (line 5, column 51): must be a list"),
        (
            "devices: {disks: [1]}",
            "spec.domain.devices.disks[0] (line 5, column 52): must be a map"
        ),
        (
            "devices: {rng: 1}",
            "spec.domain.devices.rng (line 5, column 49): must be a map, not a whole number"
        ),
        (
            "devices: {disks: [{name: 5}]}",
            "spec.domain.devices.disks[0].name (line 5, column 59): must be a text (in quotes"
        ),
        ("devices: {disks: [{name: ../x}]}", "spec.domain.devices.disks[0].name (line 5"),
        ("devices: {disks: [{name: \"..\"}]}", "spec.domain.devices.disks[0].name (line 5"),
        ("devices: {disks: [{disk: {}}]}", "spec.domain.devices.disks[0].name (line 5"),
        (
            "devices: {disks: [{name: a, disk: {bus: ide}}]}",
            "spec.domain.devices.disks[0].disk.bus (line 5, column 74): must be one of virtio"
        ),
        (
            "devices: {disks: [{name: a, disk: {bus: virtio}}]}",
            "spec.domain.devices.disks[0]: no volume “a”"
        ),
        (
            "devices: {disks: [{name: a, cdrom: {}}, {name: a, cdrom: {}}]}",
            "spec.domain.devices.disks: the name “a” stands twice"
        ),
        (
            "cpu: {cores: 5000}, devices: {}",
            "spec.domain.cpu.cores (line 5, column 47): must be from"
        ),
        ("cpu: {cores: 4096, threads: 2}, devices: {}", "spec.domain.cpu: more than 4096"),
        (
            "cpu: {cores: -1}, devices: {}",
            "spec.domain.cpu.cores (line 5, column 47): must be from 0"
        ),
        (
            "cpu: {cores: two}, devices: {}",
            "spec.domain.cpu.cores (line 5, column 47): must be a whole"
        ),
        (
            "cpu: {cores: 1.5}, devices: {}",
            "spec.domain.cpu.cores (line 5, column 47): must be a whole"
        ),
        ("cpu: {sockets: 8, maxSockets: 4}, devices: {}", "spec.domain.cpu.maxSockets: less than"),
        (
            "resources: {requests: {cpu: 9000000000000000000}}, devices: {}",
            "spec.domain.resources: 9000000000000000000 processors"
        ),
        (
            "resources: {limits: {memory: 10E}}, devices: {}",
            "spec.domain.resources.limits.memory (line 5, column 63): must be an amount like 1Gi"
        ),
        ("firmware: {serial: \"\\u0001\"}, devices: {}", "spec.domain.firmware.serial (line 5"),
        (
            "resources: {requests: {memory: -1Gi}}, devices: {}",
            "spec.domain.resources.requests.memory"
        ),
        ("memory: {guest: 1Gi}, devices: {}", "the manifest: line 5, column 34: the key “memory”"),
        ("firmware: {uuid: x}, devices: {}", "spec.domain.firmware.uuid (line 5"),
        (
            "firmware: {acpi: {slicNameRef: no}}, devices: {}",
            "spec.domain.firmware.acpi.slicNameRef"
        ),
        (
            "cpu: {dedicatedCpuPlacement: true}, devices: {}",
            "spec.domain.cpu.dedicatedCpuPlacement: give cpuSet and topology in the context"
        ),
        ("devices: {autoattachVSOCK: true}", "spec.domain.devices.autoattachVSOCK: the cluster"),
        ("devices: {hostDevices: [{name: x}]}", "spec.domain.devices.hostDevices[0]: give"),
        ("ioThreadsPolicy: supplementalPool, devices: {}", "spec.domain.ioThreads (line 5"),
    ])
    func `A wrong value is told with its path and place`(domain: String, words: String) {
        let text = failure(domain: domain)
        #expect(text.hasPrefix(words), "\(text)")
    }

    @Test func `Lists have a limit, and the root bus has one`() {
        let disks = (0..<1025).map { "{name: d\($0), cdrom: {}}" }.joined(separator: ", ")
        #expect(failure(domain: "devices: {disks: [\(disks)]}").contains("more than 1024 entries"))
        let inputs = (0..<40).map { "{name: i\($0), bus: virtio}" }.joined(separator: ", ")
        let manifest = """
            apiVersion: kubevirt.io/v1
            kind: VirtualMachineInstance
            metadata: {name: a, annotations: {kubevirt.io/placePCIDevicesOnRootComplex: "true"}}
            spec: {domain: {memory: {guest: 1Gi}, devices: {inputs: [\(inputs)]}}}
            """
        #expect(failure(manifest).hasSuffix("no slot is left on the root bus"))
    }

    @Test func `A namespace is no way into a path or an option`() {
        for namespace in ["../x", "a,file=/etc/shadow", "a b", "a/b"] {
            let manifest = """
                apiVersion: kubevirt.io/v1
                kind: VirtualMachineInstance
                metadata: {name: a, namespace: "\(namespace)"}
                spec: {domain: {memory: {guest: 1Gi}, devices: {}}}
                """
            #expect(
                failure(manifest).hasPrefix(
                    "metadata.namespace (line 3, column 32): must be a name"
                )
            )
        }
    }

    @Test func `A thousand disks have names, the kernel's way`() throws {
        let disks = (0..<1024).map { "{name: d\($0), cdrom: {bus: sata}}" }.joined(separator: ", ")
        let manifest =
            Self.head + "spec: {domain: {memory: {guest: 1Gi}, devices: {disks: [\(disks)]}}}"
        let xml = try DomainConverter.convert(manifest: [UInt8](manifest)).xml
        for name in ["sda", "sdz", "sdaa", "sdaz", "sdba", "sdzz", "sdaaa", "sdamj"] {
            #expect(xml.contains("dev=\"\(name)\""))
        }
        #expect(!xml.contains("dev=\"sdamk\""))
    }

    @Test(arguments: [
        ("[]", "the document of the context (line 1, column 1): must be a map"),
        ("a: 1\n---\nb: 1\n", "the context has 2 documents, not one"),
        ("a: {", "the context: line 2, column 1"),
        ("architecture: x86", "architecture of the context (line 1, column 15): must be one of"),
        ("cpuSet: [1, 1]", "cpuSet of the context (line 1, column 9): has a processor twice"),
        ("cpuSet: [-1]", "cpuSet of the context (line 1, column 9): must be whole numbers"),
        ("hostDevices: {x: {pci: 0-0}}", "hostDevices.x.pci of the context (line 1, column 24)"),
        ("hostDevices: {x: {}}", "hostDevices.x of the context (line 1, column 18): must have"),
        ("interfaces: {x: {mac: zz}}", "interfaces.x.mac of the context (line 1, column 23)"),
        ("maxHotplugRatio: 0", "maxHotplugRatio of the context (line 1, column 18)"),
    ])
    func `A wrong context is told as such`(context: String, words: String) {
        let text = failure(domain: "devices: {}", context: context)
        #expect(text.hasPrefix(words), "\(text)")
    }

    @Test func `Texts are escaped, never read as XML`() throws {
        let manifest =
            Self.head + """
                spec:
                  domain:
                    memory: {guest: 1Gi}
                    firmware: {serial: "</entry><evil a='1'>&amp;\\"]]>\\n\\t"}
                    devices: {}
                """
        let xml = try DomainConverter.convert(manifest: [UInt8](manifest)).xml
        let escaped = "&lt;/entry&gt;&lt;evil a='1'&gt;&amp;amp;&quot;]]&gt;\n\t"
        #expect(xml.contains("<entry name=\"serial\">\(escaped)</entry>"))
    }

    @Test func `Every beginning of a manifest and a context ends in a domain or an error`() throws {
        let fixture = ConvertFixture(name: "machine")
        let manifest = try fixture.manifest()
        let context = fixture.context() ?? []
        for count in stride(from: 0, through: manifest.count, by: 7) {
            let part = Array(manifest.prefix(count))
            _ = try? DomainConverter.convert(manifest: part, context: context, bestEffort: true)
        }
        for count in 0...context.count {
            _ = try? DomainConverter.convert(
                manifest: manifest,
                context: Array(context.prefix(count))
            )
        }
    }
}
