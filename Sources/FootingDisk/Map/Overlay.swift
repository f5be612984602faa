/// The changes of the map that the tree on disk does not have yet.
///
/// A write after a trim stands in the table, which is asked first; a trim after a write unmaps the
/// table's entries: so the order of the two needs no time stamps.
struct Overlay: Sendable {
    /// Trims of up to this many blocks are listed block by block.
    private static let listedTrimMax = 32

    private(set) var deltas = DeltaTable()
    private(set) var trims = RangeSet()
    /// Which leaves of the map have deltas, by the low bits of their index.
    private var leafMarks = [UInt64](repeating: 0, count: 1024)
    /// About how many leaves a checkpoint would write: exact below some thousands.
    private(set) var leafCountEstimate = 0

    private let blocksPerLeaf: UInt64

    /// No changes.
    ///
    /// - Parameter blocksPerLeaf: entries of a page of the map.
    init(blocksPerLeaf: Int = Geometry.entriesPerPageMax) {
        self.blocksPerLeaf = UInt64(blocksPerLeaf)
    }

    var isEmpty: Bool { deltas.count == 0 && trims.isEmpty }

    /// The block's entry; nil if nothing here changed it.
    func entry(_ block: UInt64) -> MapEntry? {
        if let entry = deltas[block] { return entry }
        return trims.contains(block) ? .unmapped : nil
    }

    mutating func set(_ block: UInt64, _ entry: MapEntry) {
        deltas.set(block, entry)
        let leaf = Int(block / blocksPerLeaf) & 0xffff
        if leafMarks[leaf >> 6] & (1 << (leaf & 63)) == 0 {
            leafMarks[leaf >> 6] |= 1 << (leaf & 63)
            leafCountEstimate += 1
        }
    }

    /// Takes in what is known of a block now that it is written.
    mutating func seal(_ block: UInt64, _ entry: MapEntry) { deltas.seal(block, entry) }

    mutating func trim(_ range: Range<UInt64>) {
        if range.count <= Self.listedTrimMax {
            for block in range { set(block, .unmapped) }
        } else {
            deltas.unmap(range)
            trims.insert(range)
        }
    }
}
