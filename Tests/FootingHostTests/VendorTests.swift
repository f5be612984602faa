import FootingDeployment
import FootingHost
import FootingSystem
import Testing

/// Each sign of a cloud and of a maker on its own; whole machines are in the fixtures.
@Suite struct VendorTests {
    private func detect(_ lines: [String]) throws -> Detection {
        try MachineFixture("vendor", lines).withRoot { Detection(root: $0) }
    }

    @Test(arguments: [
        ("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77", "azure"),
        ("chassis_asset_tag", "OracleCloud.com", "oracle"),
        ("chassis_asset_tag", "HUAWEICLOUD", "openstack"),
        ("chassis_asset_tag", "123.zstack.io", "zstack"),
        ("chassis_asset_tag", "OpenStack Nova", "openstack"),
        ("product_name", "Google Compute Engine", "gcp"),
        ("product_name", "Alibaba Cloud ECS", "alibaba"),
        ("product_name", "Exoscale Compute Platform", "exoscale"),
        ("product_name", "CloudSigma", "cloudsigma"),
        ("product_name", "SmartDC HVM", "smartos"),
        ("product_name", "CloudStack KVM Hypervisor", "cloudstack"),
        ("product_name", "CloudCIX", "cloudcix"),
        ("product_name", "OpenStack Compute", "openstack"),
        ("bios_version", "4.11.amazon", "aws"),
        ("product_version", "4.2.amazon", "aws"),
        ("chassis_asset_tag", "Amazon EC2", "aws"),
        ("sys_vendor", "Amazon EC2", "aws"),
        ("sys_vendor", "DigitalOcean", "digitalocean"),
        ("sys_vendor", "Linode", "akamai"),
        ("sys_vendor", "Akamai", "akamai"),
        ("sys_vendor", "Scaleway", "scaleway"),
        ("sys_vendor", "Vultr", "vultr"),
        ("sys_vendor", "UpCloud", "upcloud"),
        ("sys_vendor", "Tencent Cloud", "tencent"),
        ("sys_vendor", "NWCS", "nwcs"),
        ("sys_vendor", "e24cloud", "e24cloud"),
        ("sys_vendor", "Tilaa", "tilaa"),
        ("sys_vendor", "Google", "none"),
        ("sys_vendor", "Dell Inc.", "none"),
    ])
    func `a cloud is known by its sign`(_ field: String, _ text: String, _ cloud: String) throws {
        let detection = try detect(["file sys/class/dmi/id/\(field) \(text)"])
        #expect(detection.report.hardware.cloud.provider.value == cloud)
        #expect(detection.report.hardware.cloud.evidence.isEmpty == (cloud == "none"))
    }

    @Test func `software of private clouds is no public cloud without a brand`() throws {
        let tag = "file sys/class/dmi/id/chassis_asset_tag"
        #expect(try detect(["\(tag) OpenStack Nova"]).context.kind == .bareMetal)
        let branded = try detect(["\(tag) OpenTelekomCloud"])
        #expect(branded.context.kind == .hyperscaleCloud)
        #expect(branded.report.hardware.cloud.brand.value == "open-telekom")
    }

    @Test(arguments: [
        ("product_name", "KVM", "kvm"), ("product_name", "OpenStack Nova", "kvm"),
        ("sys_vendor", "QEMU", "qemu"), ("sys_vendor", "VMware, Inc.", "vmware"),
        ("sys_vendor", "innotek GmbH", "virtualbox"), ("product_name", "VirtualBox", "virtualbox"),
        ("sys_vendor", "Xen", "xen"), ("bios_vendor", "Bochs", "bochs"),
        ("sys_vendor", "Parallels Software International Inc.", "parallels"),
        ("bios_vendor", "BHYVE", "bhyve"),
        ("product_version", "Hyper-V UEFI Release v4.0", "hyperv"),
        ("product_name", "Apple Virtualization Generic Platform", "apple"),
        ("product_name", "KubeVirt", "kvm"), ("product_name", "oVirt Node", "kvm"),
        ("sys_vendor", "Cloud Hypervisor", "kvm"),
        // Makers of physical machines too: nothing else tells which of the two these are.
        ("sys_vendor", "Oracle Corporation", "absent"), ("sys_vendor", "Nutanix", "absent"),
        ("sys_vendor", "Red Hat", "absent"), ("sys_vendor", "Microsoft Corporation", "none"),
    ])
    func `a maker is known by its sign`(_ field: String, _ text: String, _ kind: String) throws {
        let detection = try detect(["file sys/class/dmi/id/\(field) \(text)"])
        let found = detection.report.hardware.virtualization.hypervisor.value?.rawValue
        #expect(found ?? "absent" == kind)
    }

    @Test func `a field in the other folder of DMI counts too`() throws {
        let detection = try detect(["file sys/devices/virtual/dmi/id/sys_vendor QEMU"])
        #expect(detection.report.hardware.virtualization.hypervisor.value == .qemu)
    }

    @Test func `a profile names every value once`() throws {
        let profile = try detect(["text proc/meminfo", "| MemTotal: 8388608 kB"]).profile
        #expect(Set(profile.values.map(\.name)).count == profile.values.count)
        #expect(profile.text().contains("unflushedMillisecondsMaximum = 1000"))
    }

    @Test func `a limit of the control group bounds the budget`() throws {
        let total = ["text proc/meminfo", "| MemTotal: 8388608 kB"]
        let limit = ["file proc/self/cgroup 0::/a", "file sys/fs/cgroup/a/memory.max 134217728"]
        let free = try detect(total).profile.memoryBudgetBytes.number
        let bound = try detect(total + limit).profile.memoryBudgetBytes.number
        #expect(bound < free)
        #expect(bound < 134_217_728)
    }
}
