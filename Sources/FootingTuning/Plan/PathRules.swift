internal import FootingHost

/// What the file system under a disk does to its writes; never changed by `footing apply`.
extension TuningRule {
    static let pathRules: [TuningRule] = [
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
            guard let path = ground.path, path.type.value == "btrfs" else { return [] }
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
                    effect: "durable writes take about 40 % fewer bytes; btrfs checks no checksums "
                        + "of that file, Footing does",
                    risk: .none,
                    undo: "copy the file; the attribute holds for empty files only: "
                        + "'chattr +C' on its folder before the disk is made"
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
        case "btrfs":
            return ["btrfs: the attribute +C takes effect on an empty file only."]
        case "ext4" where path.journal.value == "none":
            return ["ext4 has no journal here: after a crash it needs fsck, the disk does not."]
        default:
            guard path.kind == .network else { return [] }
            return ["\(path.path) lies on another machine, whose tuning is its own."]
        }
    }
}
