import FootingSystem

/// What is known of scrubbing, which outlives a restart with the superblock.
struct ScrubNotes: Equatable, Sendable {
    /// Where it goes on.
    var position = ScrubPosition()
    /// Somebody stopped it: it goes on when it is asked to, not by itself.
    var isStopped = false
    /// What it was to read in a second at most; 0 if nobody ever asked for any.
    var bytesPerSecond: UInt64 = 0
    /// Blocks that the pass under way has found damaged; if none is, those of the last one.
    var damagedBlockCount: UInt64 = 0
    /// The first of them.
    var damages: [ScrubDamage] = []
    /// Blocks that the last pass that came to its end had found damaged.
    var lastPassDamagedBlockCount: UInt64 = 0
    /// When that was, in seconds since 1970; 0 if there was none.
    var lastPassUnixSeconds: UInt64 = 0

    /// Whether it is worth a checkpoint that others do not have it.
    func isNews(beside others: ScrubNotes) -> Bool {
        isStopped != others.isStopped || bytesPerSecond != others.bytesPerSecond
            || lastPassUnixSeconds != others.lastPassUnixSeconds
            || lastPassDamagedBlockCount != others.lastPassDamagedBlockCount
    }

    /// Takes over what a step did.
    mutating func take(_ step: Engine.ScrubStep, next: ScrubPosition, unixSeconds: UInt64) {
        // A pass that begins forgets what the one before found, but for how much it was.
        if position.isAtStart {
            damagedBlockCount = 0
            damages = []
        }
        for damage in step.damages {
            damagedBlockCount = damagedBlockCount.addingClamped(damage.blockCount)
            if damages.count < ScrubStatus.damageCountMax { damages.append(damage) }
        }
        position = next
        if step.isAtEnd {
            lastPassDamagedBlockCount = damagedBlockCount
            lastPassUnixSeconds = unixSeconds
        }
    }
}

extension UInt64 {
    fileprivate func addingClamped(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}

// MARK: - In the superblock

extension ScrubNotes {
    /// Where the list of damages begins; it goes to the end of the page.
    private static let listOffset = 2048
    private static let damageBytes = 32

    func store(in page: borrowing AlignedBuffer) {
        page.set(position.snapshot, at: 328)
        // More than fits is beyond every end.
        let block = min(position.block, UInt64(UInt32.max) * 64)
        page.set(UInt32(block / 64), at: 336)
        page.set(UInt8(isStopped ? 1 : 0), at: 345)
        page.set(UInt8(block % 64), at: 346)
        page.set(UInt8(damages.count), at: 347)
        page.set(UInt32(clamping: bytesPerSecond >> 10), at: 348)
        page.set(damagedBlockCount, at: 352)
        page.set(lastPassDamagedBlockCount, at: 360)
        page.set(lastPassUnixSeconds, at: 368)
        for (index, damage) in damages.enumerated() {
            let offset = Self.listOffset + index * Self.damageBytes
            page.set(damage.snapshotIdentifier, at: offset)
            page.set(damage.block, at: offset + 8)
            page.set(damage.offset, at: offset + 16)
            let count = min(damage.blockCount, 1 << 56 - 1)
            page.set(count | UInt64(damage.kind.rawValue) << 56, at: offset + 24)
        }
    }

    /// Reads them; none of it is more than a note, so that nothing of it can be wrong.
    init(_ page: borrowing AlignedBuffer) {
        position = ScrubPosition(
            snapshot: page.get(UInt64.self, at: 328),
            block: UInt64(page.get(UInt32.self, at: 336)) * 64
                + UInt64(page.get(UInt8.self, at: 346) % 64)
        )
        isStopped = page.get(UInt8.self, at: 345) & 1 != 0
        bytesPerSecond = UInt64(page.get(UInt32.self, at: 348)) << 10
        damagedBlockCount = page.get(UInt64.self, at: 352)
        lastPassDamagedBlockCount = page.get(UInt64.self, at: 360)
        lastPassUnixSeconds = page.get(UInt64.self, at: 368)
        let count = min(Int(page.get(UInt8.self, at: 347)), ScrubStatus.damageCountMax)
        for index in 0..<count {
            let offset = Self.listOffset + index * Self.damageBytes
            let word = page.get(UInt64.self, at: offset + 24)
            damages.append(
                ScrubDamage(
                    ScrubDamage.Kind(rawValue: UInt8(word >> 56)) ?? .checksum,
                    block: page.get(UInt64.self, at: offset + 8),
                    blockCount: word & (1 << 56 - 1),
                    offset: page.get(UInt64.self, at: offset + 16),
                    snapshot: page.get(UInt64.self, at: offset)
                )
            )
        }
    }

    /// Gives the damages of snapshots the names that these have.
    mutating func name(_ snapshots: [SnapshotRecord]) {
        for index in damages.indices where damages[index].snapshotIdentifier > 0 {
            let identifier = damages[index].snapshotIdentifier
            let record = snapshots.first { $0.identifier == identifier }
            // One that was deleted has no name any more.
            damages[index].snapshot = record?.name ?? "number \(identifier)"
        }
    }
}
