import FootingDeployment
import FootingHost
import FootingSystem
import Testing

/// Signs of clouds outside the DMI fields that anybody may read, and the traps among them.
@Suite struct CloudTests {
    private func cloud(_ lines: [String]) throws -> CloudIdentity {
        try MachineFixture("cloud", lines).withRoot {
            HostReport.gather(root: $0).hardware.cloud
        }
    }

    private static let id = "file sys/class/dmi/id"
    private static let guest = ["\(id)/bios_vendor SeaBIOS", "\(id)/product_name KVM"]
    private static let xen = ["file sys/hypervisor/type xen"]
    private static let bare = ["text proc/cpuinfo", "| flags : fpu sse2"]

    private static let traces: [([String], String, String?)] = [
        (["\(id)/product_serial GoogleCloud-8F2E"], "GoogleCloud-…", "gcp"),
        (["\(id)/product_serial srv-otuxg.gb1.brightbox.com"], "….brightbox.com", "brightbox"),
        (["file etc/vultr x"], "", "vultr"),
        (["file run/scaleway x"], "", "scaleway"),
        (["file native/.zonecontrol/metadata.sock x"], "", "smartos"),
        (["file dev/lxd/sock x"], "", "lxd"),
        (xen + ["link dev/disk/by-uuid/9796-932E -> ../../xvdh"], "", "ibmcloud"),
        (xen + ["link dev/disk/by-label/METADATA -> ../../xvdh"], "METADATA", "ibmcloud"),
        (["file proc/cmdline root=/dev/vda1 scaleway quiet"], "scaleway", "scaleway"),
        (["file proc/cmdline vultr"], "vultr", "vultr"),
        (guest + ["link dev/disk/by-label/cloudmd -> ../../vdb"], "CLOUDMD", "rbxcloud"),
        (guest + ["link dev/disk/by-label/CONTEXT -> ../../sr0"], "CONTEXT", "opennebula"),
        (
            ["file sys/class/virtio-ports/vport1p1/name com.canonical.lxd"],
            "com.canonical.lxd", "lxd"
        ),
        (
            ["file sys/class/virtio-ports/vport1p2/name org.linuxcontainers.lxd"],
            "org.linuxcontainers.lxd", "lxd"
        ),
        (["file sys/hypervisor/uuid ec2c6e2f-5fac-4fc7-9c82-74127ec14bbb"], "ec2…", "aws"),
    ]

    @Test(arguments: traces)
    func `a cloud is known by a trace`(
        lines: [String],
        value: String,
        provider: String?
    ) throws {
        let cloud = try cloud(lines)
        #expect(cloud.provider.value == provider)
        #expect(cloud.evidence.first?.value == value)
        #expect(cloud.evidence.first?.says.isEmpty == false)
    }

    @Test(arguments: [
        // Not on Xen, not the whole word, not on hardware, and settings that many clouds use.
        ["link dev/disk/by-label/METADATA -> ../../vdb"],
        ["link dev/disk/by-uuid/9796-932E -> ../../vdb"],
        ["file proc/cmdline root=/dev/vultr vultr=1 scaleways"],
        ["\(id)/sys_vendor Dell Inc.", "link dev/disk/by-label/CONTEXT -> ../../sdb"],
        ["\(id)/product_serial Google"], ["\(id)/product_serial brightbox.com.example"],
        guest + ["link dev/disk/by-label/cidata -> ../../sr0"],
        ["file sys/class/virtio-ports/vport1p1/name org.qemu.guest_agent.0"],
    ])
    func `what only looks like a trace is none`(lines: [String]) throws {
        let name = try cloud(lines).provider.value ?? "none"
        #expect(name == "none")
    }

    @Test func `a disk with settings is told, and names no cloud`() throws {
        let cloud = try cloud(Self.guest + ["link dev/disk/by-label/config-2 -> ../../vdb"])
        #expect(cloud.provider.value == "none")
        #expect(cloud.evidence.map(\.source) == ["dev/disk/by-label/config-2"])
    }

    @Test func `OpenStack's containers are known by their first process`() throws {
        let lines = ["file proc/1/environ container=lxc\\0product_name=OpenStack Nova\\0"]
        #expect(try cloud(lines).provider.value == "openstack")
        #expect(
            try cloud(["file proc/1/environ product_name=OpenStack Nova"]).provider.value == nil
        )
    }

    private static let same = "EC23AEF5-54BE-4843-8D24-8C819F88453E"
    private static let swapped = "45E12AEC-DCD1-B213-94ED-012345ABCDEF"

    private static let uuids: [([String], String)] = [
        (["\(id)/product_uuid \(same)", "\(id)/product_serial \(same.lowercased())"], "aws"),
        (xen + ["\(id)/product_uuid \(swapped)"], "aws"),
        (xen + ["\(id)/product_uuid \(same)", "\(id)/sys_vendor Xen"], "aws"),
        // One in 4,096 by chance: another's name, or that this is hardware, outweighs it.
        (xen + ["\(id)/product_uuid \(swapped)", "\(id)/sys_vendor QEMU"], "none"),
        (["\(id)/product_uuid \(same)", "\(id)/sys_vendor Dell Inc."], "none"),
        (
            xen + [
                "\(id)/product_uuid \(same)", "\(id)/sys_vendor Xen", "\(id)/bios_version 4.17.1",
            ], "none"
        ),
        (
            ["file sys/hypervisor/uuid ec2c6e2f-5fac", "\(id)/sys_vendor Xen"]
                + ["\(id)/bios_version 4.17.1"], "none"
        ),
        (["\(id)/product_uuid 45E1AAEC-DCD1-B213-94ED-012345ABCDEF"], "none"),
        (["\(id)/product_uuid 45E12AE"], "none"),
    ]

    @Test(arguments: uuids)
    func `EC2 is known by its UUID, unless something contradicts`(
        lines: [String],
        provider: String
    ) throws {
        let cloud = try cloud(lines)
        #expect(cloud.provider.value == provider)
        // It is never shown as a whole.
        #expect(cloud.evidence.allSatisfy { $0.value.count < 8 })
        if provider == "none", lines.contains(where: { $0.contains("sys_vendor") }) {
            #expect(cloud.evidence.first?.says.contains("contradicts") == true)
        }
    }

    @Test func `clouds that speak as EC2 does are not AWS`() throws {
        let lines = [
            "\(Self.id)/sys_vendor 3DS Outscale", "\(Self.id)/product_name 3DS Outscale VM",
            "\(Self.id)/board_asset_tag i-0123456789abcdef0",
        ]
        let outscale = try cloud(lines + Self.xen)
        #expect(outscale.provider.value == "outscale")
        #expect(outscale.evidence[0].says.contains("not AWS"))
        // The sign of the other stays visible.
        #expect(outscale.evidence.contains { $0.says.hasPrefix("a sign of aws too") })
    }

    @Test(arguments: [
        ("board_asset_tag", "i-0123456789abcdef0", "aws"),
        ("chassis_asset_tag", "ibmcloud", "ibmcloud"),
        ("chassis_vendor", "IBM:Cloud Compute Server 1.0:bx2-2x8", "ibmcloud"),
        ("product_name", "Google", "gcp"), ("bios_vendor", "Google", "gcp"),
        ("bios_vendor", "Hetzner", "hetzner"),
        ("bios_vendor", "DigitalOcean", "digitalocean"), ("board_name", "LXD", "lxd"),
    ])
    func `a sign that hardware may have counts on a virtual machine`(
        field: String,
        text: String,
        provider: String
    ) throws {
        let sign = ["\(Self.id)/\(field) \(text)"]
        #expect(try cloud(sign + Self.xen).provider.value == provider)
        let onHardware = try cloud(sign + Self.bare).provider.value
        #expect(onHardware == (provider == "ibmcloud" ? provider : "none"))
        let open = try cloud(sign).provider
        #expect(open.value == (provider == "ibmcloud" ? provider : nil))
        #expect(open.value != nil || open.absence?.contains(text) == true)
    }

    @Test func `Hetzner's virtual servers have a product name of their own`() throws {
        let vendor = "\(Self.id)/sys_vendor Hetzner"
        #expect(try cloud([vendor] + Self.bare).provider.value == "none")
        #expect(try cloud([vendor, "\(Self.id)/product_name vServer"]).provider.value == "hetzner")
    }

    @Test func `a recorded machine's metadata server is never asked`() throws {
        for policy: MetadataPolicy in [.forbidden, .whereNamed, .probe] {
            try MachineFixture("aws", ["\(Self.id)/sys_vendor Amazon EC2"]).withRoot { root in
                let report = HostReport.gather(root: root, metadata: policy)
                #expect(report.hardware.cloud.provider.value == "aws")
                #expect(report.hardware.cloud.metadata.absence?.contains("recorded") == true)
                #expect(Detection(report).json()[path: "cloud.metadata"] == .null)
            }
        }
    }

    @Test func `software of private clouds names no public one`() throws {
        for trace in ["file dev/lxd/sock x", "link dev/disk/by-label/CONTEXT -> ../../sr0"] {
            try MachineFixture("private", Self.guest + [trace]).withRoot { root in
                #expect(Detection(root: root).context.kind != .hyperscaleCloud)
            }
        }
    }
}
