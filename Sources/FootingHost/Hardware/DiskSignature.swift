internal import FootingSystem

/// What is written on a disk, by the marks that formats leave; the device is only ever read.
enum DiskSignature {
    /// What one look covers at either end of a device.
    static let windowBytes = 128 << 10

    /// A format's mark.
    private struct Mark {
        let name: String
        /// From the beginning, or with a minus sign from the end.
        let offset: Int
        let bytes: [UInt8]

        init(_ name: String, _ offset: Int, _ bytes: [UInt8]) {
            self.name = name
            self.offset = offset
            self.bytes = bytes
        }

        init(_ name: String, _ offset: Int, _ text: String) {
            self.init(name, offset, Array(text.utf8))
        }
    }

    /// One line for each mark; offsets are those of `libblkid`.
    private static let marks: [Mark] = [
        Mark("luks", 0, [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe]),
        Mark("xfs", 0, "XFSB"),
        Mark("bluestore", 0, "bluestore block device"),
        Mark("ntfs", 3, "NTFS    "),
        Mark("exfat", 3, "EXFAT   "),
        Mark("bitlocker", 3, "-FVE-FS-"),
        Mark("vfat", 54, "FAT1"),
        Mark("vfat", 82, "FAT32   "),
        Mark("gpt", 512, "EFI PART"),
        Mark("gpt", 4096, "EFI PART"),
        Mark("gpt", -512, "EFI PART"),
        Mark("gpt", -4096, "EFI PART"),
        Mark("lvm2", 0, "LABELONE"),
        Mark("lvm2", 512, "LABELONE"),
        Mark("lvm2", 1024, "LABELONE"),
        Mark("lvm2", 1536, "LABELONE"),
        Mark("ext", 0x438, [0x53, 0xef]),
        Mark("f2fs", 0x400, [0x10, 0x20, 0xf5, 0xf2]),
        Mark("swap", 4086, "SWAPSPACE2"),
        Mark("swap", 65526, "SWAPSPACE2"),
        Mark("md", 0, [0xfc, 0x4e, 0x2b, 0xa9]),
        Mark("md", 4096, [0xfc, 0x4e, 0x2b, 0xa9]),
        Mark("btrfs", 0x10040, "_BHRfS_M"),
        Mark(
            "bcache",
            4096 + 24,
            [
                0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca,
                0x82, 0x65, 0xf5, 0x7f, 0x48, 0xba, 0x6d, 0x81,
            ]
        ),
        Mark(
            "bcachefs",
            4096 + 24,
            [
                0xc6, 0x85, 0x73, 0xf6, 0x66, 0xce, 0x90, 0xa9,
                0xd9, 0x6a, 0x60, 0xcf, 0x80, 0x3d, 0xf7, 0xef,
            ]
        ),
        Mark("mbr", 510, [0x55, 0xaa]),
    ]

    /// MD keeps metadata 0.90 and 1.0 within the last 128 KiB.
    private static let arrayMark: [UInt8] = [0xfc, 0x4e, 0x2b, 0xa9]

    /// ZFS's configuration, which each of its four labels holds behind 16 KiB of blank and boot
    /// blocks: a packed list whose first entry is the pool's version.
    private static let poolMark = Array("version".utf8)

    /// The first format whose mark is there.
    ///
    /// - Parameters:
    ///   - head: the beginning of the device.
    ///   - tail: the end of it; may be shorter than a window.
    static func find(head: [UInt8], tail: [UInt8]) -> String? {
        for mark in marks where holds(mark, head: head, tail: tail) { return mark.name }
        for start in stride(from: 0, to: tail.count - arrayMark.count, by: 512)
        where tail[start...].starts(with: arrayMark) {
            return "md"
        }
        let label = head.dropFirst(16 << 10).prefix(64)
        if label.indices.contains(where: { label[$0...].starts(with: poolMark) }) { return "zfs" }
        return nil
    }

    private static func holds(_ mark: Mark, head: [UInt8], tail: [UInt8]) -> Bool {
        let bytes = mark.offset < 0 ? tail : head
        let start = mark.offset < 0 ? tail.count + mark.offset : mark.offset
        guard start >= 0, start + mark.bytes.count <= bytes.count else { return false }
        return bytes[start...].starts(with: mark.bytes)
    }

    /// What udev found, or what is found by reading; `none` if nothing is known to be there.
    ///
    /// - Parameter number: `major:minor`, under which udev keeps what it knows of the device.
    static func look(
        at name: String,
        number: String?,
        sizeBytes: UInt64,
        _ root: HostRoot
    ) -> Fact<String> {
        if let number,
            let text = try? root.beginning("run/udev/data/b\(number)", limitBytes: 16384),
            let found = recorded(text)
        {
            return .known(found)
        }
        let path = "dev/\(name)"
        do throws(Errno) {
            return .known(
                try root.answer("signature \(path)") { () throws(Errno) in
                    try read(path, sizeBytes: sizeBytes, root)
                }
            )
        } catch {
            return .absent(HostRoot.reason(path, error))
        }
    }

    private static func read(
        _ path: String,
        sizeBytes: UInt64,
        _ root: HostRoot
    ) throws(Errno) -> String {
        let kind = try root.status(path).kind
        // A device node in a recorded tree would be a device of the machine that replays it.
        guard kind == (root.isLive ? .blockDevice : .regular) else { throw .noDevice }
        let head = try root.window(path, offset: 0, count: windowBytes)
        // No disk is so large.
        guard sizeBytes <= UInt64(Int64.max) else { throw .fileTooLarge }
        let start = sizeBytes > UInt64(windowBytes) ? sizeBytes - UInt64(windowBytes) : 0
        let tail = try root.window(path, offset: start, count: windowBytes)
        return find(head: head, tail: tail) ?? "none"
    }

    /// What udev's database names: a partition table, or a file system's or a member's type.
    static func recorded(_ text: String) -> String? {
        let keys = ["E:ID_PART_TABLE_TYPE=", "E:ID_FS_TYPE="]
        for line in lines(text) {
            for key in keys {
                if let value = line.dropping(prefix: key), !value.isEmpty { return value }
            }
        }
        return nil
    }
}

extension HostRoot {
    /// A piece of a large file; shorter where the file ends.
    func window(_ path: String, offset: UInt64, count: Int) throws(Errno) -> [UInt8] {
        let file = try open(path)
        var bytes = [UInt8](repeating: 0, count: count)
        let result: Result<Int, Errno> = unsafe bytes.withUnsafeMutableBytes { buffer in
            do throws(Errno) {
                return .success(try unsafe file.read(at: offset, into: buffer))
            } catch {
                return .failure(error)
            }
        }
        bytes.removeLast(count - (try result.get()))
        return bytes
    }
}
