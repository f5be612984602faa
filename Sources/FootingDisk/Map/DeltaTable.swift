/// What changed in the map since the last checkpoint: block to entry, in a hash table.
///
/// A trimmed block has an unmapped entry. Nothing is ever removed: a checkpoint takes the whole table.
/// Open addressing with a fixed hash, so that a simulated run is the same every time; grows by doubling
/// and is at most half full. 40 bytes a delta at worst.
struct DeltaTable: Sendable {
    private static let empty = UInt64.max
    private static let capacityMin = 1024

    private var keys: [UInt64]
    private var words: [UInt64]
    private var checksums: [UInt32]
    private(set) var count = 0

    init() {
        keys = Array(repeating: Self.empty, count: Self.capacityMin)
        words = Array(repeating: 0, count: Self.capacityMin)
        checksums = Array(repeating: 0, count: Self.capacityMin)
    }

    /// Fibonacci hashing: neighbouring blocks spread over the table.
    private func slot(of block: UInt64) -> Int {
        let mask = keys.count - 1
        var slot = Int(truncatingIfNeeded: (block &* 0x9e37_79b9_7f4a_7c15) >> 24) & mask
        while keys[slot] != block && keys[slot] != Self.empty {
            slot = (slot + 1) & mask
        }
        return slot
    }

    /// The entry of a block, or nil if it did not change.
    subscript(block: UInt64) -> MapEntry? {
        if count == 0 { return nil }
        let slot = slot(of: block)
        if keys[slot] == Self.empty { return nil }
        return MapEntry(word: words[slot], checksum: checksums[slot])
    }

    mutating func set(_ block: UInt64, _ entry: MapEntry) {
        precondition(block != Self.empty)
        var slot = slot(of: block)
        if keys[slot] == Self.empty {
            if (count + 1) * 2 > keys.count {
                grow()
                slot = self.slot(of: block)
            }
            keys[slot] = block
            count += 1
        }
        words[slot] = entry.word
        checksums[slot] = entry.checksum
    }

    /// Unmaps every block of the range that is in the table.
    mutating func unmap(_ range: Range<UInt64>) {
        if range.count < keys.count {
            for block in range {
                let slot = slot(of: block)
                if keys[slot] != Self.empty { clear(slot) }
            }
        } else {
            for slot in keys.indices where range.contains(keys[slot]) { clear(slot) }
        }
    }

    private mutating func clear(_ slot: Int) {
        words[slot] = 0
        checksums[slot] = 0
    }

    private mutating func grow() {
        let (oldKeys, oldWords, oldChecksums) = (keys, words, checksums)
        let capacity = keys.count * 2
        keys = Array(repeating: Self.empty, count: capacity)
        words = Array(repeating: 0, count: capacity)
        checksums = Array(repeating: 0, count: capacity)
        for index in oldKeys.indices where oldKeys[index] != Self.empty {
            let slot = slot(of: oldKeys[index])
            keys[slot] = oldKeys[index]
            words[slot] = oldWords[index]
            checksums[slot] = oldChecksums[index]
        }
    }

    /// All deltas by block, for the checkpoint.
    func sorted() -> [(block: UInt64, entry: MapEntry)] {
        var result: [(block: UInt64, entry: MapEntry)] = []
        result.reserveCapacity(count)
        for slot in keys.indices where keys[slot] != Self.empty {
            let entry = MapEntry(word: words[slot], checksum: checksums[slot])
            result.append((keys[slot], entry))
        }
        result.sort { $0.block < $1.block }
        return result
    }
}
