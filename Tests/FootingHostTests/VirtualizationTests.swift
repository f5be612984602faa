import FootingDeployment
import FootingHost
import FootingSystem
import Testing

/// Each line of the tables that is not a whole machine's, on its own.
@Suite struct VirtualizationTests {
    private func detect(_ lines: [String]) throws -> HypervisorInfo {
        try MachineFixture("line", lines).withRoot { HypervisorDetector.detect(root: $0) }
    }

    private static let bit =
        "cpuid 0x00000001 0x00: eax=0x000806f8 ebx=0x0 ecx=0x80000000 edx=0x0"
    private static let dmi = "file sys/class/dmi/id/"

    /// With the hypervisor's bit, as makers of physical machines count only then.
    @Test(arguments: [
        ("product_name", "AHV", "kvm", "nutanix-ahv"),
        ("product_name", "oVirt Node", "kvm", "ovirt"),
        ("product_name", "RHEV Hypervisor", "kvm", "rhev"),
        ("product_name", "RHEL", "kvm", "rhel-kvm"),
        ("product_name", "Alibaba Cloud ECS", "kvm", "alibaba-ecs"),
        ("product_name", "Droplet", "kvm", "digitalocean"),
        ("product_name", "SmartDC HVM", "kvm", "smartos"),
        ("product_name", "3DS Outscale VM", "kvm", "outscale"),
        ("product_name", "Exoscale Compute Platform", "kvm", "exoscale"),
        ("product_name", "KVM Server", "kvm", "absent"),
        ("product_name", "OpenStack Nova", "kvm", "openstack"),
        ("product_name", "CloudStack KVM Hypervisor", "kvm", "cloudstack"),
        ("product_name", "CloudStack", "kvm", "cloudstack"),
        ("product_name", "KubeVirt", "kvm", "kubevirt"),
        ("product_name", "Google Compute Engine", "kvm", "google-compute-engine"),
        ("product_name", "HVM domU", "xen", "absent"),
        ("product_name", "Apple Virtualization Generic Platform", "apple", "absent"),
        ("product_name", "BHYVE", "bhyve", "absent"),
        ("product_name", "VirtualBox", "virtualbox", "absent"),
        ("product_name", "VMware Virtual Platform", "vmware", "absent"),
        ("product_name", "Parallels ARM Virtual Machine", "parallels", "absent"),
        ("product_name", "Bochs", "bochs", "absent"),
        ("sys_vendor", "Amazon EC2", "kvm", "nitro"),
        ("sys_vendor", "oVirt", "kvm", "ovirt"),
        ("sys_vendor", "QEMU", "qemu", "qemu"),
        ("sys_vendor", "Cloud Hypervisor", "kvm", "cloud-hypervisor"),
        ("sys_vendor", "cloud-hypervisor", "kvm", "cloud-hypervisor"),
        ("sys_vendor", "innotek GmbH", "virtualbox", "absent"),
        ("sys_vendor", "Xen", "xen", "absent"),
        ("sys_vendor", "Nutanix", "kvm", "nutanix-ahv"),
        ("sys_vendor", "Red Hat", "kvm", "absent"),
        ("sys_vendor", "Scaleway", "kvm", "scaleway"),
        ("sys_vendor", "Vultr", "kvm", "vultr"),
        ("sys_vendor", "UpCloud", "kvm", "upcloud"),
        ("sys_vendor", "Tencent Cloud", "kvm", "tencent"),
        ("sys_vendor", "Hetzner", "kvm", "hetzner"),
        ("board_vendor", "Oracle Corporation", "virtualbox", "absent"),
        ("bios_vendor", "DigitalOcean", "kvm", "digitalocean"),
        ("bios_vendor", "Google", "kvm", "google-compute-engine"),
        ("bios_vendor", "Parallels International GmbH.", "parallels", "absent"),
        ("bios_vendor", "BHYVE", "bhyve", "absent"),
        ("board_vendor", "VMW", "vmware", "absent"),
        ("product_version", "Hyper-V UEFI Release v4.1", "hyperv", "absent"),
    ])
    func `a maker's text`(_ field: String, _ text: String, _ kind: String, _ product: String) throws
    {
        let info = try detect([Self.bit, "\(Self.dmi)\(field) \(text)"])
        #expect(info.hypervisor.value?.rawValue == kind)
        #expect(info.product.value ?? "absent" == product)
        #expect(info.isVirtualMachine.value == true)
        #expect(info.conflicts.isEmpty)
    }

    @Test(arguments: [
        ("ebx=0x61774d56 ecx=0x4d566572 edx=0x65726177", "vmware"),
        ("ebx=0x4b4d564b ecx=0x564b4d56 edx=0x4d", "virtualbox"),
        ("ebx=0x7263694d ecx=0x666f736f edx=0x76482074", "virtualbox"),
        ("ebx=0x41414141 ecx=0x42424242 edx=0x43434343", "virtualbox"),
    ])
    func `an Oracle server's DMI shown to a guest`(_ words: String, _ kind: String) throws {
        let leaf = "cpuid 0x40000000 0x00: eax=0x40000000 \(words)"
        let maker = "\(Self.dmi)sys_vendor Oracle Corporation"
        let info = try detect([Self.bit, leaf, maker])
        #expect(info.hypervisor.value?.rawValue == kind)
        #expect(info.isVirtualMachine.value == true)
    }

    @Test(arguments: [
        ("Microsoft Corporation", "Virtual Machine", "hyperv"),
        ("HITACHI", "BladeSymphony E57A2 HVM LPAR", "virtage"),
        ("Hetzner", "vServer", "kvm"),
    ])
    func `a text with a companion`(_ vendor: String, _ product: String, _ kind: String) throws {
        let name = "\(Self.dmi)product_name \(product)"
        let info = try detect(["\(Self.dmi)sys_vendor \(vendor)", name])
        #expect(info.hypervisor.value?.rawValue == kind)
        #expect(try detect([name]).hypervisor.value == HypervisorKind.none)
    }

    @Test(arguments: [
        ("5853", "0001", "xen"), ("5853", "0002", "xen"), ("5853", "c000", "xen"),
        ("80ee", "beef", "virtualbox"), ("80ee", "cafe", "virtualbox"),
        ("1ab8", "4000", "parallels"), ("1414", "5353", "hyperv"), ("fb5d", "40fb", "bhyve"),
        ("110a", "4106", "jailhouse"), ("15ad", "0740", "vmware"), ("15ad", "0790", "vmware"),
        ("15ad", "07a0", "vmware"), ("15ad", "0710", "vmware"), ("15ad", "0405", "vmware"),
        ("1b36", "0010", "qemu"), ("1234", "1111", "qemu"), ("1af4", "1041", "other"),
    ])
    func `a device`(_ vendor: String, _ device: String, _ kind: String) throws {
        let list = "file proc/bus/pci/devices 0010\\t\(vendor)\(device)\\t9"
        #expect(try detect([Self.bit, list]).hypervisor.value?.rawValue == kind)
    }

    @Test func `a device that others imitate gives way`() throws {
        let list = ["text proc/bus/pci/devices", "| 0010\\t15ad0405\\t9", "| 0020\\t80eecafe\\t9"]
        let info = try detect([Self.bit] + list)
        #expect(info.hypervisor.value == .virtualbox)
    }

    @Test(arguments: [
        ("hypervisor/compatible", "linux,kvm", "kvm"), ("hypervisor/compatible", "xen,xen", "xen"),
        ("hypervisor/compatible", "vmware", "vmware"),
        ("hypervisor/compatible", "microsoft,hyperv", "hyperv"),
        ("hypervisor/compatible", "qnx,hypervisor", "qnx"),
        ("hypervisor/compatible", "gunyah-hypervisor", "gunyah"),
        ("hypervisor/compatible", "jailhouse", "jailhouse"),
        ("hypervisor/compatible", "acrn", "acrn"),
        ("hypervisor/compatible", "acme,visor", "other"),
        ("compatible", "qemu,pseries", "qemu"),
        ("compatible", "qemu,powernv9\\0ibm,powernv", "qemu"),
        ("compatible", "ibm,powernv", "none"), ("compatible", "riscv-virtio", "qemu"),
        ("compatible", "xen,xenvm-4.11", "xen"), ("compatible", "jailhouse,cell", "jailhouse"),
        ("compatible", "linux,dummy-virt", "other"),
        ("compatible", "raspberrypi,4-model-b", "none"),
    ])
    func `a device tree`(_ node: String, _ text: String, _ kind: String) throws {
        let folder = "sys/firmware/devicetree/base"
        let info = try detect(["file \(folder)/\(node) \(text)\\0"])
        #expect(info.hypervisor.value?.rawValue == kind)
    }

    @Test(arguments: [
        ("vendor_id : User Mode Linux", "uml"), ("vendor_id : PowerVM Lx86", "powervm-lx86"),
        ("machine : CHRP IBM pSeries (emulated by qemu)", "qemu"),
        ("model name : QEMU Virtual CPU version 2.5+", "qemu"),
        ("model name : Common KVM processor", "qemu"),
        ("model name : Intel(R) Xeon(R)", "absent"),
        ("platform : PowerNV", "none"), ("platform : pSeries", "absent"),
    ])
    func `the kernel's text on the processor`(_ line: String, _ kind: String) throws {
        let info = try detect(["text proc/cpuinfo", "| \(line)"])
        #expect(info.hypervisor.value?.rawValue ?? "absent" == kind)
    }

    @Test(arguments: [
        ("sparc64", "type : sun4u", "none"), ("sparc64", "type : sun4v", "absent"),
        ("ppc64le", "machine : CHRP", "none"), ("ppc64le", "platform : pSeries", "absent"),
    ])
    func `a platform that firmware divides`(
        _ machine: String,
        _ line: String,
        _ kind: String
    ) throws {
        let name = "file .uname.json {\"machine\":\"\(machine)\"}"
        let info = try detect([name, "text proc/cpuinfo", "| \(line)"])
        #expect(info.hypervisor.value?.rawValue ?? "absent" == kind)
    }

    @Test(arguments: [
        ("compatible IBM,9117-MMA\\0", "absent"), ("ibm,partition-name full", "absent"),
        ("hypervisor/compatible linux,kvm\\0", "kvm"),
    ])
    func `the device tree of a pSeries`(_ file: String, _ kind: String) throws {
        let text = ["text proc/cpuinfo", "| platform : pSeries"]
        let info = try detect(text + ["file proc/device-tree/\(file)"])
        #expect(info.hypervisor.value?.rawValue ?? "absent" == kind)
    }

    @Test(arguments: [
        ("file dev/mdesc", "ldoms"), ("file proc/iSeries/config", "os400"),
        ("folder sys/bus/xen/devices/vif-0", "xen"),
        ("folder sys/bus/vmbus/devices/x", "hyperv"),
        ("folder sys/bus/xen/devices", "absent"),
    ])
    func `a file of one platform`(_ line: String, _ kind: String) throws {
        #expect(try detect([line]).hypervisor.value?.rawValue ?? "absent" == kind)
    }

    @Test func `a device on a hypervisor's bus counts although the bit is clear`() throws {
        let clear = "cpuid 0x00000001 0x00: eax=0x000806f8 ebx=0x0 ecx=0x0 edx=0x0"
        let info = try detect([clear, "folder sys/bus/xen/devices/vbd-51712"])
        #expect(info.hypervisor.value == .xen)
        #expect(info.isVirtualMachine.value == true)
        let clock = "sys/devices/system/clocksource/clocksource0/available_clocksource"
        let clocked = try detect([clear, "file \(clock) kvm-clock tsc"])
        #expect(clocked.hypervisor.value == HypervisorKind.none)
    }

    @Test(arguments: [
        ("tsc kvm-clock acpi_pm", "kvm"), ("xen tsc", "xen"), ("lguest tsc", "lguest"),
        ("hyperv_clocksource_tsc_page tsc", "hyperv"), ("tsc hpet", "other"),
    ])
    func `a clock, where all else is silent`(_ text: String, _ kind: String) throws {
        let file = "sys/devices/system/clocksource/clocksource0/available_clocksource"
        let info = try detect([Self.bit, "file \(file) \(text)"])
        #expect(info.hypervisor.value?.rawValue == kind)
    }

    @Test(arguments: [
        ("dev/kvm", "kvm"), ("dev/mshv", "mshv"), ("dev/vboxdrv", "virtualbox"),
        ("dev/vmmon", "vmware"), ("dev/acrn_hsm", "acrn"), ("dev/gunyah", "gunyah"),
        ("dev/jailhouse", "jailhouse"), ("dev/nitro_enclaves", "nitro-enclaves"),
    ])
    func `a host's device`(_ node: String, _ name: String) throws {
        let base = ["\(Self.dmi)sys_vendor Dell Inc."]
        let byNode = try detect(base + ["file \(node)"])
        #expect(byNode.layers.map(\.name) == [name])
        #expect(byNode.role == .host)
        let listed = String(node.dropFirst(4))
        #expect(try detect(base + ["file proc/misc 232 \(listed)"]).layers.map(\.name) == [name])
    }

    @Test func `every field of a hostile table stays within it`() throws {
        // Lengths and text numbers that point behind the end.
        for bytes in ["00", "00 ff 00 00", "01 08 00 00 ff ff ff ff 00 00", "00 04 00 00", "7f"] {
            let info = try detect(["hex sys/firmware/dmi/tables/DMI \(bytes)"])
            #expect(info.hypervisor.value == nil)
        }
    }

    @Test(arguments: [
        ["folder sys/class/dmi/id"], ["file sys/class/dmi/id/bios_vendor American Megatrends"],
        ["file dmidecode.txt System Information"],
        ["file sys/class/dmi/id/sys_vendor Scaleway", "file sys/class/dmi/id/product_name SCW"],
        ["folder proc/device-tree/cpus"],
    ])
    func `what says nothing of the machine proves no hardware`(_ lines: [String]) throws {
        let info = try detect(lines)
        #expect(info.hypervisor.value == nil)
        #expect(info.isVirtualMachine.value == nil)
    }

    @Test func `a maker of both counts as hardware where the firmware says so`() throws {
        let scaleway = "\(Self.dmi)sys_vendor Scaleway"
        let raw = "hex sys/firmware/dmi/entries/0-0/raw 00 14 00 00 00 00 00 00 00 00"
        let clear = try detect([scaleway, "\(raw) 00 00 00 00 00 00 00 00 00 00 00 00"])
        #expect(clear.hypervisor.value == HypervisorKind.none)
        let silent = try detect([scaleway])
        let says = "nothing tells whether a hypervisor is there"
        #expect(silent.evidence.contains { $0.says.hasSuffix(says) })
    }

    @Test func `versions are the decided hypervisor's own`() throws {
        // KVM with Hyper-V's interface: the interface's version is not KVM's.
        let info = try detect([
            Self.bit,
            "cpuid 0x40000000 0x00: eax=0x4000000b ebx=0x7263694d ecx=0x666f736f edx=0x76482074",
            "cpuid 0x40000002 0x00: eax=0x00004a65 ebx=0x000a0000 ecx=0x0 edx=0x0",
            "cpuid 0x40000100 0x00: eax=0x40000101 ebx=0x4b4d564b ecx=0x564b4d56 edx=0x4d",
        ])
        #expect(info.hypervisor.value == .kvm)
        #expect(info.version.value == nil)
        let parallels = try detect([
            "\(Self.dmi)sys_vendor Parallels", "\(Self.dmi)bios_version 18.1.0 (53311)",
        ])
        #expect(parallels.version.value == "18.1.0 (53311)")
        let xen = try detect([
            "\(Self.dmi)sys_vendor Xen", "\(Self.dmi)bios_vendor Xen",
            "\(Self.dmi)bios_version 4.11.amazon",
        ])
        #expect(xen.version.value == "4.11.amazon")
        let box = try detect([
            "\(Self.dmi)sys_vendor innotek GmbH",
            "hex sys/firmware/dmi/entries/11-0/raw 0b 05 0b 00 01 "
                + "76 62 6f 78 56 65 72 5f 37 2e 30 00 00",
        ])
        #expect(box.version.value == "7.0")
    }
}
