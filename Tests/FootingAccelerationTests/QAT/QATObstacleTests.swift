import FootingHost
import FootingSystem
import Testing

@testable import FootingAcceleration

/// The ladder: one machine that lacks nothing, and what is said when each rung is taken out.
@Suite struct QATObstacleTests {
    private static let devices = "sys/bus/pci/devices"
    private static let physical = "\(devices)/0000:6b:00.0"
    private static let virtual = "\(devices)/0000:6b:00.1"

    /// Files of a host with one physical and one virtual function.
    private static let whole: [String: String] = [
        "\(physical)/uevent": "DRIVER=4xxx\nPCI_CLASS=B4000\nPCI_ID=8086:4940\n",
        "\(physical)/qat/state": "up\n",
        "\(physical)/qat/cfg_services": "sym;dc\n",
        "\(physical)/sriov_numvfs": "1\n",
        "\(virtual)/uevent": "DRIVER=vfio-pci\nPCI_CLASS=B4000\nPCI_ID=8086:4941\n",
    ]

    struct Rung: Sendable, CustomTestStringConvertible {
        let step: QATObstacle.Step
        /// Files that are other than in the whole machine; nil: not there.
        var changes: [String: String?] = [:]
        var hasGroups = true
        let text: String
        var testDescription: String { "\(step) \(text)" }
    }

    static let rungs: [Rung] = [
        Rung(
            step: .device,
            changes: [
                "\(physical)/uevent": "PCI_CLASS=20000\nPCI_ID=8086:1521\n",
                "\(virtual)/uevent": nil,
            ],
            text: "no QAT device"
        ),
        Rung(
            step: .generation,
            changes: [
                "\(physical)/uevent": "DRIVER=c6xx\nPCI_CLASS=B4000\nPCI_ID=8086:37C8\n",
                "\(virtual)/uevent": nil,
            ],
            text: "0000:6b:00.0 (c62x): unsupported: needs Intel's out-of-tree driver"
        ),
        Rung(
            step: .driver,
            changes: [
                "\(physical)/uevent": "PCI_CLASS=B4000\nPCI_ID=8086:4940\n",
                "\(virtual)/uevent": nil,
            ],
            text: "0000:6b:00.0 (4xxx): no-driver: modprobe qat_4xxx"
        ),
        Rung(
            step: .up,
            changes: ["\(physical)/qat/state": "down\n", "\(virtual)/uevent": nil],
            text: "0000:6b:00.0 (4xxx): down: systemctl start qat"
        ),
        Rung(
            step: .service,
            changes: ["\(physical)/qat/cfg_services": "asym\n", "\(virtual)/uevent": nil],
            text: "0000:6b:00.0 (4xxx): no-service: set ServicesEnabled=sym;dc"
        ),
        Rung(
            step: .virtualFunctions,
            changes: ["\(physical)/sriov_numvfs": "0\n", "\(virtual)/uevent": nil],
            text: "0000:6b:00.0 (4xxx): no-virtual-function: systemctl enable --now qat"
        ),
        Rung(step: .iommu, hasGroups: false, text: "(4xxx): no-iommu: boot with intel_iommu=on"),
        Rung(
            step: .binding,
            changes: [
                "\(virtual)/uevent": "DRIVER=4xxxvf\nPCI_CLASS=B4000\nPCI_ID=8086:4941\n"
            ],
            text: "0000:6b:00.1 (4xxx): wrong-driver: bound to 4xxxvf, not vfio-pci"
        ),
        Rung(
            step: .binding,
            changes: ["\(virtual)/uevent": nil],
            text: "no virtual function of 0000:6b:00.0 is to be seen here"
        ),
    ]

    private func machine(_ rung: Rung?) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        var files = Self.whole.mapValues { Optional($0) }
        for (path, content) in rung?.changes ?? [:] { files[path] = .some(content) }
        for (path, content) in files {
            guard let content else { continue }
            let parent = path.split(separator: "/").dropLast().joined(separator: "/")
            try #require(folder.run("mkdir -p '\(parent)'") == 0)
            try folder.write(path, Array(content.utf8))
        }
        guard rung?.hasGroups ?? true else { return folder }
        for (slot, group) in [(Self.physical, 7), (Self.virtual, 9)] {
            let link = "ln -s ../../../../kernel/iommu_groups/\(group) '\(slot)/iommu_group'"
            let command = "mkdir -p sys/kernel/iommu_groups/\(group) '\(slot)' && \(link)"
            try #require(folder.run(command) == 0)
        }
        return folder
    }

    private let all = QATConfiguration(use: .all)

    @Test(arguments: rungs)
    func `a missing rung is named, with what to do`(rung: Rung) throws {
        let folder = try machine(rung)
        let obstacle = QATObstacle.first(
            root: try HostRoot(path: folder.path),
            configuration: all
        )
        #expect(obstacle?.step == rung.step)
        #expect(obstacle?.text.contains(rung.text) == true, "\(obstacle?.text ?? "nothing")")
    }

    @Test
    func `what was not asked for is not looked for`() throws {
        let folder = try machine(nil)
        let root = try HostRoot(path: folder.path)
        #expect(QATObstacle.first(root: root, configuration: .init())?.step == .configuration)
    }

    @Test
    func `a recorded machine's device is not started`() throws {
        let folder = try machine(nil)
        let accelerator = QATAccelerator(
            all,
            root: try HostRoot(path: folder.path),
            software: SoftwareAccelerator()
        )
        #expect(accelerator.obstacle?.problem.hasPrefix("a recorded machine") == true)
        #expect(accelerator.operations.isEmpty)
    }

    @Test
    func `the node's permission and the limit of locked memory are rungs too`() throws {
        let folder = try machine(nil)
        let devices = QATDevice.all(in: try HostRoot(path: folder.path))
        func first(_ node: String, _ limit: UInt64?) -> QATObstacle? {
            QATObstacle.first(
                devices,
                all,
                QATObstacle.Permissions(mayUse: { $0 == node }, lockedBytesMaximum: limit)
            )
        }
        #expect(first("dev/vfio/9", nil) == nil)
        #expect(first("dev/vfio/9", 64 << 20) == nil)
        let other = first("dev/vfio/7", nil)
        #expect(other?.step == .permission)
        #expect(other?.problem == "this user may not open /dev/vfio/9")
        let small = first("dev/vfio/9", 8 << 20)
        #expect(small?.step == .memory)
        #expect(small?.problem == "this process may lock 8 MiB, 26 are needed")
    }

    @Test
    func `this process has permissions of its own`() {
        let permissions = QATObstacle.Permissions.live()
        #expect(permissions.mayUse("dev/null"))
        #expect(!permissions.mayUse("dev/vfio/there is none"))
    }
}
