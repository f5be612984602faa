import FootingDeployment
@_spi(Fuzzing) import FootingHost
import FootingSystem
import FootingTestSupport
import Foundation
import Testing

/// What must not leave a machine, in the places where machines have it.
@Suite struct SecretTests {
    private static let secrets = [
        "4c4c4544-0042-3510-8051-b4c04f4d3533", "ec2e1916-9099-7caf-fd21-0123456789ab",
        "CZ3421ABCD", "S5H9NS0N123456", "52:54:00:ab:cd:ef", "52540 0abcdef",
        "203.0.113.77", "2001:db8:4:77::9", "fileserver.example.org", "/export/payroll",
        "prod-db-01", "prod-db-01.example.org", "0123456789abcdef0123456789abcdef",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "vol0a1b2c3d4e5f60718", "hunter2", "s3cr3t-token",
        "LPAR-PAYROLL", "00000000deadbeef", "GoogleCloud-5F1A2B3C", "5F1A2B3C4D5E6F70",
        "ata-Samsung_SSD_870_S5H9NS0N123456", "wwn-0x5002538f42a12345",
        "3f2504e0_4f89_11d3_9a0c_0305e82c3301", "::ffff:10.1", ".7.13.42", "10.1.99.77",
        "prod--db--01", "hunter3", "lunch.example.org", "7A3B4C", "10000000cafe4711", "5D6E7F",
        "5d6e7f",
    ].map { $0.replacingOccurrences(of: " ", with: "") }

    private static let lines = [
        "file sys/class/dmi/id/sys_vendor Google",
        "file sys/class/dmi/id/product_name Google Compute Engine",
        "file sys/class/dmi/id/product_serial GoogleCloud-5F1A2B3C4D5E6F70",
        "file sys/class/dmi/id/product_uuid 4c4c4544-0042-3510-8051-b4c04f4d3533",
        "file sys/class/dmi/id/board_serial CZ3421ABCD",
        "file sys/hypervisor/type xen",
        "file sys/hypervisor/uuid ec2e1916-9099-7caf-fd21-0123456789ab",
        "file etc/hostname prod-db-01.example.org",
        "file etc/machine-id 0123456789abcdef0123456789abcdef",
        "file proc/sys/kernel/hostname prod-db-01",
        "text proc/sysinfo", "| LPAR Name:            LPAR-PAYROLL",
        "| Sequence Code:        00000000deadbeef",
        "text proc/cpuinfo", "| Serial : 10000000cafe4711",
        "| processor 0: version = FF,  identification = 7A3B4C,  machine = 2964",
        "| processor 1: version = FF,  identification = 5D6E7F,  machine = 2964",
        "file proc/cmdline root=UUID=3f2504e0-4f89-11d3-9a0c-0305e82c3301 ip=203.0.113.77 "
            + "ds=nocloud;h=prod-db-01 password=hunter2",
        "file proc/1/environ container=lxc\\0TOKEN=s3cr3t-token\\0HOSTNAME=prod-db-01",
        "file proc/self/cgroup 0::/machine/prod-db-01-0123456789abcdef0123456789abcdef",
        "text proc/self/mountinfo",
        "| 22 1 8:1 / / rw - ext4 /dev/disk/by-id/ata-Samsung_SSD_870_S5H9NS0N123456 rw",
        "| 23 22 0:40 / /mnt rw - nfs4 fileserver.example.org:/export/payroll "
            + "rw,vers=4.2,clientaddr=203.0.113.77,addr=2001:db8:4:77::9",
        "| 24 22 0:41 / /id rw - ext4 /dev/disk/by-uuid/3f2504e0-4f89-11d3-9a0c-0305e82c3301 rw",
        "| 25 22 0:42 / /ftp rw - fuse curlftpfs#ftp://me:hunter3@lunch.example.org/ rw,user_id=0",
        "| 26 22 253:0 / /vg rw - ext4 /dev/mapper/prod--db--01--vg-root rw",
        "| 27 22 0:43 / /pod3f2504e0-4f89-11d3-9a0c-0305e82c3301 rw - tmpfs tmpfs rw",
        "| 28 22 0:44 / /backup/10.1.99.77-backup rw - tmpfs ::ffff:10.7.13.42 rw",
        "| 29 22 8:2 / /ntfs rw - fuseblk /dev/sda2 rw",
        "| 30 22 0:45 / /board-10000000cafe4711 rw - tmpfs tmpfs rw",
        "text proc/1/cgroup",
        "| 0::/kubepods.slice/pod3f2504e0_4f89_11d3_9a0c_0305e82c3301.slice",
        "| 1:name=old:/partition/5d6e7f",
        "link sys/block/sda -> ../devices/pci0000:00/0000:00:02.0/block/sda",
        "file sys/devices/pci0000:00/0000:00:02.0/block/sda/size 1000",
        "file sys/devices/pci0000:00/0000:00:02.0/block/sda/dev 8:0",
        "file sys/devices/pci0000:00/0000:00:02.0/block/sda/device/model disk S5H9NS0N123456",
        "file sys/devices/pci0000:00/0000:00:02.0/block/sda/serial S5H9NS0N123456",
        "text run/udev/data/b8:0", "| S:disk/by-id/wwn-0x5002538f42a12345",
        "| E:ID_SERIAL=S5H9NS0N123456", "| E:ID_FS_TYPE=xfs",
        "link sys/block/nvme0n1 -> ../devices/pci0000:00/0000:00:03.0/nvme/nvme0/nvme0n1",
        "file sys/devices/pci0000:00/0000:00:03.0/nvme/nvme0/nvme0n1/size 1000",
        "file sys/devices/pci0000:00/0000:00:03.0/nvme/nvme0/serial vol0a1b2c3d4e5f60718",
        "file sys/class/net/eth0/address 52:54:00:ab:cd:ef",
        "folder sys/bus/virtio/devices/52:54:00:ab:cd:ef",
    ]

    /// Everything below a folder, read and listed as a detector would.
    private func readAll(_ root: HostRoot, _ path: String) {
        _ = try? root.bytes(path)
        for name in (try? root.names(path)) ?? [] { readAll(root, "\(path)/\(name)") }
    }

    private func unpacked(_ recording: MachineRecording) throws -> String {
        String(decoding: try Gzip.decompress(recording.bytes, limitBytes: 32 << 20), as: UTF8.self)
    }

    @Test func `no secret is in a recording, whatever was read`() throws {
        try MachineFixture("secrets", Self.lines).withRoot { tree in
            let recorder = try HostRecorder(path: tree.path)
            let root = try recorder.root()
            for folder in ["sys", "proc", "etc", "run", "dev"] { readAll(root, folder) }
            _ = Detection(root: root, path: "/mnt/prod-db-01/disk.img")
            let recording = try MachineRecording(
                recorder,
                path: "/mnt/prod-db-01/disk.img",
                program: "test"
            )
            let text = try unpacked(recording)
            for secret in Self.secrets { #expect(!text.contains(secret), "\(secret)") }
            // What makes the machine what it is stays.
            for part in [
                "GoogleCloud-", "ec2", "52:54:00:", "container=lxc", "ds=nocloud", "vers=4.2",
                "Google Compute Engine", "nfs4 ", "fuseblk /dev/sda2",
                "- fuse ", ",  machine = 2964", "/dev/mapper/", "--vg-root", ".slice", "-backup",
                "E:ID_FS_TYPE=xfs",
                "/dev/disk/by-id/ata-"
                    .replacingOccurrences(of: "ata-", with: ""),
            ] { #expect(text.contains(part), "\(part)") }
        }
    }

    @Test func `the same secret has the same stand-in, and another in each recording`() throws {
        let uuid = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
        let lines = [
            "file proc/self/cgroup 0::/a/\(uuid)", "folder sys/fs/cgroup/a/\(uuid)",
            "file sys/fs/cgroup/a/\(uuid)/memory.max 4096",
        ]
        try MachineFixture("same", lines).withRoot { tree in
            var seen: Set<String> = []
            for _ in 0..<3 {
                let recorder = try HostRecorder(path: tree.path)
                let limit = Detection(root: try recorder.root()).report.memory.limitBytes.value
                #expect(limit == 4096)
                let recording = try MachineRecording(recorder, program: "test")
                let machine = try MachineRecording.machine(in: recording.bytes, path: "replay")
                let group = try machine.root.attribute("proc/self/cgroup")
                #expect(group.count == "0::/a/\(uuid)".count)
                #expect(!group.contains(uuid))
                // The limit is found only if the folder's name has the stand-in that the file has.
                #expect(Detection(root: machine.root).report.memory.limitBytes.value == 4096)
                seen.insert(group)
            }
            #expect(seen.count == 3)
        }
    }

    @Test func `the running machine's own secrets stay on it`() throws {
        let recorder = try HostRecorder()
        let root = try recorder.root()
        let live = Detection(root: root, path: "/")
        _ = CapabilityRegistry.gather(root: root, report: live.report)
        let recording = try MachineRecording(recorder, path: "/", program: "test")
        let text = try unpacked(recording)
        let direct = try HostRoot()
        var secrets = [
            "etc/hostname", "proc/sys/kernel/hostname", "etc/machine-id",
            "proc/sys/kernel/random/boot_id", "sys/class/dmi/id/product_serial",
            "sys/class/dmi/id/product_uuid", "sys/class/dmi/id/board_serial",
        ].compactMap { try? direct.text($0) }
        for name in (try? direct.names("sys/class/net")) ?? [] {
            secrets += (try? direct.text("sys/class/net/\(name)/address")).map { [$0] } ?? []
        }
        for secret in secrets.filter({ $0.count >= 6 && Set($0).count > 3 }) {
            #expect(!text.contains(secret))
        }
        #expect(recording.bytes.count < MachineRecording.archiveBytesMaximum)
        let machine = try MachineRecording.machine(in: recording.bytes, path: "/")
        let replayed = Detection(root: machine.root, path: machine.path)
        #expect(replayed.context.kind == live.context.kind)
        #expect(
            replayed.report.hardware.block.map(\.name) == live.report.hardware.block.map(\.name)
        )
        #expect(replayed.report.cpuFacts == live.report.cpuFacts)
        #expect(replayed.profile.text() == live.profile.text())
    }
}

extension HostReport {
    fileprivate var cpuFacts: [String?] {
        [hardware.processor.vendor.value, hardware.processor.model.value, system.value?.machine]
    }
}

/// What stays of firmware's tables: the kind of machine, and nothing that makers add.
@Suite struct FirmwareSecretTests {
    /// A structure: its type, its formatted part behind the header, its strings.
    private func structure(_ type: UInt8, _ body: [UInt8], _ strings: [String]) -> [UInt8] {
        [type, UInt8(4 + body.count), 0, 0] + body
            + strings.flatMap { Array($0.utf8) + [0] } + (strings.isEmpty ? [0, 0] : [0])
    }

    private func kept(_ table: [UInt8]) throws -> [UInt8] {
        let bytes = table.map { String($0, radix: 16) }.map { $0.count == 1 ? "0\($0)" : $0 }
        let lines = ["hex sys/firmware/dmi/tables/DMI \(bytes.joined(separator: " "))"]
        return try MachineFixture("firmware", lines).withRoot { tree in
            let recorder = try HostRecorder(path: tree.path)
            _ = Detection(root: try recorder.root())
            let recording = try MachineRecording(recorder, program: "test")
            let machine = try MachineRecording.machine(in: recording.bytes, path: "x")
            return try machine.root.bytes("sys/firmware/dmi/tables/DMI")
        }
    }

    @Test func `only what detection reads is kept`() throws {
        let firmware = structure(0, [1, 2, 0, 0, 3], ["American Megatrends", "1.2", "01/02/2020"])
        let bytes = try kept(
            firmware
                + structure(
                    1,
                    [1, 2, 3, 4] + Array(repeating: 0xab, count: 16) + [6, 5, 6],
                    ["Dell Inc.", "PowerEdge R640", "v1", "SERIAL-77", "SKU-FOR-ACME", "Family"]
                )
                + structure(17, Array(repeating: 1, count: 36), ["DIMM-SERIAL-9"])
                + structure(221, [1, 2], ["LICENCE-KEY-1", "10.20.30.40"])
                + structure(127, [], [])
        )
        let text = String(decoding: bytes, as: UTF8.self)
        for open in ["American Megatrends", "Dell Inc.", "PowerEdge R640", "v1"] {
            #expect(text.contains(open), "\(open)")
        }
        let secrets = [
            "01/02/2020", "SERIAL-77", "ACME", "DIMM-SERIAL", "LICENCE", "10.20.30.40", "Family",
        ]
        for secret in secrets { #expect(!text.contains(secret), "\(secret)") }
        // The strings' lengths stay, so the system's structure begins where it began.
        try #require(bytes.count > firmware.count + 24)
        #expect(bytes[firmware.count] == 1)
        // A stand-in may have the byte once or twice; that is chance.
        let left = bytes[firmware.count + 8..<firmware.count + 24].count { $0 == 0xab }
        #expect(left < 8)
    }

    @Test func `what a maker appends to a known structure goes`() throws {
        let body: [UInt8] = [1, 2] + Array(repeating: 0x5a, count: 40)
        let bytes = try kept(structure(2, body, ["Dell Inc.", "0H28RR"]))
        #expect(String(decoding: bytes, as: UTF8.self).contains("0H28RR"))
        #expect(bytes.count { $0 == 0x5a } < 12)
    }

    @Test func `versions of boards and chassis go, the chassis' tag has a stand-in`() throws {
        let bytes = try kept(
            structure(2, [1, 2, 3], ["Dell Inc.", "0H28RR", "BOARD-A07"])
                + structure(
                    3,
                    [1, 23, 2, 4, 3, 1, 2, 3, 4],
                    ["Dell Inc.", "CHASSIS-V2", "TAG-FOR-ACME", "SERIAL-78"]
                )
        )
        let text = String(decoding: bytes, as: UTF8.self)
        for secret in ["BOARD-A07", "CHASSIS-V2", "TAG-FOR-ACME", "SERIAL-78"] {
            #expect(!text.contains(secret), "\(secret)")
        }
        let chassis = structure(2, [1, 2, 3], ["Dell Inc.", "0H28RR", "BOARD-A07"]).count
        try #require(bytes.count > chassis + 9)
        #expect(Array(bytes[chassis..<chassis + 9]) == [3, 9, 0, 0, 1, 23, 2, 4, 3])
    }

    @Test func `a UUID that is cut short goes as well`() throws {
        let bytes = try kept(structure(1, [1, 0, 0, 0] + Array(repeating: 0xab, count: 8), ["A"]))
        try #require(bytes.count >= 16)
        #expect(bytes[8..<16].allSatisfy { $0 != 0xab })
    }
}

@Suite struct HostileRecordingTests {
    private func recording(_ lines: [String]) throws -> MachineRecording {
        try MachineFixture("recording", lines).withRoot { tree in
            let recorder = try HostRecorder(path: tree.path)
            _ = Detection(root: try recorder.root())
            return try MachineRecording(recorder, program: "test")
        }
    }

    @Test func `a recording that is damaged anywhere is refused or replayed, never more`() throws {
        let whole = try recording(["file proc/meminfo MemTotal: 8 kB"]).bytes
        var random = SeededRandom(seed: 9)
        for _ in 0..<300 {
            var bytes = whole
            damage(&bytes, &random)
            replay(try? MachineRecording.machine(in: bytes, path: "x"))
        }
    }

    /// The packed form's checksum finds nearly every damage: this is what lies behind it, with the
    /// checksums of the files' headers made right again, as who means harm would.
    @Test func `contents that are damaged anywhere are refused or replayed`() throws {
        let packed = try recording(["file proc/meminfo MemTotal: 8 kB"]).bytes
        let whole = try Gzip.decompress(packed, limitBytes: 1 << 20)
        var random = SeededRandom(seed: 11)
        var replayed = 0
        let count = Sanitizer.rounds(2000, sanitized: 400)
        for _ in 0..<count {
            var bytes = whole
            damage(&bytes, &random)
            mendSums(&bytes)
            let machine = try? MachineRecording.machine(unpacked: bytes, path: "x")
            replayed += machine == nil ? 0 : 1
            replay(machine)
        }
        // Both happen, or the damage is of the wrong kind.
        #expect(replayed > count / 20 && replayed < count - count / 20, "\(replayed)")
    }

    private func damage(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
        for _ in 0...random.below(3) {
            bytes[random.below(bytes.count)] ^= UInt8(1 << random.below(8))
        }
    }

    private func replay(_ machine: RecordedMachine?) {
        guard let machine else { return }
        #expect(!Detection(root: machine.root).json().text().isEmpty)
    }

    /// Sets the checksum of each block that is a header.
    private func mendSums(_ bytes: inout [UInt8]) {
        for start in stride(from: 0, to: bytes.count - 511, by: 512)
        where bytes[start + 257..<start + 262].elementsEqual("ustar".utf8) {
            let sum = (0..<512).reduce(0) { sum, at in
                sum + ((148..<156).contains(at) ? 32 : Int(bytes[start + at]))
            }
            let digits = String(sum, radix: 8)
            let text = String(repeating: "0", count: 6 - digits.utf8.count) + digits + "\u{0} "
            bytes.replaceSubrange(start + 148..<start + 156, with: text.utf8)
        }
    }

    @Test func `what is too large is left out, the rest stays`() throws {
        // Bytes that no compression makes smaller, in a file that detectors read as a whole.
        var random = SeededRandom(seed: 4)
        let noise = (0..<2_000_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        try MachineFixture("large", ["file proc/meminfo MemTotal: 8 kB"]).withRoot { tree in
            let path = "\(tree.path)/proc/noise"
            let file = try FileDescriptor.open(path, [.writeOnly, .create])
            try unsafe noise.withUnsafeBytes { try unsafe file.write($0) }
            let recorder = try HostRecorder(path: tree.path)
            let root = try recorder.root()
            _ = Detection(root: root)
            _ = try root.bytes("proc/noise")
            let recording = try MachineRecording(recorder, program: "test")
            #expect(recording.bytes.count <= MachineRecording.archiveBytesMaximum)
            #expect(recording.omitted == ["proc/noise"])
            let machine = try MachineRecording.machine(in: recording.bytes, path: "x")
            #expect(Detection(root: machine.root).report.memory.totalBytes.value == 8192)
        }
    }

    @Test func `what no replay would take is left out`() throws {
        let deep = Array(repeating: "d", count: 130).joined(separator: "/")
        try MachineFixture(
            "deep",
            ["file proc/meminfo MemTotal: 8 kB", "file \(deep)/f x", "zeros proc/zeros 400000"]
        ).withRoot { tree in
            let recorder = try HostRecorder(path: tree.path)
            let root = try recorder.root()
            _ = Detection(root: root)
            _ = try root.bytes("\(deep)/f")
            // Nothing compresses better: small enough packed, too large unpacked.
            _ = try root.firstBytes("proc/zeros", count: 400_000)
            let recording = try MachineRecording(recorder, program: "test", limit: 300_000)
            #expect(recording.omitted == ["\(deep)/f", "proc/zeros"])
            let machine = try MachineRecording.machine(in: recording.bytes, path: "x")
            #expect(Detection(root: machine.root).report.memory.totalBytes.value == 8192)
        }
    }

    @Test func `a bomb and a file above the limit are refused`() throws {
        let bomb = Gzip.compress([UInt8](repeating: 0, count: 64 << 20))
        #expect(throws: ArchiveError.self) { try MachineRecording.machine(in: bomb, path: "x") }
        let large = [UInt8](repeating: 0x1f, count: (1 << 20) + 1)
        #expect(throws: ArchiveError.self) { try MachineRecording.machine(in: large, path: "x") }
    }

    @Test func `links that leave the recording lead nowhere`() throws {
        let archive = TapeArchive.bytes(of: [
            "proc/meminfo": .link("/../../../../proc/meminfo"), "proc/one": .link("/proc/self"),
            "sys/class/dmi/id/sys_vendor": .link("/etc/hostname"),
        ])
        let machine = try MachineRecording.machine(in: Gzip.compress(archive), path: "x")
        let report = Detection(root: machine.root).report
        #expect(report.memory.totalBytes.value == nil)
        #expect(report.hardware.machine.vendor.value == nil)
        #expect(report.hardware.processor.vendor.value == nil)
        #expect(report.system.value == nil)
    }

    @Test func `notes of another format are refused`() {
        for notes in ["{", "{}", #"{"format":2}"#, "[]"] {
            let archive = TapeArchive.bytes(of: [".recording.json": .file(Array(notes.utf8))])
            #expect(throws: ArchiveError.self, "\(notes)") {
                try MachineRecording.machine(in: Gzip.compress(archive), path: "x")
            }
        }
    }
}
