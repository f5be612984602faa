import FootingSystem
import Testing

/// Kernels that run, or believe to run, on different hypervisors.
@Suite(
    .needs(.emulator),
    .needs(.shell),
    .needs(.program),
    .needs(.initialProcess),
    .needs(.cloudKernel)
)
struct HypervisorGuestTests {
    /// A server's firmware and processor without a trace of the emulator in either.
    static let bareMetal = Machine(
        processor: "max,-hypervisor,tcg-cpuid=off,vendor=GenuineIntel,"
            + "model-id=Intel(R) Xeon(R) Gold 6130",
        firmware: [
            .biosVendor: "Dell Inc.", .systemVendor: "Dell Inc.",
            .productName: "PowerEdge R740", .boardVendor: "Dell Inc.", .chassisVendor: "Dell Inc.",
        ]
    )

    @Test func `QEMU without KVM is qemu`() throws {
        let report = try SharedGuest.plain.restored().detect()
        let virtualization = try #require(report["virtualization"])
        #expect(virtualization["hypervisor"] == "qemu")
        #expect(virtualization["isVirtualMachine"] == true)
        #expect(virtualization["role"] == "guest")
        #expect(virtualization["container"] == "none")
        #expect(layers(report) == ["virtual-machine qemu"])
        let values = virtualization["evidence"]?.array.map { $0["value"]?.stringValue ?? "" } ?? []
        #expect(values.contains("TCGTCGTCGTCG"))
        #expect(report[path: "cloud.provider"] == "none")
        #expect(report[path: "machine.product"] == "Standard PC (Q35 + ICH9, 2009)")
    }

    @Test func `a container is a layer of its own`() throws {
        let guest = try SharedGuest.plain.restored()
        try guest.shell("touch /.dockerenv")
        let report = try guest.detect()
        #expect(report[path: "virtualization.container"] == "docker")
        #expect(layers(report) == ["container docker", "virtual-machine qemu"])
    }

    @Test func `a machine that shows no hypervisor is bare metal`() throws {
        let report = try Guest(Self.bareMetal).detect()
        #expect(report[path: "virtualization.hypervisor"] == "none")
        #expect(report[path: "virtualization.isVirtualMachine"] == false)
        #expect(report[path: "virtualization.role"] == "none")
        #expect(layers(report) == [])
        #expect(report[path: "environment.kind"] == "bare-metal")
        #expect(report[path: "machine.vendor"] == "Dell Inc.")
        #expect(report[path: "cpu.vendor"] == "GenuineIntel")
        #expect(report[path: "cpu.model"] == "Intel(R) Xeon(R) Gold 6130")
    }

    @Test func `a hypervisor that does not sign is another one`() throws {
        var machine = Self.bareMetal
        machine.processor = "max,tcg-cpuid=off,model-id=Intel(R) Xeon(R) Gold 6130"
        let report = try Guest(machine).detect()
        #expect(report[path: "virtualization.hypervisor"] == "other")
        #expect(report[path: "virtualization.isVirtualMachine"] == true)
        #expect(report[path: "virtualization.role"] == "guest")
    }

    @Test func `an emulator that does not sign is known by its processor's name`() throws {
        var machine = Self.bareMetal
        machine.processor = "max,tcg-cpuid=off"
        let report = try Guest(machine).detect()
        #expect(report[path: "virtualization.hypervisor"] == "qemu")
        #expect(report[path: "virtualization.isVirtualMachine"] == true)
    }

    @Test func `where the kernel finds VMware, so does the program`() throws {
        let guest = try Guest(
            Machine(
                board: "q35,vmport=on",
                processor: "max,-hypervisor",
                firmware: [
                    .systemVendor: "VMware, Inc.", .productName: "VMware Virtual Platform",
                    .productSerial: "VMware-56 4d 11 22 33 44 55 66-77 88 99 aa bb cc dd ee",
                ]
            )
        )
        let messages = try guest.shell("busybox dmesg")
        #expect(messages.contains("Hypervisor detected: VMware"))
        let report = try guest.detect()
        #expect(report[path: "virtualization.hypervisor"] == "vmware")
        #expect(report[path: "virtualization.isVirtualMachine"] == true)
        #expect(report[path: "machine.product"] == "VMware Virtual Platform")
    }

    @Test(.needs(.xen), .needs(.genericKernel))
    func `domain 0 of Xen is a host, not a guest`() throws {
        // Its processor still carries the signature of the emulator below Xen.
        let guest = try Guest(
            Machine(kernel: .generic, isOnXen: true, memoryMebibytes: 768, processor: "qemu64")
        )
        let report = try guest.detect()
        let virtualization = try #require(report["virtualization"])
        #expect(virtualization["hypervisor"] == "xen")
        #expect(virtualization["xenMode"] == "dom0")
        #expect(virtualization["isVirtualMachine"] == false)
        #expect(virtualization["role"] == "host")
        #expect(virtualization["version"]?.stringValue?.hasPrefix("4.") == true)
        #expect(layers(report) == ["outer-hypervisor qemu", "host xen"])
    }

    private func layers(_ report: JSONValue) -> [String] {
        report[path: "virtualization.layers"]?.array.map {
            "\($0["kind"]?.stringValue ?? "") \($0["name"]?.stringValue ?? "")"
        } ?? []
    }
}

/// Guests that are booted once and restored for each test.
enum SharedGuest {
    /// Nothing but a processor and memory.
    static let plain = SharedGuest.boot(Machine())

    /// A saved guest, or why there is none.
    struct Saved: Sendable {
        fileprivate let result: Result<SavedGuest, any Error>

        /// A guest of its own for one test.
        func restored() throws -> Guest {
            try Guest(restoring: result.get())
        }
    }

    private static func boot(_ machine: Machine) -> Saved {
        Saved(
            result: Result {
                let saved = try Guest(machine).save()
                saved.folder.removeAtExit()
                return saved
            }
        )
    }
}
