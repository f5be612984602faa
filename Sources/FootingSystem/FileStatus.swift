internal import CFooting
import Glibc

/// What `statx(2)` tells of a file.
public struct FileStatus: Sendable {
    /// The kinds of file that matter here.
    public enum Kind: Sendable, Equatable {
        /// A regular file.
        case regular
        /// A directory.
        case directory
        /// A block device.
        case blockDevice
        /// A symbolic link that was not followed.
        case symbolicLink
        /// A socket.
        case socket
        /// A FIFO.
        case pipe
        /// Anything else.
        case other
    }

    /// A device number.
    public struct Device: Sendable, Hashable {
        /// The driver's number.
        public let major: UInt32
        /// The device's number within the driver.
        public let minor: UInt32

        /// Both numbers.
        public init(major: UInt32, minor: UInt32) {
            self.major = major
            self.minor = minor
        }
    }

    /// What it is.
    public let kind: Kind
    /// Who may do what with it: the low twelve bits of `st_mode`, chmod(2); 0 in a recording.
    public let permissions: UInt32
    /// Size in bytes; 0 for a block device.
    public let sizeBytes: UInt64
    /// Space it takes on its file system, in bytes.
    public let allocatedBytes: UInt64
    /// Device of the file system that holds it.
    public let fileSystemDevice: Device
    /// Device number of a device node, 0:0 otherwise.
    public let device: Device
    /// Inode number, unique in its file system.
    public let inode: UInt64
    /// Alignment of memory for direct I/O in bytes, where the kernel tells (6.1 and later); 0
    /// where it does none: ext4 opens files whose data go to its journal with `O_DIRECT`, and
    /// reads and writes them by the page cache all the same.
    public let directMemoryAlignmentBytes: UInt32?
    /// Alignment of offsets and lengths for direct I/O in bytes, where the kernel tells; 0 where
    /// it does none.
    public let directOffsetAlignmentBytes: UInt32?

    /// Asks the kernel about a path relative to an open directory.
    public init(directory: Int32, path: String, followsLink: Bool) throws(Errno) {
        var status = footing_status()
        _ = try checked(unsafe footing_stat(directory, path, followsLink ? 1 : 0, &status))
        kind =
            switch mode_t(status.mode) & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .directory
            case S_IFBLK: .blockDevice
            case S_IFLNK: .symbolicLink
            case S_IFSOCK: .socket
            case S_IFIFO: .pipe
            default: .other
            }
        permissions = status.mode & 0o7777
        sizeBytes = status.size_bytes
        allocatedBytes = status.blocks_512 * 512
        fileSystemDevice = Device(major: status.device_major, minor: status.device_minor)
        device = Device(major: status.special_major, minor: status.special_minor)
        inode = status.inode
        let known = status.direct_is_told != 0
        directMemoryAlignmentBytes = known ? status.direct_memory_alignment : nil
        directOffsetAlignmentBytes = known ? status.direct_offset_alignment : nil
    }

    /// What a recording knows of a file.
    init(
        recorded kind: Kind,
        sizeBytes: UInt64 = 0,
        device: Device = Device(major: 0, minor: 0)
    ) {
        self.kind = kind
        permissions = 0
        self.sizeBytes = sizeBytes
        self.device = device
        allocatedBytes = 0
        fileSystemDevice = Device(major: 0, minor: 0)
        inode = 0
        directMemoryAlignmentBytes = nil
        directOffsetAlignmentBytes = nil
    }
}

/// What `fstatfs(2)` tells of a file system.
public struct FileSystemStatus: Sendable {
    /// The `f_type` number; see `statfs(2)`.
    public let magic: Int64
    /// Preferred I/O size in bytes.
    public let blockSizeBytes: UInt64
    /// Bytes free for an unprivileged user.
    public let freeBytes: UInt64
    /// Bytes in all.
    public let totalBytes: UInt64
}
