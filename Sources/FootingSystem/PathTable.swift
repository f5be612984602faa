/// What is known of each path.
///
/// A dictionary would do, but its type is made at run time, for which the runtime goes through all
/// conformances of the program: that alone took 110,000 of a detection's 4 million instructions,
/// and its hashing as many again.
struct PathTable: ~Copyable {
    private struct Record {
        let hash: UInt64
        let path: String
        var entry = HostMemory.Entry()
    }

    private var records: [Record] = []
    /// Open addressing: where in ``records`` a path is, counted from 1; 0: nothing is here.
    private var slots = GrowingBuffer<Int32>(capacity: 256)
    /// A machine's paths may be anybody's: without it nobody can have them fall on one slot.
    private let seed = UInt64(truncatingIfNeeded: Hasher().finalize())

    init() {
        slots.append(0, count: 256)
        records.reserveCapacity(128)
    }

    subscript(index: Int) -> HostMemory.Entry {
        _read { yield records[index].entry }
        _modify { yield &records[index].entry }
    }

    /// Where a path's entry is, from now on if it was not there.
    mutating func index(of path: String) -> Int {
        let hash = Self.hash(path, seed)
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] != 0 {
            let index = Int(slots[slot]) - 1
            if records[index].hash == hash, records[index].path == path { return index }
            slot = (slot + 1) & (slots.count - 1)
        }
        records.append(Record(hash: hash, path: path))
        slots[slot] = Int32(records.count)
        if records.count * 2 > slots.count { grow() }
        return records.count - 1
    }

    private mutating func grow() {
        let count = slots.count * 4
        slots.cut(to: 0)
        slots.append(0, count: count)
        for index in records.indices {
            var slot = Int(truncatingIfNeeded: records[index].hash) & (count - 1)
            while slots[slot] != 0 { slot = (slot + 1) & (count - 1) }
            slots[slot] = Int32(index + 1)
        }
    }

    /// Eight bytes at a time, each folded in by a multiplication (as wyhash does).
    private static func hash(_ path: String, _ seed: UInt64) -> UInt64 {
        func mix(_ value: UInt64) -> UInt64 {
            let product = value.multipliedFullWidth(by: 0xa076_1d64_78bd_642f)
            return product.high ^ product.low
        }
        let bytes = path.utf8Span.span
        var hash = seed ^ UInt64(bytes.count)
        var at = 0
        while at < bytes.count {
            var word: UInt64 = 0
            for offset in at..<min(at + 8, bytes.count) { word = word << 8 | UInt64(bytes[offset]) }
            hash = mix(hash ^ word)
            at += 8
        }
        return hash
    }
}
