internal import CFooting
import Glibc

/// Attributes of a file that `chattr(1)` shows and sets (`FS_IOC_GETFLAGS`).
public struct FileFlags: OptionSet, Sendable {
    /// The `FS_*_FL` bits of `include/uapi/linux/fs.h`.
    public let rawValue: UInt32

    /// Wraps bits.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// `FS_JOURNAL_DATA_FL`, `+j`: what is written goes through the file system's journal first.
    public static let journalData = FileFlags(rawValue: 0x4000)
    /// `FS_NOCOW_FL`, `+C`: what is written is written in place (btrfs).
    public static let noCopyOnWrite = FileFlags(rawValue: 0x0080_0000)
}

extension FileDescriptor {
    /// The attributes of the open file.
    ///
    /// - Throws: `ENOTTY` or `EOPNOTSUPP` where the file system has none.
    public func fileFlags() throws(Errno) -> FileFlags {
        var flags: UInt32 = 0
        _ = try checked(unsafe footing_get_file_flags(number, &flags))
        return FileFlags(rawValue: flags)
    }

    /// Gives the open file other attributes.
    ///
    /// What the file system cannot do it may refuse, or leave as it was without a word (btrfs):
    /// ``fileFlags()`` tells.
    ///
    /// - Throws: `EPERM` without the rights to them; for `+j` that is `CAP_SYS_RESOURCE`.
    public func setFileFlags(_ flags: FileFlags) throws(Errno) {
        _ = try checked(footing_set_file_flags(number, flags.rawValue))
    }

    /// On how many devices the file's btrfs is (`BTRFS_IOC_FS_INFO`).
    ///
    /// - Throws: `ENOTTY` where it is on another file system.
    public func btrfsDeviceCount() throws(Errno) -> UInt64 {
        var count: UInt64 = 0
        _ = try checked(unsafe footing_btrfs_devices(number, &count))
        return count
    }

    /// Makes the file and everything about it durable, its attributes too (`fsync(2)`).
    public func synchronizeAttributes() throws(Errno) {
        _ = try retrying { fsync(number) < 0 ? -Glibc.errno : 0 }
    }
}
