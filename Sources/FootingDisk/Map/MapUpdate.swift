import FootingSystem

/// Makes a new tree out of an old one and the changes, without touching the old one.
///
/// Pages are written bottom-up, each once, in the order of the blocks; memory is a path of pages.
/// Until the checkpoint is complete, readers use the old root and the changes.
struct MapUpdate: ~Copyable {
    /// Where pages go: an append-only stream over map segments.
    protocol Output: AnyObject {
        /// Takes a sealed page.
        func append(_ page: borrowing AlignedBuffer) throws(DiskError) -> Location

        /// Takes a sealed page, which is encrypted on its way if the disk is.
        ///
        /// - Parameter checksum: the page's.
        /// - Returns: what its parent says of it.
        func append(
            _ page: borrowing AlignedBuffer,
            _ checksum: UInt32
        ) throws(DiskError) -> MapEntry
    }

    /// What the new tree no longer refers to, or newly refers to.
    protocol Accounting: AnyObject {
        /// What `entry` points to has gained (1) or lost (-1) its reference.
        func count(_ entry: MapEntry, _ change: Int)
    }

    /// A page that is to be written again though nothing in it changed, to empty its segment.
    typealias Touch = MapPage.Identity

    private let reader: MapReader
    /// The tree's.
    private let geometry: Geometry
    private let output: any Output
    private let accounting: any Accounting
    private let generation: UInt64
    private let table: DeltaTable
    private let deltas: [DeltaTable.Delta]
    private let trims: RangeSet
    /// By level, then index.
    private let touches: [[UInt64]]

    init(
        reader: MapReader,
        geometry: Geometry,
        output: any Output,
        accounting: any Accounting,
        generation: UInt64,
        overlay: Overlay,
        touches: [Touch]
    ) {
        self.reader = reader
        self.geometry = geometry
        self.output = output
        self.accounting = accounting
        self.generation = generation
        table = overlay.deltas
        deltas = overlay.deltas.sorted()
        trims = overlay.trims
        self.touches = (0..<geometry.levels).map { level in
            touches.filter { $0.level == level }.map { $0.index }.sorted()
        }
    }

    /// Writes the new tree.
    ///
    /// - Returns: its root.
    consuming func run(root: MapEntry) throws(DiskError) -> MapEntry {
        try update(
            root,
            MapPage.Identity(level: geometry.levels - 1, index: 0),
            deltas[...]
        )
    }

    /// The blocks below a page.
    private func blocks(of identity: MapPage.Identity) -> Range<UInt64> {
        let span = geometry.span(level: identity.level + 1)
        let start = identity.index * span
        return start..<min(start + span, geometry.blockCount)
    }

    /// Whether a page at or below `identity` is to be written again.
    private func isTouched(_ identity: MapPage.Identity) -> Bool {
        for level in 0...identity.level {
            let factor = geometry.span(level: identity.level - level)
            let range = identity.index * factor..<(identity.index + 1) * factor
            let list = touches[level]
            let first = list.partitioningIndex { $0 >= range.lowerBound }
            if first < list.count, list[first] < range.upperBound { return true }
        }
        return false
    }

    private func update(
        _ old: MapEntry,
        _ identity: MapPage.Identity,
        _ changes: ArraySlice<DeltaTable.Delta>
    ) throws(DiskError) -> MapEntry {
        let range = blocks(of: identity)
        let isTrimmed = trims.overlaps(range)
        if changes.isEmpty && !(old.isMapped && (isTrimmed || isTouched(identity))) { return old }
        let page = AlignedBuffer(count: 4096)
        if old.isMapped {
            try reader.load(old, identity, into: page)
            accounting.count(old, -1)
        }
        MapPage.begin(page, geometry)
        if identity.level == 0 {
            updateLeaf(page, range, changes)
        } else {
            try updateInner(page, identity, changes)
        }
        if MapPage.isEmpty(page) { return .unmapped }
        let checksum = MapPage.seal(
            page,
            identity,
            volume: reader.volume,
            generation: generation
        )
        let new = try output.append(page, checksum)
        accounting.count(new, 1)
        // Readers come to it as soon as the checkpoint is complete.
        reader.cache.replace(old, by: new, page)
        return new
    }

    private func updateLeaf(
        _ page: borrowing AlignedBuffer,
        _ range: Range<UInt64>,
        _ changes: ArraySlice<DeltaTable.Delta>
    ) {
        for trimmed in trims.intersection(range) {
            for block in trimmed { set(page, Int(block - range.lowerBound), .unmapped) }
        }
        for change in changes {
            set(page, Int(change.block - range.lowerBound), table.entry(change))
        }
    }

    private func set(_ page: borrowing AlignedBuffer, _ slot: Int, _ entry: MapEntry) {
        let old = MapPage.entry(page, slot)
        if old.isMapped { accounting.count(old, -1) }
        if entry.isMapped { accounting.count(entry, 1) }
        MapPage.setEntry(page, slot, entry)
    }

    private func updateInner(
        _ page: borrowing AlignedBuffer,
        _ identity: MapPage.Identity,
        _ changes: ArraySlice<DeltaTable.Delta>
    ) throws(DiskError) {
        let span = geometry.span(level: identity.level)
        let entries = geometry.entriesPerPage
        let first = identity.index * UInt64(entries)
        var rest = changes
        for slot in 0..<entries {
            let start = (first + UInt64(slot)) * span
            if start >= geometry.blockCount { break }
            let end = rest.partitioningIndex { $0.block >= start + span }
            let old = MapPage.entry(page, slot)
            let child = MapPage.Identity(level: identity.level - 1, index: first + UInt64(slot))
            let new = try update(old, child, rest[..<end])
            if new != old { MapPage.setEntry(page, slot, new) }
            rest = rest[end...]
        }
    }
}

extension MapUpdate {
    /// Makes a tree that is deeper or less deep, with the same blocks.
    ///
    /// - Parameters:
    ///   - root: the tree's; beyond the new depth it has nothing.
    ///   - levels: how deep it is, and is to be.
    /// - Returns: the new root.
    static func reshape(
        _ root: MapEntry,
        levels: (old: Int, new: Int),
        reader: MapReader,
        output: any Output,
        accounting: any Accounting,
        generation: UInt64
    ) throws(DiskError) -> MapEntry {
        var root = root
        let page = AlignedBuffer(count: 4096)
        for level in stride(from: levels.old - 1, to: levels.new - 1, by: -1) where root.isMapped {
            try reader.load(root, MapPage.Identity(level: level, index: 0), into: page)
            accounting.count(root, -1)
            root = MapPage.entry(page, 0)
        }
        for level in stride(from: levels.old, to: levels.new, by: 1) where root.isMapped {
            page.clear(0..<4096)
            MapPage.begin(page, reader.geometry)
            MapPage.setEntry(page, 0, root)
            let identity = MapPage.Identity(level: level, index: 0)
            let checksum = MapPage.seal(
                page,
                identity,
                volume: reader.volume,
                generation: generation
            )
            root = try output.append(page, checksum)
            accounting.count(root, 1)
            reader.cache.replace(.unmapped, by: root, page)
        }
        return root
    }
}

extension MapUpdate.Output {
    /// As it is.
    func append(
        _ page: borrowing AlignedBuffer,
        _ checksum: UInt32
    ) throws(DiskError) -> MapEntry {
        MapEntry(location: try append(page), checksum: checksum)
    }
}

extension RandomAccessCollection where Index == Int {
    /// The first index whose element fulfils a condition that, once true, stays true.
    func partitioningIndex(where condition: (Element) -> Bool) -> Int {
        var low = startIndex
        var high = endIndex
        while low < high {
            let middle = low + (high - low) / 2
            if condition(self[middle]) {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low
    }
}
