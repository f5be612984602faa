/// Which blocks left a cache not long ago, by 32 bits of their hash: 8 bytes each.
///
/// A set-associative table: a new ghost takes the oldest place of four. A wrong guess, one in some
/// hundred millions, only lets a block in by the better door.
struct GhostTable {
    private static let ways = 4

    /// Hash in the upper half, time in the lower.
    private var slots: [UInt64]
    /// Counts ghosts; 0 marks a place that was never used.
    private var now: UInt32 = 0
    private let lifetime: UInt32

    /// - Parameter capacity: how many newer ghosts one outlives.
    init(capacity: Int) {
        var count = Self.ways
        while count < capacity { count *= 2 }
        slots = Array(repeating: 0, count: capacity == 0 ? 0 : count)
        lifetime = UInt32(clamping: capacity)
    }

    /// Bytes it takes.
    var byteCount: Int { slots.count * 8 }

    private func set(of hash: UInt32) -> Int { Int(hash) % (slots.count / Self.ways) * Self.ways }

    /// Remembers a block.
    mutating func insert(_ hash: UInt32) {
        if slots.isEmpty { return }
        now = now == .max ? 1 : now + 1
        let first = set(of: hash)
        var place = first
        var oldest: UInt32 = 0
        for slot in first..<first + Self.ways {
            let time = UInt32(truncatingIfNeeded: slots[slot])
            if time == 0 || UInt32(slots[slot] >> 32) == hash {
                place = slot
                break
            }
            let age = now &- time
            if age >= oldest { (place, oldest) = (slot, age) }
        }
        slots[place] = UInt64(hash) << 32 | UInt64(now)
    }

    /// Whether a block left not long ago; it is forgotten.
    mutating func remove(_ hash: UInt32) -> Bool {
        if slots.isEmpty { return false }
        let first = set(of: hash)
        for slot in first..<first + Self.ways where UInt32(slots[slot] >> 32) == hash {
            let time = UInt32(truncatingIfNeeded: slots[slot])
            if time == 0 { continue }
            slots[slot] = 0
            return now &- time <= lifetime
        }
        return false
    }
}
