import Foundation
import Testing

@testable import FootingKubeVirt

/// Threads and processors: tables of KubeVirt's rules.
@Suite struct PlacementTests {
    private func convert(_ domain: String, context: String = "") throws -> String {
        let manifest = """
            {apiVersion: kubevirt.io/v1, kind: VirtualMachineInstance, metadata: {name: a},
             spec: {domain: {memory: {guest: 1Gi}, \(domain)}}}
            """
        return try DomainConverter.convert(
            manifest: [UInt8](manifest),
            context: [UInt8](context)
        ).xml
    }

    private func disks(_ own: [Bool]) -> String {
        let disks = own.enumerated().map { index, own in
            "{name: d\(index), cdrom: {bus: virtio}, dedicatedIOThread: \(own)}"
        }
        return "devices: {disks: [\(disks.joined(separator: ", "))]}"
    }

    private func values(_ name: String, in xml: String) -> [String] {
        xml.components(separatedBy: "\(name)=\"").dropFirst().map {
            String($0.prefix { $0 != "\"" })
        }
    }

    struct ThreadCase {
        let policy: String?
        let own: [Bool]
        var processors: String?
        let total: Int?
        let threads: [Int]
    }

    static let threadCases: [ThreadCase] = [
        ThreadCase(policy: nil, own: [false, false], total: nil, threads: []),
        ThreadCase(policy: nil, own: [true], total: 1, threads: [1]),
        ThreadCase(policy: nil, own: [true, false, true], total: 3, threads: [2, 1, 3]),
        ThreadCase(policy: "shared", own: [false, false, false], total: 1, threads: [1, 1, 1]),
        ThreadCase(policy: "shared", own: [false, true], total: 2, threads: [1, 2]),
        ThreadCase(policy: "auto", own: [false, false], total: 2, threads: [1, 2]),
        ThreadCase(policy: "auto", own: [false, false, false], total: 2, threads: [1, 2, 1]),
        ThreadCase(
            policy: "auto",
            own: [false, false, false, false, true],
            processors: "2",
            total: 4,
            threads: [1, 2, 3, 1, 4]
        ),
        ThreadCase(policy: "auto", own: [true, true, true], total: 4, threads: [2, 3, 4]),
        ThreadCase(
            policy: "auto",
            own: [false, false, false],
            processors: "1500m",
            total: 3,
            threads: [1, 2, 3]
        ),
    ]

    @Test(arguments: threadCases)
    func `I O threads by policy, disks and processors`(row: ThreadCase) throws {
        var domain = disks(row.own)
        if let policy = row.policy { domain += ", ioThreadsPolicy: \(policy)" }
        if let processors = row.processors {
            domain += ", resources: {requests: {cpu: \"\(processors)\"}}"
        }
        let xml = try convert(domain)
        #expect(values("iothread", in: xml) == row.threads.map { "\($0)" })
        #expect(xml.contains("<iothreads>") == (row.total != nil))
        if let total = row.total { #expect(xml.contains("<iothreads>\(total)</iothreads>")) }
    }

    /// Two nodes with two cores of two threads: 0 and 1, 2 and 3; 4 and 5, 6 and 7.
    private static let cells = [0, 1].map { cell in
        HostCell(
            id: cell,
            processors: (cell * 4..<cell * 4 + 4).map { id in
                HostCell.Processor(id: id, siblings: [id / 2 * 2, id / 2 * 2 + 1])
            },
            distances: []
        )
    }

    struct PoolCase {
        let allowed: [Int]
        let cores: Int
        let threads: Int
        var crosses = true
        let expected: [Int]?
    }

    static let poolCases: [PoolCase] = [
        PoolCase(allowed: Array(0...7), cores: 2, threads: 2, expected: [0, 1, 2, 3]),
        PoolCase(allowed: Array(0...7), cores: 3, threads: 1, expected: [0, 1, 2]),
        PoolCase(allowed: [1, 2, 3, 4], cores: 1, threads: 2, expected: [2, 3]),
        PoolCase(allowed: [1, 2, 3, 4], cores: 2, threads: 2, expected: [2, 3, 1, 4]),
        PoolCase(allowed: [1, 2, 3, 4], cores: 2, threads: 2, crosses: false, expected: nil),
        PoolCase(allowed: [0, 2, 4], cores: 1, threads: 2, crosses: false, expected: [0, 2]),
        PoolCase(allowed: [0, 1, 2], cores: 2, threads: 2, expected: nil),
        PoolCase(allowed: [9], cores: 1, threads: 1, expected: nil),
    ]

    @Test(arguments: poolCases)
    func `Cores stay whole where they can`(row: PoolCase) throws {
        var pool = ProcessorPool(
            cells: Self.cells,
            allowed: row.allowed,
            threadsPerCore: row.threads
        )
        let taken = try? pool.takeCores(row.cores, mayCrossCells: row.crosses)
        #expect(taken == row.expected)
    }

    @Test func `Threads come from the fragments first, and end`() throws {
        var pool = ProcessorPool(cells: Self.cells, allowed: [0, 1, 2, 4], threadsPerCore: 2)
        var taken: [Int] = []
        for _ in 0..<4 { taken.append(try pool.takeThread(for: "a test")) }
        #expect(taken == [2, 0, 1, 4])
        #expect(throws: ConversionError.self) { try pool.takeThread(for: "a test") }
    }

    @Test(arguments: [(1, 1), (2, 2), (256, 256), (257, 256), (512, 256)])
    func `An interface has as many queues as processors, up to 256`(
        processors: Int,
        queues: Int
    ) throws {
        let xml = try convert(
            "cpu: {sockets: \(processors), cores: 1, threads: 1}, "
                + "devices: {networkInterfaceMultiqueue: true}"
        )
        #expect(values("queues", in: xml) == ["\(queues)"])
    }

    struct TypeCase {
        let hypervisor: String
        let hasDevice: Bool
        let allowsEmulation: Bool
        let type: String?
    }

    static let typeCases: [TypeCase] = [
        TypeCase(
            hypervisor: "hyperv-direct",
            hasDevice: true,
            allowsEmulation: false,
            type: "hyperv"
        ),
        TypeCase(
            hypervisor: "hyperv-direct",
            hasDevice: true,
            allowsEmulation: true,
            type: "hyperv"
        ),
        TypeCase(
            hypervisor: "hyperv-direct",
            hasDevice: false,
            allowsEmulation: true,
            type: "qemu"
        ),
        TypeCase(hypervisor: "hyperv-direct", hasDevice: false, allowsEmulation: false, type: nil),
        TypeCase(hypervisor: "kvm", hasDevice: true, allowsEmulation: false, type: "kvm"),
        TypeCase(hypervisor: "kvm", hasDevice: true, allowsEmulation: true, type: "kvm"),
        TypeCase(hypervisor: "kvm", hasDevice: false, allowsEmulation: true, type: "qemu"),
        TypeCase(hypervisor: "kvm", hasDevice: false, allowsEmulation: false, type: nil),
    ]

    @Test(arguments: typeCases)
    func `The domain's type is upstream's decision`(row: TypeCase) throws {
        let context =
            "{hypervisor: \(row.hypervisor), hypervisorDevice: \(row.hasDevice), "
            + "allowEmulation: \(row.allowsEmulation)}"
        let xml = try? convert("devices: {}", context: context)
        #expect(
            xml?.hasPrefix("<domain type=\"\(row.type ?? "")\"") == (row.type.map { _ in true })
        )
    }

    @Test(arguments: [
        ("amd64", "efi: {}", "secboot.fd", "VARS.secboot.fd", "yes"),
        ("amd64", "efi: {secureBoot: false}", "secboot.fd", "OVMF_VARS.fd", "no"),
        ("arm64", "efi: {}", "AAVMF_CODE.fd", "AAVMF_VARS.fd", "no"),
    ])
    func `Firmware by architecture and secure boot`(
        architecture: String,
        loader: String,
        code: String,
        variables: String,
        secure: String
    ) throws {
        let xml = try convert(
            "firmware: {bootloader: {\(loader)}}, devices: {}",
            context: "architecture: \(architecture)"
        )
        #expect(xml.contains("secure=\"\(secure)\" type=\"pflash\""))
        #expect(xml.contains("\(code)</loader>"))
        #expect(xml.contains("\(variables)\">"))
    }

    @Test func `Firmware without variables is memory alone`() throws {
        for security in ["snp: {}", "tdx: {}"] {
            let xml = try convert(
                "firmware: {bootloader: {efi: {secureBoot: false}}}, devices: {}, "
                    + "launchSecurity: {\(security)}"
            )
            #expect(xml.contains("type=\"rom\"") && !xml.contains("<nvram"))
        }
    }
}
