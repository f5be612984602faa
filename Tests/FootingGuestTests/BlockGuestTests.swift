import FootingSystem
import Testing

/// Every kind of disk that QEMU can show, under the drivers that real machines use.
@Suite(
    .needs(.emulator),
    .needs(.shell),
    .needs(.program),
    .needs(.initialProcess),
    .needs(.genericKernel)
)
struct BlockGuestTests {
    /// A disk, known by its size, and what must be found of it.
    struct Row: CustomTestStringConvertible, Sendable {
        var mebibytes: UInt64
        var interface: String
        var driver: String
        /// The drivers from the disk to its bus.
        var chain: [String]
        var isParavirtual = false
        var queues: Int?
        var requests: Int?
        var scheduler = "mq-deadline"
        var writeCache = "write back"
        var fua = false
        var rotational = true
        var discards = true
        var logicalBlockBytes = 512
        var physicalBlockBytes = 512
        var optimalBytes = 0

        var testDescription: String { "\(interface), \(driver), \(mebibytes) MiB" }
    }

    static let rows: [Row] = [
        Row(
            mebibytes: 11,
            interface: "virtio-blk",
            driver: "virtio_blk",
            chain: ["virtio_blk", "virtio-pci"],
            isParavirtual: true,
            queues: 2,
            requests: 256,
            scheduler: "none",
            physicalBlockBytes: 4096,
            optimalBytes: 65536
        ),
        Row(
            mebibytes: 12,
            interface: "virtio-blk",
            driver: "virtio_blk",
            chain: ["virtio_blk", "virtio-pci"],
            isParavirtual: true,
            queues: 1,
            requests: 256,
            writeCache: "write through",
            discards: false
        ),
        Row(
            mebibytes: 13,
            interface: "virtio-scsi",
            driver: "virtio_scsi",
            chain: ["sd", "virtio_scsi", "virtio-pci"],
            isParavirtual: true,
            queues: 2,
            requests: 256,
            scheduler: "none",
            rotational: false
        ),
        Row(
            mebibytes: 14,
            interface: "pvscsi",
            driver: "vmw_pvscsi",
            chain: ["sd", "vmw_pvscsi"],
            isParavirtual: true,
            queues: 1,
            requests: 256
        ),
        Row(
            mebibytes: 15,
            interface: "nvme",
            driver: "nvme",
            chain: ["nvme"],
            queues: 2,
            requests: 1023,
            scheduler: "none",
            fua: true,
            rotational: false,
            optimalBytes: 512
        ),
        Row(
            mebibytes: 16,
            interface: "nvme",
            driver: "nvme",
            chain: ["nvme"],
            queues: 2,
            requests: 1023,
            scheduler: "none",
            fua: true,
            rotational: false,
            logicalBlockBytes: 4096,
            physicalBlockBytes: 4096,
            optimalBytes: 4096
        ),
        Row(
            mebibytes: 17,
            interface: "ata",
            driver: "ahci",
            chain: ["sd", "ahci"],
            queues: 1,
            requests: 64
        ),
        Row(
            mebibytes: 18,
            interface: "usb",
            driver: "uas",
            chain: ["sd", "uas", "usb", "usb", "xhci_hcd"],
            queues: 1,
            requests: 28
        ),
        Row(
            mebibytes: 19,
            interface: "usb",
            driver: "usb-storage",
            chain: ["sd", "usb-storage", "usb", "usb", "xhci_hcd"],
            queues: 1,
            requests: 2,
            discards: false
        ),
        Row(
            mebibytes: 20,
            interface: "scsi",
            driver: "sym53c8xx",
            chain: ["sd", "sym53c8xx"],
            queues: 1
        ),
        Row(
            mebibytes: 21,
            interface: "scsi",
            driver: "am53c974",
            chain: ["sd", "am53c974"],
            queues: 1,
            discards: false
        ),
        Row(
            mebibytes: 22,
            interface: "raid",
            driver: "megaraid_sas",
            chain: ["sd", "megaraid_sas"],
            queues: 1
        ),
        Row(
            mebibytes: 23,
            interface: "ata",
            driver: "ata_piix",
            chain: ["sd", "ata_piix"],
            queues: 1
        ),
        Row(
            mebibytes: 64,
            interface: "virtio-pmem",
            driver: "virtio_pmem",
            chain: ["nd_pmem", "nd_region", "nd_bus", "virtio_pmem", "virtio-pci"],
            isParavirtual: true,
            scheduler: "none",
            rotational: false,
            discards: false,
            physicalBlockBytes: 4096
        ),
        Row(
            mebibytes: 32,
            interface: "mmc",
            driver: "mmcblk",
            chain: ["mmcblk", "sdhci-pci"],
            queues: 1,
            writeCache: "write through",
            rotational: false
        ),
    ]

    /// All of them in one machine.
    static let machine = Machine(
        kernel: .generic,
        // One processor would have one queue of each device.
        processors: "2",
        options: devices.flatMap { $0.split(separator: " ").map { String($0) } },
        disks: rows.map { .init(name: "d\($0.mebibytes)", sizeMebibytes: $0.mebibytes) },
        modules: [
            "crct10dif_generic", "crc64_rocksoft_generic", "virtio_pci", "virtio_blk",
            "virtio_scsi", "vmw_pvscsi", "nvme", "ahci", "xhci_pci", "uas",
            "usb_storage delay_use=0", "sym53c8xx", "am53c974", "megaraid_sas", "sdhci_pci",
            "ata_piix", "virtio_pmem", "nd_pmem",
            "mmc_block", "sd_mod",
        ]
    )

    private static let devices = [
        "-object iothread,id=thread",
        "-device virtio-blk-pci,drive=d11,num-queues=2,queue-size=256,iothread=thread,discard=on,"
            + "physical_block_size=4096,min_io_size=4096,opt_io_size=65536",
        "-device virtio-blk-pci,drive=d12,num-queues=1,discard=off,write-cache=off",
        "-device virtio-scsi-pci,id=vs,num_queues=2",
        "-device scsi-hd,bus=vs.0,drive=d13,rotation_rate=1",
        "-device pvscsi,id=pv", "-device scsi-hd,bus=pv.0,drive=d14",
        "-device nvme,id=nv,serial=nv,max_ioqpairs=4",
        "-device nvme-ns,bus=nv,drive=d15,nsid=1",
        "-device nvme-ns,bus=nv,drive=d16,nsid=2,logical_block_size=4096,physical_block_size=4096",
        "-device ahci,id=ah", "-device ide-hd,bus=ah.0,drive=d17",
        "-device qemu-xhci,id=xh", "-device usb-uas,bus=xh.0,id=ua",
        "-device scsi-hd,bus=ua.0,drive=d18", "-device usb-storage,bus=xh.0,drive=d19",
        "-device lsi53c895a,id=ls", "-device scsi-hd,bus=ls.0,drive=d20",
        "-device am53c974,id=am", "-device scsi-hd,bus=am.0,drive=d21",
        "-device megasas,id=mg", "-device scsi-hd,bus=mg.0,drive=d22",
        "-device sdhci-pci,id=sd", "-device sd-card,drive=d32",
        "-device piix3-ide,id=pi", "-device ide-hd,bus=pi.0,drive=d23",
        "-m maxmem=1G,slots=1", "-object memory-backend-ram,id=pm,size=64M",
        "-device virtio-pmem-pci,memdev=pm",
    ]

    /// The report of that machine, made once.
    static let report = Result {
        let guest = try Guest(machine)
        try guest.awaitPaths("/sys/block/*/queue/scheduler", count: rows.count)
        return try guest.detect()
    }

    @Test(arguments: rows)
    func `a disk is what its driver and queue say`(_ row: Row) throws {
        let disks = try Self.report.get()["block"]?.array ?? []
        let disk = try #require(
            disks.first { $0["sizeBytes"]?.integer == Int(row.mebibytes << 20) },
            "\(disks.map { $0.text() })"
        )
        #expect(disk["interface"]?.stringValue == row.interface)
        #expect(disk["driver"]?.stringValue == row.driver)
        #expect(disk["driverChain"]?.array.compactMap(\.stringValue) == row.chain)
        #expect(disk["isParavirtual"]?.bool == row.isParavirtual)
        if let queues = row.queues { #expect(disk["queues"]?.integer == queues) }
        if let requests = row.requests { #expect(disk["requests"]?.integer == requests) }
        #expect(disk["scheduler"]?.stringValue == row.scheduler)
        #expect(disk["writeCache"]?.stringValue == row.writeCache)
        #expect(disk["fua"]?.bool == row.fua)
        #expect(disk["rotational"]?.bool == row.rotational)
        #expect(disk[path: "discard.supported"]?.bool == row.discards)
        #expect(disk["logicalBlockBytes"]?.integer == row.logicalBlockBytes)
        #expect(disk["physicalBlockBytes"]?.integer == row.physicalBlockBytes)
        #expect(disk["optimalBytes"]?.integer == row.optimalBytes)
        #expect(disk["pciSlot"]?.stringValue?.hasPrefix("0000:") == true)
    }

    @Test func `no disk is left out, and none is made up`() throws {
        let sizes = try Self.report.get()["block"]?.array.compactMap { $0["sizeBytes"]?.integer }
        #expect(sizes?.sorted() == Self.rows.map { Int($0.mebibytes << 20) }.sorted())
    }

    @Test func `a path is followed down to the disk`() throws {
        let guest = try Guest(
            Machine(
                kernel: .generic,
                options: ["-device", "virtio-blk-pci,drive=d"],
                disks: [.init(name: "d", sizeMebibytes: 64)],
                modules: ["virtio_pci", "virtio_blk", "loop", "crc32c_generic", "ext4"]
            )
        )
        try guest.awaitPaths("/sys/block/vda/queue/scheduler", count: 1)
        // A file system on a loop device, on a file, on a file system, on a partition.
        try guest.shell(
            """
            busybox printf 'n\\np\\n1\\n\\n\\nw\\n' | busybox fdisk /dev/vda; \
            cd /tmp; busybox mkdir outer inner; busybox mke2fs /dev/vda1; \
            busybox mount -t ext4 /dev/vda1 outer; busybox truncate -s 16M outer/file; \
            busybox losetup /dev/loop0 outer/file; busybox mke2fs /dev/loop0; \
            busybox mount -t ext4 /dev/loop0 inner
            """
        )
        let path = try #require(try guest.detect("--path", "/tmp/inner/disk.footing")["path"])
        #expect(path["mountPoint"] == "/tmp/inner")
        #expect(path["fileSystem"] == "ext4")
        #expect(path["source"] == "/dev/loop0")
        #expect(path["chain"]?.array == ["loop0", "vda1", "vda"])
        #expect(path["disks"]?.array == ["vda"])
    }
}
