internal import FootingSystem

/// How a file system makes its changes whole after a crash.
enum FileSystemJournal {
    /// One word for it.
    ///
    /// - `journal`: data and metadata are written twice.
    /// - `ordered`, `writeback`: metadata is journaled, data is written before it or at any time.
    /// - `metadata`: metadata is journaled.
    /// - `log-tree`: Btrfs, which writes a synchronized file to a tree of its own first.
    /// - `none`: nothing is.
    ///
    /// - Parameters:
    ///   - type: the file system, as the mount table names it.
    ///   - options: its mount's options.
    ///   - device: the kernel's name of its device.
    static func mode(
        _ type: String,
        options: [String],
        device: String?,
        _ root: HostRoot
    ) -> Fact<String> {
        switch type {
        case "ext4", "ext3", "ext2": extended(options, device, root)
        case "xfs", "jfs", "reiserfs", "ntfs3": .known("metadata")
        case "ocfs2", "gfs2":
            .known(data(options) ?? "ordered")
        case "btrfs": .known(options.contains("notreelog") ? "none" : "log-tree")
        case "vfat", "exfat", "msdos", "tmpfs", "ramfs", "devtmpfs", "ext": .known("none")
        default: .absent("\(type) is not known to have a journal")
        }
    }

    /// What ext4 itself shows in `/proc/fs/ext4/DEVICE/options`.
    ///
    /// `data=` is there unless it has no journal; a mount table shows it only where it differs from
    /// the default.
    private static func extended(
        _ options: [String],
        _ device: String?,
        _ root: HostRoot
    ) -> Fact<String> {
        if let mode = data(options) { return .known(mode) }
        guard let device else { return .absent("the device is unknown") }
        let path = "proc/fs/ext4/\(device)/options"
        switch root.fact(path) {
        case .known(let text): return .known(data(lines(text)) ?? "none")
        case .absent(let reason): return .absent(reason)
        }
    }

    private static func data(_ options: [String]) -> String? {
        options.lazy.compactMap { $0.dropping(prefix: "data=") }.first {
            ["journal", "ordered", "writeback"].contains($0)
        }
    }
}
