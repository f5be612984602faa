import FootingSystem
import Testing

@testable import FootingHost

/// Single facts and their texts; whole machines are in the fixtures.
@Suite struct HardwareTests {
    private func gather(_ lines: [String], path: String? = nil) throws -> HostReport {
        try MachineFixture("hardware", lines).withRoot { HostReport.gather(root: $0, path: path) }
    }

    @Test(arguments: [
        (UInt64(0), 1, "0x0"), (0x9, 1, "0x9"), (0xa0f, 1, "0xa0f"), (0x1af4, 6, "0x001af4"),
        (0x12345, 4, "0x12345"), (.max, 1, "0xffffffffffffffff"), (0, 16, "0x0000000000000000"),
    ])
    func `numbers in base 16 have at least the digits asked for`(
        _ value: UInt64,
        _ digits: Int,
        _ text: String
    ) {
        #expect(hexadecimalText(value, digits: digits) == text)
    }

    @Test(arguments: [
        ("LVM-x", "lvm"), ("mpath-3600", "multipath"), ("CRYPT-LUKS1-x", "luks1"),
        ("CRYPT-LUKS2-x", "luks2"), ("CRYPT-PLAIN-x", "plain-crypt"), ("CRYPT-VERITY-x", "verity"),
        ("CRYPT-INTEGRITY-x", "integrity"), ("CRYPT-BITLK-x", "bitlocker"),
        ("CRYPT-TCRYPT-x", "tcrypt"), ("CRYPT-FVAULT2-x", "filevault"), ("CRYPT-NEW-x", "crypt"),
        ("DMRAID-x", "dmraid"), ("VDO-x", "vdo"), ("stratis-1-x", "stratis"),
        ("part12-mpath-x", "partition"), ("partner", "device-mapper"), ("", "device-mapper"),
    ])
    func `a UUID's beginning tells who made a mapping`(_ uuid: String, _ kind: String) {
        #expect(BlockLayer.mapperKind(uuid) == kind)
    }

    @Test(arguments: [
        ("sda1", "sda", 1), ("sda12", "sda", 12), ("nvme0n1p2", "nvme0n1", 2),
        ("md127p1", "md127", 1), ("mmcblk0p10", "mmcblk0", 10), ("loop1p1", "loop1", 1),
        ("sdaa", "sda", nil), ("sdaa1", "sda", nil), ("loop10", "loop1", nil),
        ("mmcblk0boot0", "mmcblk0", nil), ("dm-10", "dm-1", nil), ("sda", "sda", nil),
        ("sda+1", "sda", nil), ("sda1p", "sda", nil), ("sd", "sda", nil),
    ])
    func `a partition is known by its name`(_ name: String, _ disk: String, _ number: Int?) {
        #expect(BlockPartition.number(name, of: disk) == number)
    }

    @Test(arguments: [
        ("nvme0n1", "nvme0n1"), ("nvme0c1n2", "nvme0n2"), ("nvme12c3n45", "nvme12n45"),
        ("nvme0", nil), ("nvme0n1p1", nil), ("nvme0c1", nil), ("nvmec1n1", nil), ("ng0n1", nil),
        ("nvme0n0", nil), ("nvme-1n1", nil), ("nvme0c0c0n1", nil), ("nvmen", nil),
    ])
    func `a path leads to its namespace`(_ name: String, _ head: String?) {
        #expect(NVMeController.head(ofPath: name) == head)
    }

    @Test(arguments: [
        ("0x01 0x0b", [10, 110]), ("0x05", [50]), ("0x00 0x01", nil), ("0x0c 0x01", nil),
        ("", nil), ("many", nil), ("0x01 0x01 0x01", nil), ("0xffffffffffffffffff", nil),
    ])
    func `a card's life is told in steps`(_ text: String, _ percent: [Int]?) {
        #expect(FlashCard.usedPercent(text) == percent)
    }

    @Test func `each mark names its format, wherever it stands`() {
        let size = DiskSignature.windowBytes
        let blank = [UInt8](repeating: 0, count: size)
        func head(_ offset: Int, _ text: String) -> String? {
            var bytes = blank
            bytes.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
            return DiskSignature.find(head: bytes, tail: blank)
        }
        #expect(DiskSignature.find(head: blank, tail: blank) == nil)
        #expect(DiskSignature.find(head: [], tail: []) == nil)
        #expect(head(0, "XFSB") == "xfs")
        #expect(head(1, "XFSB") == nil)
        #expect(head(512, "LABELONE") == "lvm2")
        #expect(head(512, "EFI PART") == "gpt")
        #expect(head(4086, "SWAPSPACE2") == "swap")
        #expect(head(0x10040, "_BHRfS_M") == "btrfs")
        #expect(head((16 << 10) + 36, "version") == "zfs")
        #expect(DiskSignature.find(head: Array("XFSB".utf8), tail: []) == "xfs")
        var tail = blank
        tail.replaceSubrange(size - 65536..<size - 65532, with: [0xfc, 0x4e, 0x2b, 0xa9])
        #expect(DiskSignature.find(head: blank, tail: tail) == "md")
        tail = blank
        tail.replaceSubrange(size - 512..<size - 504, with: "EFI PART".utf8)
        #expect(DiskSignature.find(head: blank, tail: tail) == "gpt")
    }

    @Test func `caches are those of the first processor`() throws {
        let folder = "sys/devices/system/cpu/cpu2/cache"
        let caches = try gather([
            "file sys/devices/system/cpu/online 2-3",
            "file \(folder)/index0/level 1", "file \(folder)/index0/type Data",
            "file \(folder)/index0/size 48K", "file \(folder)/index0/shared_cpu_list 2",
            "file \(folder)/index1/level 3", "file \(folder)/index1/type Unified",
            "file \(folder)/index1/size 32M", "file \(folder)/index1/shared_cpu_list 2-3",
        ]).hardware.processor.caches.value
        #expect(caches?.map(\.level) == [1, 3])
        #expect(caches?.first?.sizeBytes.value == 49152)
        #expect(caches?.first?.cpus.value == [2])
        #expect(caches?.last?.sizeBytes.value == nil)
        #expect(caches?.last?.cpus.value == [2, 3])
    }

    @Test func `a cache is told by CPUID in one word for each of its measures`() {
        // A shared 32 MiB cache of 16 ways, and no further one.
        let told = ProcessorCache.decode(
            CPUIDRegisters(eax: 0x0000_4163, ebx: 0x03c0_003f, ecx: 0x7fff, edx: 0)
        )
        #expect(told?.level == 3)
        #expect(told?.type == "Unified")
        #expect(told?.sizeBytes == 32 << 20)
        #expect(told?.isShared == true)
        #expect(ProcessorCache.decode(.zero) == nil)
        let most = CPUIDRegisters(eax: 1, ebx: .max, ecx: .max, edx: .max)
        #expect(ProcessorCache.decode(most)?.sizeBytes == nil)
    }

    @Test func `CPUID and the kernel's files tell the same caches of this machine`() throws {
        let root = try HostRoot()
        let caches = HostReport.gather(root: root).hardware.processor.caches.value
        let folder = try root.folder("sys/devices/system/cpu")
        let read = ProcessorCache.read(folder, first: 0).value
        guard let caches, let read else { return }
        #expect(caches.map(\.level) == read.map(\.level))
        #expect(caches.map(\.type) == read.map(\.type))
        #expect(caches.map(\.sizeBytes.value) == read.map(\.sizeBytes.value))
        #expect(caches.map(\.cpus.value) == read.map(\.cpus.value))
    }

    @Test func `what the kernel's calls allow is what its file shows`() throws {
        let root = try HostRoot()
        let status = try root.beginning("proc/self/status")
        let limits = HostReport.gather(root: root).limits
        #expect(limits.cpus.value == status.field("Cpus_allowed_list").flatMap(kernelList))
        #expect(limits.memoryNodes.value == status.field("Mems_allowed_list").flatMap(kernelList))
    }

    @Test func `a class that nothing tells is absent`() throws {
        let folder = "sys/bus/pci/devices/0000:00:01.0"
        let ids = ["text \(folder)/uevent", "| PCI_ID=8086:4940"]
        let silent = try gather(ids).hardware.pci.first?.classCode
        #expect(silent?.absence == "neither \(folder)/uevent nor \(folder)/class tells")
        let told = try gather(ids + ["file \(folder)/class 0x0b4000"]).hardware.pci.first
        #expect(told?.classCode.value == 0x0b4000)
    }

    @Test func `control groups with long paths are all read`() throws {
        let path = "/" + String(repeating: "a", count: 1500)
        let others = ["pids", "devices", "freezer"].map { "| 9:\($0):\(path)" }
        let limits = try gather(
            ["text proc/self/cgroup"] + others + ["| 2:memory:/late"]
                + ["file sys/fs/cgroup/memory/late/memory.limit_in_bytes 134217728"]
        ).limits
        #expect(limits.memoryMaximumBytes.value == 134_217_728)
    }

    @Test func `instructions come from CPUID where the kernel's list is not read`() throws {
        // AES and AVX2, with and without a kernel that keeps wide registers (OSXSAVE).
        func features(_ basic: String) throws -> [String]? {
            try gather([
                "cpuid 0x0 0x00: eax=0x00000016 ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69",
                "cpuid 0x00000001 0x00: eax=0x0 ebx=0x0 ecx=\(basic) edx=0x0",
                "cpuid 0x00000007 0x00: eax=0x0 ebx=0x00000020 ecx=0x0 edx=0x0",
            ]).hardware.processor.features.value
        }
        #expect(try features("0x0a000000") == ["aes", "avx2"])
        #expect(try features("0x02000000") == ["aes"])
    }

    @Test(arguments: [
        ("virtio", "file sys/bus/virtio/devices/virtio0/features 001001\u{5c}0", true, true),
        ("virtio", "file sys/bus/virtio/devices/virtio0/features 000000", false, false),
        ("virtio", "file sys/bus/virtio/devices/virtio0/features 00", nil, nil),
        ("virtio", "folder sys/bus/virtio", nil, nil),
    ])
    func `a balloon's features are bits, the lowest first`(
        _ bus: String,
        _ line: String,
        _ returns: Bool?,
        _ deflates: Bool?
    ) throws {
        let device = "file sys/bus/\(bus)/devices/virtio0/device 0x0005"
        let balloon = try gather([device, line]).memory.balloon.value
        #expect(balloon?.kind == "virtio-balloon")
        #expect(balloon?.returnsFreePages.value == returns)
        #expect(balloon?.deflatesWhenShort.value == deflates)
    }

    @Test func `VMware's and Hyper-V's balloons tell root in debugfs`() throws {
        let vmware = try gather([
            "folder sys/module/vmw_balloon", "text sys/kernel/debug/vmmemctl",
            "| target:             1024 pages", "| current:             512 pages",
        ]).memory.balloon.value
        #expect(vmware?.kind == "vmware")
        #expect(vmware?.currentBytes.value == 2 << 20)
        #expect(vmware?.targetBytes.value == 4 << 20)
        let bus = "sys/bus/vmbus/devices/0"
        let hyperV = try gather([
            "file \(bus)/class_id {525074dc-8985-46e2-8057-a307dc18a502}",
            "text sys/kernel/debug/hv-balloon", "| page_size : 4096", "| pages_ballooned : 256",
        ]).memory.balloon.value
        #expect(hyperV?.kind == "hyperv")
        #expect(hyperV?.currentBytes.value == 1 << 20)
    }
}

@Suite struct JournalTests {
    private func journal(_ type: String, _ options: String, _ lines: [String]) throws -> String? {
        let table = [
            "text proc/self/mountinfo", "| 22 1 8:1 / / rw - \(type) /dev/sda1 \(options)",
        ]
        let device = ["link sys/dev/block/8:1 -> ../../devices/pci0/block/sda/sda1"]
        return try MachineFixture("journal", table + device + lines).withRoot {
            HostReport.gather(root: $0, path: "/disk.img").path?.journal.value
        }
    }

    @Test(arguments: [
        ("xfs", "rw", "metadata"), ("btrfs", "rw", "log-tree"), ("btrfs", "rw,notreelog", "none"),
        ("ext4", "rw,data=journal", "journal"), ("ext4", "rw,data=writeback", "writeback"),
        ("ext3", "rw,data=ordered", "ordered"), ("ext4", "rw,data=wild", nil), ("ext4", "rw", nil),
        ("vfat", "rw", "none"), ("newfs", "rw", nil),
    ])
    func `a file system's type and options tell`(
        _ type: String,
        _ options: String,
        _ mode: String?
    ) throws {
        #expect(try journal(type, options, []) == mode)
    }

    @Test func `ext4 shows what it does in a file of its own`() throws {
        let file = "text proc/fs/ext4/sda1/options"
        #expect(try journal("ext4", "rw", [file, "| rw", "| data=ordered"]) == "ordered")
        #expect(try journal("ext4", "rw", [file, "| rw", "| delalloc"]) == "none")
    }

    @Test func `a Btrfs of several devices stands on all of them`() throws {
        let path = try MachineFixture(
            "pool",
            [
                "text proc/self/mountinfo", "| 22 1 0:45 / / rw - btrfs /dev/sda1 rw",
                "folder sys/class/block/sda1", "folder sys/fs/btrfs/0123/devices/sda1",
                "folder sys/fs/btrfs/0123/devices/sdb", "folder sys/fs/btrfs/4567/devices/sdc",
            ]
        ).withRoot { HostReport.gather(root: $0, path: "/x").path }
        #expect(path?.chain == ["sda1", "sdb"])
    }
}
