internal import FootingHost
internal import FootingSystem

/// What the file system under a disk does to its writes: the attribute of the disk's own file is
/// written by `footing apply`, mount options never are.
extension TuningRule {
    static let pathRules: [TuningRule] = [
        TuningRule(name: "file-data-journal") { ground in
            guard let path = ground.path,
                case .container(let disk, let flags?) = ground.hosted.container,
                flags.contains(.journalData),
                HostedOptimizer.Place(path: path, container: ground.hosted.container)
                    .isDataJournalHeeded, path.type.value == "ext4" || path.type.value == "ext3"
            else { return [] }
            return [
                Proposal(
                    target: .container(
                        FileIdentity(path: path.path, disk: disk),
                        .dataJournal
                    ),
                    present: FileAttribute.set,
                    proposed: FileAttribute.clear,
                    reason: "the file's data is written twice; the disk's own log does so already",
                    evidence: [
                        Evidence(source: "FS_IOC_GETFLAGS", value: "+j", says: path.path),
                        Evidence(
                            source: "proc/self/mountinfo",
                            value: "nodelalloc",
                            says: "the kernel heeds +j only with it"
                        ),
                    ],
                    source: noise,
                    effect: "the journal commits nothing for a durable write, instead of all of it"
                )
            ]
        },
        TuningRule(name: "data-journal") { ground in
            guard let path = ground.path, let point = path.mountPoint.value,
                path.journal.value == "journal"
            else { return [] }
            return [
                Proposal(
                    target: .mount(point: point, option: "data"),
                    present: "journal",
                    proposed: "ordered",
                    reason: "the file system writes data twice; the disk's own log does so already",
                    evidence: [
                        Evidence(
                            source: "proc/fs/ext4/*/options",
                            value: "data=journal",
                            says: "data goes through the journal of \(point)"
                        )
                    ],
                    source: noise,
                    effect: "a durable 4 KiB write takes 4 KiB and 1 flush of the device, "
                        + "not 16 KiB and 3",
                    risk: .needsRemount,
                    undo: "unmount \(point), and mount it with data=journal again"
                )
            ]
        },
        TuningRule(name: "no-copy-on-write") { ground in
            // A new disk gets it when it is made.
            guard let path = ground.path, path.type.value == "btrfs",
                case .container(_, let flags?) = ground.hosted.container,
                !flags.contains(.noCopyOnWrite)
            else { return [] }
            return [
                Proposal(
                    target: .file(path: path.path, attribute: "+C"),
                    present: nil,
                    proposed: "set while it is empty",
                    reason: "btrfs writes every block elsewhere, with its trees; a log that is "
                        + "overwritten in place needs neither",
                    evidence: [
                        Evidence(source: "proc/self/mountinfo", value: "btrfs", says: path.path)
                    ],
                    source: noise,
                    effect: "durable overwrites of a plain file took about 40 % fewer bytes; btrfs "
                        + "checks no checksums of that file, Footing does",
                    risk: .none,
                    undo: "'footing disk create' and 'footing disk import' give a new file +C, and "
                        + "none with --keep-copy-on-write; a file with content keeps what it has"
                )
            ]
        },
        TuningRule(name: "no-access-times") { ground in
            guard let path = ground.path, let point = path.mountPoint.value,
                path.kind == .journaling || path.kind == .copyOnWrite,
                !path.options.contains("noatime")
            else { return [] }
            let present = path.options.first { ["relatime", "strictatime"].contains($0) }
            return [
                Proposal(
                    target: .mount(point: point, option: "access times"),
                    present: present,
                    proposed: "noatime",
                    reason: "a read of the file writes its access time, once a day with relatime",
                    evidence: [
                        Evidence(
                            source: "proc/self/mountinfo",
                            value: path.options.joined(separator: ","),
                            says: "the options of \(point)"
                        )
                    ],
                    source: "mount(8)",
                    effect: "hardly any for one large file",
                    risk: .needsRemount,
                    undo: "mount -o remount,\(present ?? "relatime") \(point)"
                )
            ]
        },
    ]

    /// What is said of a place beside changes: why things stay as they are.
    static func notes(_ ground: PlanGround) -> [String] {
        var notes: [String] = []
        if let path = ground.path {
            notes += note(path)
            if let loop = path.chain.first(where: { $0.hasPrefix("loop") }) {
                notes.append(
                    "\(loop) lies in a file on another file system, which has a journal of its "
                        + "own; put the disk on that one."
                )
            }
            if let reason = path.disks.absence { notes.append("No queue is looked at: \(reason).") }
        }
        for device in ground.devices {
            if device.device.writeCache.value == "write back" {
                notes.append(
                    "\(device.name): write_cache stays as it is. Writing it would only stop the "
                        + "kernel's flushes, not the device's cache."
                )
            }
            if !device.device.isParavirtual, device.device.interface == "other" {
                notes.append("\(device.name): no rule knows this kind of disk.")
            }
        }
        let isVirtual = ground.report.hardware.virtualization.isVirtualMachine.value == true
        if isVirtual, !ground.devices.isEmpty,
            !ground.devices.contains(where: { $0.device.isParavirtual })
        {
            notes.append("No disk under the path is paravirtual: the hypervisor emulates them.")
        }
        return notes
    }

    private static func note(_ path: PathFacts) -> [String] {
        switch path.type.value {
        case "tmpfs", "ramfs":
            return ["\(path.path) lies in memory: nothing there survives a restart."]
        case "overlay":
            let loses =
                path.options.contains("volatile")
                ? " It is mounted 'volatile': flushes are dropped." : ""
            return [
                "\(path.path) lies on an overlay, which copies files; put disks on a volume."
                    + loses
            ]
        case "ext4" where path.journal.value == "none":
            return ["ext4 has no journal here: after a crash it needs fsck, the disk does not."]
        default:
            guard path.kind == .network else { return [] }
            return ["\(path.path) lies on another machine, whose tuning is its own."]
        }
    }
}
