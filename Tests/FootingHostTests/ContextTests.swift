import FootingDeployment
import FootingHost
import FootingSystem
import Testing

/// The kinds of place, their order, and what holds beside them.
@Suite struct ContextTests {
    /// Parts that machines are put together from.
    enum Part: String {
        case guest, metal, cloud, privateCloud, nvme, mounted, board, card, virtio, balloon
        case docker, kvm, nodes, limit, little, trust, ext4, btrfs, tmpfs, nfs

        var lines: [String] {
            switch self {
            case .guest:
                [
                    "cpuid 0x00000001 0x00: eax=0x0 ebx=0x0 ecx=0x80000000 edx=0x0",
                    "cpuid 0x40000000 0x00: eax=0x40000001 ebx=0x4b4d564b ecx=0x564b4d56 edx=0x4d",
                ]
            case .metal:
                [
                    "cpuid 0x00000001 0x00: eax=0x0 ebx=0x0 ecx=0x0 edx=0x0",
                    "file sys/class/dmi/id/sys_vendor Dell Inc.",
                ]
            case .cloud:
                [
                    "file sys/class/dmi/id/chassis_asset_tag 7783-7084-3265-9085-8269-3286-77"
                ]
            case .privateCloud: ["file sys/class/dmi/id/chassis_asset_tag OpenStack Nova"]
            case .nvme:
                [
                    "file sys/block/nvme0n1/size 2097152", "file sys/block/nvme0n1/dev 259:0",
                    "folder sys/block/nvme0n1/holders", "zeros dev/nvme0n1 4096",
                    "text proc/self/mountinfo", "| 1 0 0:1 / / rw - ext4 /dev/sda1 rw",
                ]
            case .mounted:
                [
                    "file sys/block/nvme0n1/size 2097152", "file sys/block/nvme0n1/dev 259:0",
                    "text proc/self/mountinfo", "| 1 0 259:0 / / rw - ext4 /dev/nvme0n1 rw",
                ]
            case .board: ["file proc/device-tree/compatible raspberrypi,4-model-b\\0"]
            case .card:
                [
                    "file sys/block/mmcblk0/size 2097152",
                    "link sys/block/mmcblk0/device/driver -> ../../bus/mmc/drivers/mmcblk",
                ]
            case .virtio: ["file sys/bus/virtio/devices/virtio0/device 0x0002"]
            case .balloon: ["folder sys/module/vmw_balloon"]
            case .docker: ["file .dockerenv"]
            case .kvm: ["file dev/kvm"]
            case .nodes:
                ["folder sys/devices/system/node/node0", "folder sys/devices/system/node/node1"]
            case .limit:
                ["file proc/self/cgroup 0::/a", "file sys/fs/cgroup/a/memory.max 134217728"]
            case .little: ["text proc/meminfo", "| MemTotal: 524288 kB"]
            case .trust:
                [
                    "cpuid 0x00000000 0x00: eax=0x21 ebx=0x0 ecx=0x0 edx=0x0",
                    "cpuid 0x00000021 0x00: eax=0x0 ebx=0x65746e49 ecx=0x20202020 edx=0x5844546c",
                ]
            case .ext4: ["text proc/self/mountinfo", "| 1 0 8:1 / / rw - ext4 /dev/sda1 rw"]
            case .btrfs: ["text proc/self/mountinfo", "| 1 0 0:9 / / rw - btrfs /dev/sda1 rw"]
            case .tmpfs: ["text proc/self/mountinfo", "| 1 0 0:9 / / rw - tmpfs none rw"]
            case .nfs: ["text proc/self/mountinfo", "| 1 0 0:9 / / rw - nfs4 server:/a rw"]
            }
        }
    }

    private func context(_ parts: [Part]) throws -> DeploymentContext {
        try MachineFixture("place", parts.flatMap(\.lines)).withRoot {
            Detection(root: $0, path: "/var/disk").context
        }
    }

    private static let kinds: [([Part], DeploymentContext.Kind)] = [
        ([], .bareMetal),
        ([.metal], .bareMetal),
        ([.guest], .hostedVM),
        ([.guest, .virtio], .hypervisor),
        ([.guest, .balloon], .hypervisor),
        ([.board], .edge),
        ([.metal, .card], .edge),
        ([.metal, .nvme], .bareMetalNVMe),
        ([.cloud, .guest], .hyperscaleCloud),
        // Each kind before those behind it.
        ([.cloud, .guest, .virtio, .balloon, .nvme], .hyperscaleCloud),
        ([.cloud, .nvme], .hyperscaleCloud),
        ([.board, .nvme], .bareMetalNVMe),
        ([.board, .card, .virtio], .edge),
        // What looks like a kind and is not.
        ([.metal, .mounted], .bareMetal),
        ([.guest, .nvme], .hostedVM),
        ([.guest, .card], .hostedVM),
        ([.guest, .board, .virtio], .hypervisor),
        ([.metal, .virtio], .bareMetal),
        ([.metal, .balloon], .bareMetal),
        ([.privateCloud, .guest, .virtio], .hypervisor),
        ([.metal, .nvme, .docker], .bareMetal),
        ([.metal, .kvm], .bareMetal),
    ]

    @Test(arguments: kinds.indices)
    func `a place is of the first kind that holds`(_ index: Int) throws {
        let (parts, kind) = Self.kinds[index]
        let context = try context(parts)
        #expect(context.kind == kind, "\(parts.map(\.rawValue))")
        // One line for each kind that was asked, the last one's the reason.
        let asked = DeploymentContext.Kind.allCases.prefix { $0 != kind }.count
        #expect(context.evidence.count == asked + (kind == .bareMetal ? 0 : 1))
        #expect(context.evidence.allSatisfy { !$0.says.isEmpty && !$0.source.isEmpty })
    }

    private static let facets: [([Part], [String])] = [
        ([.metal], []),
        ([.guest], ["virtual-machine"]),
        ([.cloud, .guest], ["cloud", "virtual-machine"]),
        ([.metal, .nvme], ["file-disk-on-journaling-fs", "free-nvme"]),
        ([.metal, .card], ["flash-card"]),
        ([.metal, .virtio], ["paravirtual-devices"]),
        ([.guest, .balloon], ["balloon", "virtual-machine"]),
        ([.metal, .docker], ["container"]),
        ([.metal, .kvm], ["hypervisor-host"]),
        ([.guest, .kvm], ["nested-virtualization", "virtual-machine"]),
        ([.metal, .nodes], ["numa"]),
        ([.metal, .limit], ["memory-limit"]),
        ([.metal, .little], ["small-memory"]),
        ([.guest, .trust], ["confidential", "virtual-machine"]),
        ([.metal, .ext4], ["file-disk-on-journaling-fs"]),
        ([.metal, .btrfs], ["file-disk-on-copy-on-write-fs"]),
        ([.metal, .tmpfs], ["file-disk-in-memory"]),
        ([.metal, .nfs], ["file-disk-on-network-fs"]),
        (
            [.guest, .docker, .nodes, .limit, .ext4],
            ["container", "file-disk-on-journaling-fs", "memory-limit", "numa", "virtual-machine"]
        ),
    ]

    @Test(arguments: facets.indices)
    func `facets hold beside the kind`(_ index: Int) throws {
        let (parts, names) = Self.facets[index]
        let context = try context(parts)
        #expect(context.facets.map(\.name) == names, "\(parts.map(\.rawValue))")
        #expect(context.facets.allSatisfy { !$0.evidence.source.isEmpty })
        #expect(names.allSatisfy { context.has($0) })
    }

    @Test(arguments: [
        ("raspberrypi,4-model-b", true), ("calao,usb-a9260\\0atmel,at91sam9260", true),
        ("facebook,wedge100-bmc\\0aspeed,ast2500", true), ("apple,j274\\0apple,t8103", false),
        ("ibm,powernv", false), ("st", false), ("study,board", false),
    ])
    func `a board is known by its makers`(compatible: String, isBoard: Bool) throws {
        let line = "file proc/device-tree/compatible \(compatible)\\0"
        let context = try MachineFixture("board", [line]).withRoot { Detection(root: $0).context }
        #expect(context.kind == (isBoard ? .edge : .bareMetal))
    }
}
