/// Something that scrubbing found to be damaged.
public struct ScrubDamage: Sendable, Equatable {
    /// What can be wrong.
    enum Kind: UInt8, Sendable {
        /// The stored bytes are not those that were written.
        case checksum = 0
        /// The device does not give them.
        case unreadable = 1
        /// A page of the map, and with it all that it leads to.
        case mapPage = 2
        /// The map says that they are where nothing can be.
        case impossible = 3
        /// On encrypted disks: it was not encrypted with the disk's key for that place.
        case forged = 4

        var text: String {
            switch self {
            case .checksum: "does not have the checksum it was written with"
            case .unreadable: "cannot be read"
            case .mapPage: "a page of the map is damaged"
            case .impossible: "is said to be where none can be"
            case .forged: "is not what was encrypted there"
            }
        }
    }

    /// The first block of the disk that cannot be read, and how many.
    public let block: UInt64
    /// How many from there on; all that a damaged page of the map leads to.
    public let blockCount: UInt64
    /// Where in the container it is, in bytes.
    public let offset: UInt64
    /// What is wrong.
    public let problem: String
    /// The snapshot that has it; nil for the disk itself.
    public internal(set) var snapshot: String?
    /// The snapshot's identifier; 0 for the disk itself.
    var snapshotIdentifier: UInt64 = 0
    let kind: Kind

    init(_ item: ScrubBlock, _ kind: Kind, _ detail: String? = nil) {
        self.init(item.block..<item.block + 1, at: item.entry.location.offset, kind, detail)
    }

    init(_ blocks: Range<UInt64>, at offset: UInt64, _ kind: Kind, _ detail: String? = nil) {
        block = blocks.lowerBound
        blockCount = UInt64(blocks.count)
        self.offset = offset
        self.kind = kind
        problem = kind.text + (detail.map { ": \($0)" } ?? "")
    }

    /// One that was noted, without the details.
    init(_ kind: Kind, block: UInt64, blockCount: UInt64, offset: UInt64, snapshot: UInt64) {
        self.block = block
        self.blockCount = blockCount
        self.offset = offset
        self.kind = kind
        problem = kind.text
        snapshotIdentifier = snapshot
    }
}
