import FootingAcceleration

/// What changed in the map since the last checkpoint: block to entry, in a hash table.
///
/// A trimmed block has an unmapped entry. Nothing is ever removed: a checkpoint takes the whole
/// table. Open addressing with a fixed hash, so that a simulated run is the same every time; grows
/// by doubling and is at most half full: 48 to 96 bytes a delta.
struct DeltaTable: Sendable {
    private static let empty = UInt64.max
    private static let capacityMin = 1024

    /// One delta: 24 bytes, so that a look-up touches one cache line.
    struct Delta: Sendable {
        var block: UInt64
        var word: UInt64
        var checksum: UInt32
        /// Which of the tags is its own, counted from 1; 0: it has none.
        var tagNumber: UInt32 = 0
    }

    private var slots: [Delta]
    private(set) var count = 0
    /// Of encrypted disks: what proves the blocks, as far as they are written.
    private var tags: [AuthenticationTag] = []

    /// Bytes it takes.
    var byteCount: Int {
        slots.count * MemoryLayout<Delta>.stride
            + tags.capacity * MemoryLayout<AuthenticationTag>.stride
    }

    init() {
        slots = Self.emptySlots(Self.capacityMin)
    }

    private static func emptySlots(_ capacity: Int) -> [Delta] {
        Array(repeating: Delta(block: empty, word: 0, checksum: 0), count: capacity)
    }

    /// Fibonacci hashing of groups of eight blocks: what is written in sequence stays together in
    /// the processor's cache.
    private func slot(of block: UInt64) -> Int {
        unsafe slots.withUnsafeBufferPointer { slots in
            let mask = slots.count - 1
            let group = Int(truncatingIfNeeded: ((block >> 3) &* 0x9e37_79b9_7f4a_7c15) >> 24)
            var slot = (group << 3 | Int(block & 7)) & mask
            while unsafe slots[slot].block != block && slots[slot].block != Self.empty {
                slot = (slot + 1) & mask
            }
            return slot
        }
    }

    /// The entry of a block, or nil if it did not change.
    subscript(block: UInt64) -> MapEntry? {
        if count == 0 { return nil }
        let delta = slots[slot(of: block)]
        return delta.block == Self.empty ? nil : entry(delta)
    }

    /// The entry of a delta of this table.
    func entry(_ delta: Delta) -> MapEntry {
        let tag = delta.tagNumber == 0 ? .none : tags[Int(delta.tagNumber) - 1]
        return MapEntry(word: delta.word, checksum: delta.checksum, tag: tag)
    }

    /// Takes in what is known of a block now that it is written, unless it was changed meanwhile.
    mutating func seal(_ block: UInt64, _ entry: MapEntry) {
        let slot = slot(of: block)
        guard slots[slot].block == block, slots[slot].word == entry.word else { return }
        slots[slot].checksum = entry.checksum
        setTag(entry.tag, slot)
    }

    private mutating func setTag(_ tag: AuthenticationTag, _ slot: Int) {
        if slots[slot].tagNumber > 0 {
            tags[Int(slots[slot].tagNumber) - 1] = tag
        } else if tag != .none {
            tags.append(tag)
            slots[slot].tagNumber = UInt32(tags.count)
        }
    }

    mutating func set(_ block: UInt64, _ entry: MapEntry) {
        precondition(block != Self.empty)
        var slot = slot(of: block)
        if slots[slot].block == Self.empty {
            if (count + 1) * 2 > slots.count {
                grow()
                slot = self.slot(of: block)
            }
            count += 1
        }
        let tagNumber = slots[slot].tagNumber
        slots[slot] = Delta(
            block: block,
            word: entry.word,
            checksum: entry.checksum,
            tagNumber: tagNumber
        )
        setTag(entry.tag, slot)
    }

    /// Unmaps every block of the range that is in the table.
    mutating func unmap(_ range: Range<UInt64>) {
        if range.count < slots.count {
            for block in range {
                let slot = slot(of: block)
                if slots[slot].block != Self.empty { clear(slot) }
            }
        } else {
            for slot in slots.indices where range.contains(slots[slot].block) { clear(slot) }
        }
    }

    private mutating func clear(_ slot: Int) {
        slots[slot].word = 0
        slots[slot].checksum = 0
        setTag(.none, slot)
    }

    private mutating func grow() {
        let old = slots
        slots = Self.emptySlots(old.count * 2)
        for delta in old where delta.block != Self.empty { slots[slot(of: delta.block)] = delta }
    }

    /// All entries by block.
    func entries() -> [(block: UInt64, entry: MapEntry)] {
        sorted().map { ($0.block, entry($0)) }
    }

    /// All deltas by block, for the checkpoint.
    func sorted() -> [Delta] {
        var result = slots.filter { $0.block != Self.empty }
        result.sort { $0.block < $1.block }
        return result
    }
}
