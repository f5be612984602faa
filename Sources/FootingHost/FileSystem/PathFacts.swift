internal import FootingSystem

/// The file system and the disks under a path.
public final class PathFacts: Sendable {
    /// How a file system writes.
    public enum Kind: String, Sendable {
        /// In place, its metadata through a journal.
        case journaling
        /// Never in place.
        case copyOnWrite = "copy-on-write"
        /// In memory only.
        case volatile
        /// On another machine.
        case network
        /// Anything else.
        case other
    }

    /// The path as it was resolved.
    public let path: String
    /// Where its file system is mounted; absent for a block device.
    public let mountPoint: Fact<String>
    /// The file system's type, as `ext4`.
    public let type: Fact<String>
    /// How that type writes.
    public let kind: Kind
    /// The mount's options, then the file system's.
    public let options: [String]
    /// What is mounted, as `/dev/vda1`.
    public let source: Fact<String>
    /// Devices from the file system's own down to the disks, as `dm-0`, `sda2`, `sda`.
    public let chain: [String]
    /// The whole disks at the bottom.
    public let disks: Fact<[String]>
    /// What its file system writes twice, or first elsewhere; see ``FileSystemJournal``.
    public let journal: Fact<String>

    /// Looks at a path that may not exist yet: then at the folder it would be made in.
    init(_ path: String, survey: BlockSurvey) {
        let root = survey.root
        let resolved = root.resolved(path)
        self.path = resolved
        var ground = DiskClimber(survey)
        if let status = try? root.status(resolved), status.kind == .blockDevice {
            let reason = "\(resolved) is a block device"
            mountPoint = .absent(reason)
            type = .absent(reason)
            source = .known(resolved)
            kind = .other
            options = []
            ground.climb(
                number: "\(status.device.major):\(status.device.minor)",
                source: resolved
            )
        } else if let mount = survey.mounts?.mount(of: resolved) {
            mountPoint = .known(mount.point)
            type = .known(mount.type)
            source = .known(mount.source)
            kind = Self.kinds.first { $0.types.contains(mount.type) }?.kind ?? .other
            options = pieces(mount.options, separator: ",")
            ground.climb(number: mount.number, source: mount.source)
        } else {
            let reason = "no mount table shows \(resolved)"
            mountPoint = .absent(reason)
            type = .absent(reason)
            source = .absent(reason)
            kind = .other
            options = []
        }
        chain = ground.chain
        switch type {
        case .absent(let reason): journal = .absent(reason)
        case .known(let type):
            let device = ground.chain.first
            journal = FileSystemJournal.mode(type, options: options, device: device, root)
        }
        disks =
            ground.disks.isEmpty
            ? .absent("no block device of this machine is under \(resolved)")
            : .known(ground.disks)
    }

    /// One line for each way of writing.
    private static let kinds: [(kind: Kind, types: [String])] = [
        (.journaling, ["ext4", "ext3", "xfs", "jfs", "reiserfs", "ntfs3", "ocfs2", "gfs2"]),
        (.copyOnWrite, ["btrfs", "zfs", "bcachefs", "nilfs2", "f2fs"]),
        (.volatile, ["tmpfs", "ramfs", "devtmpfs", "hugetlbfs"]),
        (.network, ["nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph", "fuse.sshfs"]),
    ]
}
