internal import FootingDisk
internal import FootingHost
internal import FootingSystem
internal import FootingTuning

/// What a profile decides of a new disk.
struct DiskCreateProfile {
    let profile: TuningProfile

    /// - Returns: nil where none was asked for.
    init?(_ input: Invocation) throws(CommandError) {
        guard let profile = try ServeLimits.profile(input) else { return nil }
        self.profile = profile
    }

    /// Says where the place's own profile has something to say of new disks, and nobody asked it.
    static func tellUnused(_ path: String, _ console: Console) throws(CommandError) {
        let remark = unused(.choose(try ServeCommand.detect(path)))
        if let remark { console.remark(remark) }
    }

    /// - Returns: nil where it has not.
    static func unused(_ profile: TuningProfile) -> String? {
        guard let size = profile["segment-size"].number else { return nil }
        return "this place's profile was not asked: --profile \(profile.name) has segments of "
            + "\(ByteSize.text(size)), or of what the flash erases, and writes no zeros beforehand"
    }

    /// Refuses what the profile does not allow, and fills in what the command line left open.
    ///
    /// - Parameters:
    ///   - path: the new disk.
    ///   - flash: what the flash below it erases at a time, in bytes.
    /// - Returns: why the segments have another size than the profile says, where they do.
    func apply(
        to options: inout DiskOptions,
        _ input: Invocation,
        path: String,
        flash: Fact<UInt64>
    ) throws(CommandError) -> String? {
        let wishes: [(Bool, TuningProfile.Feature)] = [
            (options.compression != .none, .compression),
            (input[DiskCreateCommand.encrypts], .encryption),
            ((input[DiskCreateCommand.snapshotReserve] ?? 0) > 0, .snapshots),
        ]
        for (isWanted, feature) in wishes where isWanted && !profile.allows(feature) {
            throw CommandError("cannot create", path, profile.refusal(of: feature))
        }
        if !profile.allows(.snapshots) { options.snapshotReservePercent = 0 }
        if profile["hosted-optimizer"] == .word("off"), options.preparedBytes == nil {
            options.preparedBytes = 0
        }
        guard input[DiskCreateCommand.segment] == nil else { return nil }
        let wanted = profile["segment-size"].number
        let choice = Self.segment(wanted, sizeBytes: options.sizeBytes, flash: flash)
        options.segmentSizeBytes = choice.bytes
        return choice.reason
    }

    /// The size of segments, and why where it is not what the profile or the disk's size says.
    ///
    /// - Parameter wanted: what the profile says; nil: what is usual for the size.
    static func segment(
        _ wanted: UInt64?,
        sizeBytes: UInt64,
        flash: Fact<UInt64>
    ) -> (bytes: UInt64?, reason: String?) {
        let usual = wanted ?? Geometry.segmentSize(forDiskOf: sizeBytes)
        guard let erased = flash.value, erased > 0, usual % erased != 0 else {
            return (wanted, nil)
        }
        let text = ByteSize.text(erased)
        guard erased <= 64 << 20, erased & (erased - 1) == 0, erased >= usual else {
            return (wanted, "the flash erases \(text) at a time, of which no segment is a multiple")
        }
        return (erased, "segments of \(text), as the flash erases so much at a time")
    }

    /// What the flash below a path erases at a time.
    static func flash(_ report: HostReport) -> Fact<UInt64> {
        let disks = report.path?.disks.value ?? []
        let cards = report.hardware.block.filter { disks.contains($0.name) }
        var sizes: [Int] = []
        for card in cards.compactMap({ $0.flash.value }) {
            if let size = card.preferredEraseBytes.value ?? card.eraseBytes.value {
                sizes.append(size)
            }
        }
        guard let largest = sizes.max(), largest > 0 else {
            return .absent("no flash below it tells what it erases")
        }
        return .known(UInt64(largest))
    }
}
