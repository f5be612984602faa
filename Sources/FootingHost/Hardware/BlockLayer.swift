internal import FootingSystem

/// What a block device is that the kernel makes up of others.
public struct BlockLayer: Sendable, Equatable {
    /// `lvm`, `luks2`, `multipath`, `raid1`, `loop`, `bcache`, `zram`, … ; `device-mapper` and `md`
    /// where the kernel does not tell which.
    public let kind: String
    /// What tells one from the other: a volume's name, a loop device's file, a compressor.
    public let detail: String?

    /// Nil for a device that is not made up.
    init?(_ name: String, interface: String, _ root: HostRoot) {
        let folder = "sys/block/\(name)"
        switch interface {
        case "device-mapper":
            let uuid = root.fact("\(folder)/dm/uuid").value ?? ""
            kind = Self.mapperKind(uuid)
            // Other names than LVM's are made of serial numbers and UUIDs.
            detail = kind == "lvm" ? root.fact("\(folder)/dm/name").value : nil
        case "md":
            kind = root.fact("\(folder)/md/level").value ?? "md"
            detail = root.fact("\(folder)/md/array_state").value
        case "loop":
            kind = interface
            detail = root.fact("\(folder)/loop/backing_file").value
        case "zram":
            kind = interface
            detail = root.fact("\(folder)/comp_algorithm").value.map(BlockDevice.chosen)
        case "bcache":
            kind = interface
            detail = root.fact("\(folder)/bcache/cache_mode").value.map(BlockDevice.chosen)
        case "ram", "nbd", "rbd", "drbd", "zvol", "ublk":
            kind = interface
            detail = nil
        default: return nil
        }
    }

    /// Who made a device-mapper device, by the beginning of its UUID (`libdevmapper`'s convention).
    static func mapperKind(_ uuid: String) -> String {
        // A partition of another device has that one's UUID behind `part1-`.
        if let rest = uuid.dropping(prefix: "part"), rest.utf8.first.map(isDigit) == true {
            return "partition"
        }
        return mapperKinds.first { uuid.hasPrefix($0.prefix) }?.kind ?? "device-mapper"
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

    private static let mapperKinds: [(prefix: String, kind: String)] = [
        ("LVM-", "lvm"), ("mpath-", "multipath"),
        ("CRYPT-LUKS1-", "luks1"), ("CRYPT-LUKS2-", "luks2"), ("CRYPT-PLAIN-", "plain-crypt"),
        ("CRYPT-VERITY-", "verity"), ("CRYPT-INTEGRITY-", "integrity"),
        ("CRYPT-BITLK-", "bitlocker"), ("CRYPT-TCRYPT-", "tcrypt"),
        ("CRYPT-FVAULT2-", "filevault"), ("CRYPT-", "crypt"),
        ("DMRAID-", "dmraid"), ("VDO-", "vdo"), ("stratis-", "stratis"),
    ]
}

/// A part of a disk that a table on it sets apart (`/sys/class/block/*/partition`).
public struct BlockPartition: Sendable, Equatable {
    /// Kernel name, as `nvme0n1p1`.
    public let name: String
    /// Where it begins on the disk, in bytes.
    public let startBytes: Fact<UInt64>
    /// Size in bytes.
    public let sizeBytes: Fact<UInt64>

    /// The partitions of a disk, by number.
    ///
    /// - Parameter known: names of all block devices that have a size, where they are known.
    static func all(of disk: String, known: [String]?, _ root: HostRoot) -> [BlockPartition] {
        let folder = "sys/block/\(disk)"
        let candidates = known ?? root.namesIfPresent(folder)
        let names = candidates.filter { number($0, of: disk) != nil }
            .sorted { (number($0, of: disk) ?? 0) < (number($1, of: disk) ?? 0) }
        return names.map { name in
            let attributes = Attributes("\(folder)/\(name)", root)
            return BlockPartition(
                name: name,
                startBytes: attributes.sectors("start"),
                sizeBytes: attributes.sectors("size")
            )
        }
    }

    /// The number in `sda1` or, behind a digit, in `nvme0n1p1`; nil if it is no partition of it.
    static func number(_ name: String, of disk: String) -> Int? {
        guard let rest = name.dropping(prefix: disk), let last = disk.utf8.last else { return nil }
        let digits = (48...57).contains(last) ? rest.dropping(prefix: "p") : rest
        guard let digits, digits.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(digits)
    }
}

extension Attributes {
    /// A size that sysfs counts in units of 512 bytes, whatever the device's sector is.
    func sectors(_ name: String) -> Fact<UInt64> {
        switch number(name) {
        case .absent(let reason): return .absent(reason)
        case .known(let count):
            let bytes = UInt64(max(0, count)).multipliedReportingOverflow(by: 512)
            return bytes.overflow
                ? .absent("\(name) is no size: \(count)") : .known(bytes.partialValue)
        }
    }
}

/// The names of `/proc/partitions`, whose first two lines are titles.
func partitionTableNames(_ text: String) -> [String] {
    lines(text).compactMap { line in
        let words = pieces(line, separator: " ")
        guard words.count == 4, words[2].utf8.allSatisfy({ (48...57).contains($0) }) else {
            return nil
        }
        // sysfs has `cciss!c0d0` where devfs has a slash. By bytes: a slash and an accent are one
        // character, and not equal to a slash.
        return String(decoding: words[3].utf8.map { $0 == 47 ? 33 : $0 }, as: UTF8.self)
    }
}
