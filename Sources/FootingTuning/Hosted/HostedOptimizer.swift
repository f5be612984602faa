public import FootingHost
public import FootingSystem

/// What is right for a disk in a file on a host's file system, so that nothing is journaled twice.
///
/// The disk's own log makes its changes whole after a crash. What a host's file system adds to that
/// is worth something only for its own metadata; this decides how to leave that alone. Each
/// decision rests on what the machine says; `docs/tuning.md` has what was measured.
public struct HostedOptimizer: Sendable {
    /// One way to have the file system do less, and whether it is used here.
    public struct Decision: Sendable {
        /// `prepared-segments`, `no-copy-on-write`, `no-data-journal` or `alignment`.
        public let mechanism: String
        /// Whether it is used, or holds already.
        public let isOn: Bool
        /// Why, in one sentence.
        public let reason: String
        /// What the machine says that it rests on.
        public let evidence: [Evidence]

        /// A member of the plan's document.
        var json: JSONValue {
            [
                "mechanism": .string(mechanism), "isOn": .bool(isOn), "reason": .string(reason),
                "evidence": .array(
                    evidence.map {
                        [
                            "source": .string($0.source), "value": .string($0.value),
                            "says": .string($0.says),
                        ]
                    }
                ),
            ]
        }
    }

    /// Every decision; none for a path that is no file's, as a block device.
    public let decisions: [Decision]
    /// What is at the path.
    public let container: ContainerState

    /// Whether the engine is to write free segments once before its log comes to them
    /// (`EngineOptions.preparesSegments`).
    public var preparesSegments: Bool {
        decisions.contains { $0.mechanism == "prepared-segments" && $0.isOn }
    }

    /// Why nothing is gained by preparing a new disk there; nil if something may be.
    ///
    /// On btrfs only the new file can tell: it is given `+C` if it can be.
    public var preparationRefusal: String? {
        if decisions.contains(where: { $0.mechanism == "no-copy-on-write" }) { return nil }
        return decisions.first { $0.mechanism == "prepared-segments" && !$0.isOn }?.reason
    }

    /// Decides for the path of a report.
    public init(_ report: HostReport, root: HostRoot) {
        guard let path = report.path else {
            decisions = []
            container = .none
            return
        }
        let container = ContainerState(path.path, root)
        self.container = container
        let place = Place(path: path, container: container)
        decisions =
            place.type == nil
            ? []
            : [
                place.segments(), place.copyOnWrite(), place.dataJournal(),
                Self.alignment(report, path),
            ].compactMap { $0 }
    }

    private init(decisions: [Decision], container: ContainerState) {
        self.decisions = decisions
        self.container = container
    }

    /// The same with a profile, which may have no segments written before their first use.
    public func with(_ profile: TuningProfile) -> HostedOptimizer {
        guard profile["hosted-optimizer"] == .word("off") else { return self }
        let rest = decisions.map { decision in
            guard decision.mechanism == "prepared-segments", decision.isOn else { return decision }
            return Decision(
                mechanism: decision.mechanism,
                isOn: false,
                reason: "the profile has hosted-optimizer = off: fewer bytes, more commits",
                evidence: decision.evidence
            )
        }
        return HostedOptimizer(decisions: rest, container: container)
    }

    /// Why nothing may be touched here; nil if it may.
    ///
    /// A file that is no container has no log that could stand for what the file system does.
    public var refusal: String? {
        switch container {
        case .container, .none: nil
        case .foreign(let reason): "it is a file and no disk of Footing's: \(reason)"
        case .hidden(let error): "it cannot be looked at: \(error)"
        }
    }

    /// The first partition under a path that begins within a block of its device.
    private static func crooked(_ disks: [BlockDevice], _ path: PathFacts) -> Decision? {
        for disk in disks {
            guard let unit = disk.physicalBlockBytes.value, unit > 0 else { continue }
            for partition in disk.partitions where path.chain.contains(partition.name) {
                guard let start = partition.startBytes.value, start % UInt64(unit) != 0 else {
                    continue
                }
                return Decision(
                    mechanism: "alignment",
                    isOn: false,
                    reason: "\(partition.name) begins within a block of \(disk.name): each write "
                        + "of \(unit) bytes changes two, which the device reads before; only "
                        + "another partition table mends that",
                    evidence: [
                        Evidence(
                            source: "sys/block/\(disk.name)/\(partition.name)/start",
                            value: String(start / 512),
                            says: "sectors of 512 bytes before \(partition.name)"
                        ),
                        Evidence(
                            source: "sys/block/\(disk.name)/queue/physical_block_size",
                            value: String(unit),
                            says: "bytes that \(disk.name) writes at a time"
                        ),
                    ]
                )
            }
        }
        return nil
    }

    /// Whether the disk's blocks fall on the blocks of what is under them.
    private static func alignment(_ report: HostReport, _ path: PathFacts) -> Decision? {
        let names = path.disks.value ?? []
        let disks = report.hardware.block.filter { names.contains($0.name) }
        let sizes = disks.compactMap { disk in
            disk.physicalBlockBytes.value.map { (disk.name, $0) }
        }
        guard !sizes.isEmpty else { return nil }
        if let crooked = crooked(disks, path) { return crooked }
        let larger = sizes.filter { $0.1 > 4096 }
        return Decision(
            mechanism: "alignment",
            isOn: larger.isEmpty,
            reason: larger.isEmpty
                ? "the disk writes whole blocks of 4 KiB, which no block under it is larger than"
                : "the device reads before it writes less than a block of its own; its commits "
                    + "are as large as what is flushed together",
            evidence: sizes.map { name, bytes in
                Evidence(
                    source: "sys/block/\(name)/queue/physical_block_size",
                    value: String(bytes),
                    says: "bytes that \(name) writes at a time"
                )
            }
        )
    }
}
