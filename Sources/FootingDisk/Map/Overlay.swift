/// The changes of the map that the tree on disk does not have yet.
///
/// A write after a trim stands in the table, which is asked first; a trim after a write unmaps the
/// table's entries: so the order of the two needs no time stamps.
struct Overlay: Sendable {
    /// Trims of up to this many blocks are listed block by block.
    private static let listedTrimMax = 32

    private(set) var deltas = DeltaTable()
    private(set) var trims = RangeSet()

    var isEmpty: Bool { deltas.count == 0 && trims.isEmpty }

    /// The block's entry; nil if nothing here changed it.
    func entry(_ block: UInt64) -> MapEntry? {
        if let entry = deltas[block] { return entry }
        return trims.contains(block) ? .unmapped : nil
    }

    mutating func set(_ block: UInt64, _ entry: MapEntry) {
        deltas.set(block, entry)
    }

    mutating func trim(_ range: Range<UInt64>) {
        if range.count <= Self.listedTrimMax {
            for block in range { deltas.set(block, .unmapped) }
        } else {
            deltas.unmap(range)
            trims.insert(range)
        }
    }
}
