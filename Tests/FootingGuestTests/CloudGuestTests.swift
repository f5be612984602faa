import FootingSystem
import Testing

/// The clouds' firmware texts, on their way through SMBIOS and a real kernel.
///
/// A guest has no network, so nothing can be asked: what is found is found by these texts.
@Suite(
    .needs(.emulator),
    .needs(.shell),
    .needs(.program),
    .needs(.initialProcess),
    .needs(.cloudKernel)
)
struct CloudGuestTests {
    struct Cloud: CustomTestStringConvertible, Sendable {
        var name: String
        var firmware: [FirmwareText: String]
        var provider: String
        var brand: String?
        var isVirtual = true

        var testDescription: String { name }
    }

    static let clouds: [Cloud] = [
        Cloud(
            name: "Amazon EC2",
            firmware: [
                .biosVendor: "Amazon EC2", .biosVersion: "1.0", .systemVendor: "Amazon EC2",
                .productName: "m5.large", .boardVendor: "Amazon EC2",
                .boardAssetTag: "i-0123456789abcdef0", .chassisAssetTag: "Amazon EC2",
            ],
            provider: "aws"
        ),
        Cloud(
            name: "Amazon EC2 without a hypervisor",
            firmware: [
                .biosVendor: "Amazon EC2", .systemVendor: "Amazon EC2", .productName: "m5.metal",
            ],
            provider: "aws",
            isVirtual: false
        ),
        Cloud(
            name: "Microsoft Azure",
            firmware: [
                .systemVendor: "Microsoft Corporation", .productName: "Virtual Machine",
                .boardVendor: "Microsoft Corporation", .boardName: "Virtual Machine",
                .chassisAssetTag: "7783-7084-3265-9085-8269-3286-77",
            ],
            provider: "azure"
        ),
        Cloud(
            name: "Google Compute Engine",
            firmware: [
                .biosVendor: "Google", .systemVendor: "Google",
                .productName: "Google Compute Engine", .boardVendor: "Google",
                .boardName: "Google Compute Engine", .productSerial: "GoogleCloud-0123456789",
            ],
            provider: "gcp"
        ),
        Cloud(
            name: "Google Compute Engine without a hypervisor",
            firmware: [.systemVendor: "Google", .productName: "Google Compute Engine"],
            provider: "gcp",
            isVirtual: false
        ),
        Cloud(
            name: "Oracle Cloud",
            firmware: [
                .systemVendor: "QEMU", .productName: "Standard PC (Q35 + ICH9, 2009)",
                .chassisAssetTag: "OracleCloud.com",
            ],
            provider: "oracle"
        ),
        Cloud(
            name: "Alibaba Cloud",
            firmware: [.systemVendor: "Alibaba Cloud", .productName: "Alibaba Cloud ECS"],
            provider: "alibaba"
        ),
        Cloud(
            name: "DigitalOcean",
            firmware: [
                .biosVendor: "DigitalOcean", .systemVendor: "DigitalOcean", .productName: "Droplet",
            ],
            provider: "digitalocean"
        ),
        Cloud(
            name: "Hetzner Cloud",
            firmware: [
                .biosVendor: "Hetzner", .systemVendor: "Hetzner", .productName: "vServer",
            ],
            provider: "hetzner"
        ),
        Cloud(
            name: "a machine that Hetzner lets",
            firmware: [.systemVendor: "Hetzner", .productName: "AX41"],
            provider: "none",
            isVirtual: false
        ),
        Cloud(
            name: "OpenStack",
            firmware: [
                .systemVendor: "OpenStack Foundation", .productName: "OpenStack Nova",
                .productVersion: "26.1.1",
            ],
            provider: "openstack"
        ),
        Cloud(
            name: "Open Telekom Cloud",
            firmware: [
                .systemVendor: "OpenStack Foundation", .productName: "OpenStack Nova",
                .chassisAssetTag: "OpenTelekomCloud",
            ],
            provider: "openstack",
            brand: "open-telekom"
        ),
        Cloud(
            name: "Scaleway",
            firmware: [.systemVendor: "Scaleway", .productName: "SCW-DEV1-S"],
            provider: "scaleway"
        ),
        Cloud(
            name: "Vultr",
            firmware: [.systemVendor: "Vultr", .productName: "VC2"],
            provider: "vultr"
        ),
        Cloud(
            name: "Akamai",
            firmware: [.systemVendor: "Akamai", .productName: "Compute Instance"],
            provider: "akamai"
        ),
        Cloud(
            name: "Exoscale",
            firmware: [.systemVendor: "Exoscale", .productName: "Exoscale Compute Platform"],
            provider: "exoscale"
        ),
    ]

    @Test(arguments: clouds)
    func `a cloud is named by its firmware`(_ cloud: Cloud) throws {
        var machine = Machine(firmware: cloud.firmware)
        if !cloud.isVirtual { machine.processor = HypervisorGuestTests.bareMetal.processor }
        let report = try Guest(machine).detect()
        #expect(report[path: "cloud.provider"]?.stringValue == cloud.provider)
        #expect(report[path: "cloud.brand"]?.stringValue == cloud.brand)
        #expect(report[path: "virtualization.isVirtualMachine"]?.bool == cloud.isVirtual)
        #expect(
            report[path: "virtualization.hypervisor"]?.stringValue
                == (cloud.isVirtual ? "qemu" : "none")
        )
        let evidence = report[path: "cloud.evidence"]?.array ?? []
        #expect(evidence.isEmpty == (cloud.provider == "none"))
    }
}
