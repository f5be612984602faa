import FootingSystem

/// Limits of snapshots.
enum SnapshotLimits {
    /// Snapshots of a disk.
    static let countMax = 256
    /// Snapshots whose tree is not written yet; the next one waits for a checkpoint.
    static let pendingCountMax = 8
    /// Bytes of a name.
    static let nameBytesMax = 255
}

/// What a superblock says of the snapshots.
struct SnapshotRoot: Equatable, Sendable {
    /// The first page of their table; unmapped if there is none.
    var table = MapEntry.unmapped
    /// How many there are.
    var count: UInt32 = 0
    /// The identifier given last; none is given twice.
    var lastIdentifier: UInt64 = 0

    func isPossible(in geometry: Geometry, _ features: UInt64) -> Bool {
        if features & Superblock.snapshotsFeature == 0 { return self == SnapshotRoot() }
        return table.isValidPage(in: geometry) && table.isMapped == (count > 0)
            && count <= SnapshotLimits.countMax
            && lastIdentifier < SnapshotRecord.identifierMax && lastIdentifier >= count
    }
}

/// A snapshot in the table: a tree that is kept.
struct SnapshotRecord: Equatable, Sendable {
    /// What fits a descriptor.
    static let identifierMax: UInt64 = 1 << 40

    let identifier: UInt64
    let name: String
    let createdUnixSeconds: UInt64
    /// What the disk's size was.
    let sizeBytes: UInt64
    /// The last commit that it includes.
    let lsn: UInt64
    let root: MapEntry
    /// The first page of the counts of what it refers to, by segment.
    let counts: MapEntry
    /// Units that it refers to in all.
    let unitCount: UInt64

    /// Whether this can be a snapshot of a container.
    func isPossible(in geometry: Geometry) -> Bool {
        (1..<Self.identifierMax).contains(identifier) && SnapshotName.isValid(name)
            && sizeBytes > 0 && sizeBytes <= Geometry.sizeBytesMax && sizeBytes % 512 == 0
            && lsn <= Geometry.counterMax && root.isValidPage(in: geometry)
            && counts.isMapped && counts.isValidPage(in: geometry)
            && unitCount <= geometry.containerSizeBytes / Geometry.unitSizeBytes
    }
}

/// Names of snapshots.
enum SnapshotName {
    /// 1 to 255 bytes of UTF-8 without '@', '/' and control characters.
    static func isValid(_ name: String) -> Bool {
        let bytes = name.utf8
        guard (1...SnapshotLimits.nameBytesMax).contains(bytes.count) else { return false }
        return name.unicodeScalars.allSatisfy { scalar in
            scalar != "@" && scalar != "/" && scalar.properties.generalCategory != .control
        }
    }

    static func require(_ name: String) throws(DiskError) {
        if isValid(name) { return }
        throw DiskError(
            .invalid,
            "snapshot",
            "a name has 1 to \(SnapshotLimits.nameBytesMax) bytes, and no '@', '/' or control "
                + "characters"
        )
    }
}

/// A snapshot that is in the log, and whose tree no checkpoint has written yet.
///
/// In the log it is a descriptor with the identifier and the number of bytes of text, which follow
/// nine by nine in descriptors of their own: created in seconds since 1970 (8 bytes), then the
/// name. All of that is in a commit's header page, so that it is there as a whole or not at all.
struct PendingSnapshot: Equatable, Sendable {
    let identifier: UInt64
    let name: String
    let createdUnixSeconds: UInt64

    private static let timeBytes = 8
    private static let chunkBytes = 9
    /// Descriptors of the one with the longest name.
    static let descriptorCountMax =
        1 + (timeBytes + SnapshotLimits.nameBytesMax + chunkBytes - 1) / chunkBytes

    /// What goes into the log.
    var descriptors: [Descriptor] {
        var bytes = (0..<Self.timeBytes).map { index in
            UInt8(truncatingIfNeeded: createdUnixSeconds >> UInt64(index * 8))
        }
        bytes += Array(name.utf8)
        var result = [Descriptor(kind: .snapshot, block: identifier, value: UInt32(bytes.count))]
        for start in stride(from: 0, to: bytes.count, by: Self.chunkBytes) {
            var number: UInt64 = 0
            var value: UInt32 = 0
            for (index, byte) in bytes[start...].prefix(Self.chunkBytes).enumerated() {
                if index < 5 {
                    number |= UInt64(byte) << UInt64(index * 8)
                } else {
                    value |= UInt32(byte) << UInt32((index - 5) * 8)
                }
            }
            result.append(Descriptor(kind: .text, block: number, value: value))
        }
        return result
    }

    init(identifier: UInt64, name: String, createdUnixSeconds: UInt64) {
        self.identifier = identifier
        self.name = name
        self.createdUnixSeconds = createdUnixSeconds
    }

    /// Reads the one in a commit.
    ///
    /// - Returns: nil if there is none.
    /// - Throws: kind `corrupt` if it makes no sense.
    init?(_ commit: CommitHeader, _ header: borrowing AlignedBuffer) throws(DiskError) {
        for index in 0..<commit.descriptorCount {
            guard let descriptor = Descriptor.load(index, from: header),
                descriptor.kind == .snapshot
            else { continue }
            let rest = index + 1..<commit.descriptorCount
            guard let bytes = Self.text(rest, Int(descriptor.value), header),
                bytes.count > Self.timeBytes
            else { throw Self.impossible }
            var time: UInt64 = 0
            for index in 0..<Self.timeBytes { time |= UInt64(bytes[index]) << UInt64(index * 8) }
            guard let name = String(validating: bytes[Self.timeBytes...], as: UTF8.self),
                SnapshotName.isValid(name),
                (1..<SnapshotRecord.identifierMax).contains(descriptor.block)
            else { throw Self.impossible }
            self.init(identifier: descriptor.block, name: name, createdUnixSeconds: time)
            return
        }
        return nil
    }

    private static var impossible: DiskError {
        DiskError(.corrupt, "recover", "the log makes a snapshot that cannot be")
    }

    /// The text in the descriptors of a commit from some on.
    private static func text(
        _ slots: Range<Int>,
        _ count: Int,
        _ header: borrowing AlignedBuffer
    ) -> [UInt8]? {
        guard count <= timeBytes + SnapshotLimits.nameBytesMax,
            slots.count == (count + chunkBytes - 1) / chunkBytes
        else { return nil }
        var bytes: [UInt8] = []
        for slot in slots {
            guard let chunk = Descriptor.load(slot, from: header), chunk.kind == .text else {
                return nil
            }
            for index in 0..<5 {
                bytes.append(UInt8(truncatingIfNeeded: chunk.block >> UInt64(index * 8)))
            }
            for index in 0..<4 {
                bytes.append(UInt8(truncatingIfNeeded: chunk.value >> UInt32(index * 8)))
            }
        }
        return Array(bytes[..<count])
    }
}
