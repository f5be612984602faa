import FootingDeployment
import FootingHost
import FootingSystem
import Testing

@Suite struct PathTests {
    private let mounts = [
        "text proc/self/mountinfo",
        "| 22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw",
        "| 30 22 253:0 / /var rw,noatime - xfs /dev/mapper/vg-var rw,attr2",
        "| 31 30 0:40 / /var/tmp rw - tmpfs tmpfs rw,size=1g",
        "| 32 22 7:0 / /mnt/with\\\\040blank rw - ext4 /dev/loop0 rw",
        "| 33 22 0:50 /@ /data rw - btrfs /dev/vdb rw,subvol=/@",
        "link sys/dev/block/254:1 -> ../../devices/pci0/virtio1/block/vda/vda1",
        "link sys/dev/block/253:0 -> ../../devices/virtual/block/dm-0",
        "link sys/dev/block/7:0 -> ../../devices/virtual/block/loop0",
        "link sys/block/vda -> ../devices/pci0/virtio1/block/vda",
        "link sys/block/vdb -> ../devices/pci0/virtio2/block/vdb",
        "link sys/block/dm-0 -> ../devices/virtual/block/dm-0",
        "link sys/block/loop0 -> ../devices/virtual/block/loop0",
        "link sys/class/block/vda1 -> ../../devices/pci0/virtio1/block/vda/vda1",
        "link sys/class/block/vdb -> ../../devices/pci0/virtio2/block/vdb",
        "file sys/devices/pci0/virtio1/block/vda/size 41943040",
        "file sys/devices/pci0/virtio1/block/vda/vda1/partition 1",
        "file sys/devices/pci0/virtio2/block/vdb/size 41943040",
        "folder sys/devices/virtual/block/dm-0/slaves/vda1",
        "folder sys/devices/virtual/block/dm-0/slaves/vdb",
        "file sys/devices/virtual/block/loop0/loop/backing_file /var/images/disk.img",
    ]

    @Test(arguments: [
        ("/srv/disk.img", "ext4", "vda1 vda", "vda"),
        ("/var", "xfs", "dm-0 vda1 vda vdb", "vda vdb"),
        ("/variable/disk.img", "ext4", "vda1 vda", "vda"),
        ("/var/tmp/disk.img", "tmpfs", "", "absent"),
        ("/mnt/with blank/disk.img", "ext4", "loop0 dm-0 vda1 vda vdb", "vda vdb"),
        ("/data/disk.img", "btrfs", "vdb", "vdb"),
    ])
    func `a path leads to its disks`(
        _ path: String,
        _ type: String,
        _ chain: String,
        _ disks: String
    ) throws {
        try MachineFixture("paths", mounts).withRoot { root in
            let document = Detection(root: root, path: path).json()
            #expect(document[path: "path.fileSystem"]?.plain == type)
            #expect(document[path: "path.chain"]?.plain == chain)
            #expect(document[path: "path.disks"]?.plain == disks)
        }
    }

    @Test func `the kind of file system is a facet`() throws {
        try MachineFixture("paths", mounts).withRoot { root in
            let facets = ["/var", "/var/tmp", "/data"].map { path in
                Detection(root: root, path: path).context.facets.map(\.name)
            }
            #expect(facets[0].contains("file-disk-on-journaling-fs"))
            #expect(facets[1].contains("file-disk-in-memory"))
            #expect(facets[2].contains("file-disk-on-copy-on-write-fs"))
        }
    }

    @Test func `a device that is its own slave is looked at once`() throws {
        let lines = [
            "text proc/self/mountinfo", "| 22 1 253:0 / / rw - ext4 /dev/dm-0 rw",
            "link sys/dev/block/253:0 -> ../../devices/virtual/block/dm-0",
            "folder sys/block/dm-0/slaves/dm-0", "folder sys/block/dm-0/slaves/dm-1",
            "folder sys/block/dm-1/slaves/dm-0",
        ]
        try MachineFixture("loop", lines).withRoot { root in
            let path = HostReport.gather(root: root, path: "/x").path
            #expect(path?.chain == ["dm-0", "dm-1"])
            #expect(path?.disks.value == nil)
        }
    }
}

@Suite struct FreeNamespaceTests {
    private let disk = [
        "link sys/block/nvme0n1 -> ../devices/pci0000:00/0000:00:04.0/nvme/nvme0/nvme0n1",
        "file sys/devices/pci0000:00/0000:00:04.0/nvme/nvme0/nvme0n1/size 1000",
        "file sys/devices/pci0000:00/0000:00:04.0/nvme/nvme0/nvme0n1/dev 259:0",
        "file sys/class/dmi/id/sys_vendor Dell Inc.",
    ]
    private let holders =
        "folder sys/devices/pci0000:00/0000:00:04.0/nvme/nvme0/nvme0n1/holders"
    private let blank = "zeros dev/nvme0n1 4096"
    private let table = ["text proc/self/mountinfo", "| 22 1 8:1 / / rw - ext4 /dev/sda1 rw"]

    private func isFree(_ lines: [String]) throws -> Fact<Bool>? {
        try MachineFixture("nvme", disk + lines).withRoot {
            HostReport.gather(root: $0).hardware.block.first?.isFree
        }
    }

    @Test func `a namespace is free only if nothing uses it`() throws {
        let folder = "sys/devices/pci0000:00/0000:00:04.0/nvme/nvme0/nvme0n1"
        #expect(try isFree(table + [holders, blank]) == .known(true))
        #expect(try isFree(table + ["folder \(folder)/nvme0n1p1"]) == .known(false))
        #expect(try isFree(table + ["folder \(folder)/holders/md0"]) == .known(false))
        #expect(try isFree(table + ["| 23 22 259:0 / /d rw - xfs /dev/x rw"]) == .known(false))
        #expect(
            try isFree(table + ["| 23 22 0:9 / /d rw - btrfs /dev/nvme0n1 rw"]) == .known(false)
        )
        let swap = ["text proc/swaps", "| Filename Type", "| /dev/nvme0n1\tpartition\t1\t0\t-2"]
        #expect(try isFree(table + swap) == .known(false))
    }

    @Test func `nothing is promised where not everything can be seen`() throws {
        #expect(try isFree([holders, blank])?.value == nil)
        #expect(try isFree(table + [holders, blank, "file .dockerenv"])?.value == nil)
        #expect(
            try isFree(table + [holders])?.absence == "signature: dev/nvme0n1 is not there"
        )
        #expect(
            try isFree(table + [blank])?.absence == "sys/block/nvme0n1/holders is not there"
        )
    }
}
