internal import FootingHost
internal import FootingSystem

extension HostedOptimizer {
    /// A file's place: its file system, and what is there already.
    struct Place {
        let path: PathFacts
        let container: ContainerState

        var type: String? { path.type.value }

        private var isOverwritten: Bool {
            if case .container(_, let flags?) = container { return flags.contains(.noCopyOnWrite) }
            return false
        }

        private var mount: Evidence {
            Evidence(
                source: "proc/self/mountinfo",
                value: ([type ?? ""] + path.options).joined(separator: ","),
                says: "what \(path.mountPoint.value ?? path.path) is, and its options"
            )
        }

        private func decision(
            _ mechanism: String,
            _ isOn: Bool,
            _ reason: String,
            _ more: [Evidence] = []
        ) -> Decision {
            Decision(mechanism: mechanism, isOn: isOn, reason: reason, evidence: [mount] + more)
        }

        private var journalEvidence: [Evidence] {
            let device = path.chain.first ?? "DEVICE"
            return path.journal.value.map {
                [Evidence(source: "proc/fs/ext4/\(device)/options", value: $0, says: "its journal")]
            } ?? []
        }

        // MARK: - Segments

        /// Whether what the log overwrites is to be written once before.
        func segments() -> Decision {
            let name = "prepared-segments"
            switch type {
            case "ext4", "ext3", "ext2":
                return path.journal.value == "journal"
                    ? decision(
                        name,
                        false,
                        "with data=journal every write goes through the journal, also an overwrite",
                        journalEvidence
                    )
                    : decision(
                        name,
                        true,
                        "the first write to a block changes metadata, an overwrite does not: the "
                            + "journal has nothing to commit",
                        journalEvidence
                    )
            case "xfs":
                return decision(
                    name,
                    true,
                    "the first write to a block changes metadata, an overwrite does not: the log "
                        + "has nothing to write"
                )
            case "btrfs":
                return isOverwritten
                    ? decision(name, true, "the file has +C: an overwrite is one")
                    : decision(name, false, "btrfs writes every block elsewhere, also an overwrite")
            default: return decision(name, false, otherReason)
            }
        }

        private var otherReason: String {
            let name = type ?? "the file system"
            switch path.kind {
            case .volatile: return "\(name) lies in memory, and has no journal"
            case .network: return "what \(name) does about it is the other machine's business"
            case .copyOnWrite: return "\(name) writes every block elsewhere, also an overwrite"
            case .journaling, .other:
                return type == "overlay"
                    ? "the file system under the overlay decides; put disks on a volume"
                    : "nothing is known of what a first write costs on \(name)"
            }
        }

        // MARK: - Copy on write

        /// Whether the file is overwritten in place; only of interest on btrfs.
        func copyOnWrite() -> Decision? {
            guard type == "btrfs" else { return nil }
            let name = "no-copy-on-write"
            switch container {
            case .container where isOverwritten:
                return decision(name, true, "the file has the attribute +C")
            case .container, .foreign:
                return decision(
                    name,
                    false,
                    "the file has no +C, and cannot get it any more: on a file with content the "
                        + "kernel takes it without a word and does nothing. A new disk gets it "
                        + "when it is made"
                )
            case .none, .hidden:
                return decision(
                    name,
                    true,
                    "'footing disk create' gives an empty file +C, where btrfs has one device; "
                        + "Footing has checksums of its own"
                )
            }
        }

        // MARK: - The file's own journal

        /// Whether the file's data is kept out of the journal; only ext3 and ext4 can put it there.
        func dataJournal() -> Decision? {
            guard type == "ext4" || type == "ext3" else { return nil }
            let name = "no-data-journal"
            if path.journal.value == "journal" {
                return decision(
                    name,
                    false,
                    "the mount has data=journal, which no attribute of a file undoes",
                    journalEvidence
                )
            }
            guard case .container(_, let flags?) = container else {
                return decision(name, true, "a new file has no +j", journalEvidence)
            }
            let attribute = Evidence(
                source: "FS_IOC_GETFLAGS",
                value: flags.contains(.journalData) ? "+j" : "",
                says: "the attributes of \(path.path)"
            )
            if !flags.contains(.journalData) {
                return decision(name, true, "the file has no +j", [attribute])
            }
            return isDataJournalHeeded
                ? decision(name, false, "the file has +j: its data is written twice", [attribute])
                : decision(
                    name,
                    true,
                    "the file has +j, which the kernel heeds only with nodelalloc",
                    [attribute]
                )
        }

        /// Whether the kernel heeds the attribute (`ext4_inode_journal_mode()`).
        var isDataJournalHeeded: Bool {
            path.options.contains("nodelalloc") && path.journal.value != "journal"
                && path.journal.value != "none"
        }
    }
}
