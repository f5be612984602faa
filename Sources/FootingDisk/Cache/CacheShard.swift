import FootingSystem

/// A part of a cache behind one lock: index, frames, and the policy that chooses who stays.
///
/// The policy is S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP
/// 2023): new blocks pass through a small queue, a tenth of the frames, and only those used more
/// than once meanwhile get into the main queue, where a used one is spared for another round. What
/// fell out of the small queue is remembered without its bytes, and enters the main queue when it
/// comes again. A scan so displaces a tenth at most.
struct CacheShard: ~Copyable {
    /// A list of frames, through their records.
    private struct FrameList {
        var head: Int32 = -1
        var tail: Int32 = -1
        var count = 0
    }

    /// The small queue's share of the frames.
    private static let smallPart = 10
    private static let frequencyMax: UInt8 = 3
    /// Insertions between two requests where memory was refused: a busy disk's in about a second.
    private static let pauseInsertionCount = 4096

    private let framesPerShard: Int
    private var parts: [SlabPart?] = []
    private var free = FrameList()
    private var small = FrameList()
    private var main = FrameList()
    /// First frame by hash; a power of two.
    private var buckets: [Int32] = []
    private var ghosts = GhostTable(capacity: 0)
    private var capacity = 0
    /// Whether another slab may be asked for when the free frames come to an end.
    enum Growth: Equatable {
        case now
        case never
        /// After so many insertions that would have use for one.
        case after(Int)
    }

    var growth = Growth.never
    private(set) var counters = CacheStatistics()

    init(framesPerShard: Int) {
        self.framesPerShard = framesPerShard
    }

    /// Bytes of the tables beside the slabs.
    var tableBytes: Int { buckets.count * 4 + ghosts.byteCount }

    // MARK: - Use

    /// Copies a part of a cached block out.
    ///
    /// - Parameters:
    ///   - key: the block.
    ///   - entry: the version of it that is wanted.
    ///   - offset: where in the block the part begins.
    ///   - countsMiss: false where the same is asked again soon.
    /// - Returns: false if that version is not here.
    mutating func copy(
        _ key: UInt64,
        _ entry: MapEntry,
        from offset: Int,
        into bytes: UnsafeMutableRawBufferPointer,
        countsMiss: Bool
    ) -> Bool {
        guard let frame = find(key), holds(frame, entry) else {
            if countsMiss { counters.misses += 1 }
            return false
        }
        let part = part(frame)
        let index = index(frame)
        let source = unsafe UnsafeRawBufferPointer(
            rebasing: part.bytes(index)[offset..<offset + bytes.count]
        )
        unsafe bytes.copyMemory(from: source)
        counters.hits += 1
        if part[index].isAhead {
            part[index].isAhead = false
            counters.aheadHits += 1
        } else if part[index].frequency < Self.frequencyMax {
            part[index].frequency += 1
        }
        return true
    }

    /// Whether any version of a block is here; not counted as a use.
    func contains(_ key: UInt64) -> Bool { find(key) != nil }

    /// Whether a version of a block is here; not counted as a use.
    func contains(_ key: UInt64, _ entry: MapEntry) -> Bool {
        find(key).map { holds($0, entry) } ?? false
    }

    private func holds(_ frame: Int32, _ entry: MapEntry) -> Bool {
        let record = part(frame)[index(frame)]
        return record.word == entry.word && record.checksum == entry.checksum
    }

    /// Takes a block in, if the policy wants it.
    ///
    /// - Returns: whether another slab is wanted soon.
    mutating func insert(
        _ key: UInt64,
        _ entry: MapEntry,
        _ bytes: UnsafeRawBufferPointer,
        _ use: CacheUse
    ) -> Bool {
        if let frame = find(key) {
            // Two blocks written to one place can have one checksum.
            if use == .written || !holds(frame, entry) { unsafe replace(frame, entry, bytes) }
            return false
        }
        if capacity > 0 { unsafe insertNew(key, entry, bytes, use) }
        return isShort && takesTurn()
    }

    /// Whether this insertion asks for another slab.
    private mutating func takesTurn() -> Bool {
        switch growth {
        case .now: return true
        case .never: return false
        case .after(let count):
            growth = count > 1 ? .after(count - 1) : .now
            return growth == .now
        }
    }

    /// Asks for no slab for a while, because there was none to be had.
    mutating func pauseGrowth() { growth = .after(Self.pauseInsertionCount) }

    /// Whether the free frames come to an end.
    var isShort: Bool { free.count <= framesPerShard / 2 }

    private mutating func insertNew(
        _ key: UInt64,
        _ entry: MapEntry,
        _ bytes: UnsafeRawBufferPointer,
        _ use: CacheUse
    ) {
        if use == .written, free.count == 0 { return }
        let isGhost = ghosts.remove(Self.ghostHash(key))
        if use == .scan, free.count == 0, !isGhost {
            // It is remembered as if it had been here: twice in a while is no scan.
            ghosts.insert(Self.ghostHash(key))
            counters.bypasses += 1
            return
        }
        let frame = free.count > 0 ? free.head : evict()
        let part = part(frame)
        let index = index(frame)
        unlink(frame)
        part[index] = FrameRecord(key: key, word: entry.word, checksum: entry.checksum)
        part[index].isAhead = use == .ahead
        unsafe part.bytes(index).copyMemory(from: bytes)
        addToIndex(frame)
        append(frame, isGhost || use == .successor ? .main : .small)
        counters.insertions += 1
        if use == .ahead { counters.aheadInsertions += 1 }
    }

    /// Puts a new version in the place of another one, if one is here.
    ///
    /// Also where place and checksum are the same, as for ``insert``.
    mutating func update(_ key: UInt64, _ entry: MapEntry, _ bytes: UnsafeRawBufferPointer) {
        if let frame = find(key) { unsafe replace(frame, entry, bytes) }
    }

    private mutating func replace(
        _ frame: Int32,
        _ entry: MapEntry,
        _ bytes: UnsafeRawBufferPointer
    ) {
        let part = part(frame)
        let index = index(frame)
        part[index].word = entry.word
        part[index].checksum = entry.checksum
        unsafe part.bytes(index).copyMemory(from: bytes)
        counters.updates += 1
    }

    /// Forgets a block.
    mutating func remove(_ key: UInt64) {
        guard let frame = find(key) else { return }
        removeFromIndex(frame)
        unlink(frame)
        append(frame, .free)
    }

    /// Lets a block go before all that are used, though not before it must.
    ///
    /// - Returns: whether it is here.
    mutating func retire(_ key: UInt64) -> Bool {
        guard let frame = find(key) else { return false }
        unlink(frame)
        part(frame)[index(frame)].frequency = 0
        append(frame, .small)
        return true
    }

    // MARK: - Policy

    /// Chooses a frame and empties it; it stays in its queue.
    private mutating func evict() -> Int32 {
        while true {
            if main.count == 0 || small.count * Self.smallPart >= capacity, small.count > 0 {
                let frame = small.head
                if part(frame)[index(frame)].frequency > 1 {
                    unlink(frame)
                    part(frame)[index(frame)].frequency = 0
                    append(frame, .main)
                    continue
                }
                drop(frame)
                return frame
            }
            let frame = main.head
            if part(frame)[index(frame)].frequency > 0 {
                part(frame)[index(frame)].frequency -= 1
                unlink(frame)
                append(frame, .main)
                continue
            }
            drop(frame)
            return frame
        }
    }

    private mutating func drop(_ frame: Int32) {
        let record = part(frame)[index(frame)]
        if record.queue == .small, !record.isAhead { ghosts.insert(Self.ghostHash(record.key)) }
        removeFromIndex(frame)
        counters.evictions += 1
    }

    // MARK: - Slabs

    /// Takes a slab's frames in.
    mutating func add(_ part: SlabPart, slot: Int) {
        while parts.count <= slot { parts.append(nil) }
        precondition(parts[slot] == nil, "a slab in another's place")
        parts[slot] = part
        for index in 0..<framesPerShard { append(Int32(slot << 6 | index), .free) }
        capacity += framesPerShard
        if capacity > buckets.count { rebuild() }
    }

    /// What would be lost with a slab: more for frames that are used more.
    func warmth(slot: Int) -> Int {
        guard let part = parts[slot] else { return 0 }
        return (0..<framesPerShard).reduce(0) { sum, index in
            let record = part[index]
            switch record.queue {
            case .free: return sum
            case .small: return sum + 1 + Int(record.frequency)
            case .main: return sum + 2 + Int(record.frequency)
            }
        }
    }

    /// Empties a slab's frames: nothing here refers to it any more.
    mutating func removeSlab(slot: Int) {
        guard let part = parts[slot] else { preconditionFailure("no such slab") }
        for index in 0..<framesPerShard {
            let frame = Int32(slot << 6 | index)
            if part[index].queue != .free { drop(frame) }
            unlink(frame)
        }
        parts[slot] = nil
        capacity -= framesPerShard
        if capacity * 4 <= buckets.count { rebuild() }
    }

    /// Makes the tables as large as the frames need; ghosts are forgotten.
    private mutating func rebuild() {
        var count = capacity == 0 ? 0 : 64
        while count < capacity { count *= 2 }
        buckets = Array(repeating: -1, count: count)
        ghosts = GhostTable(capacity: capacity)
        for (slot, part) in parts.enumerated() {
            guard let part else { continue }
            for index in 0..<framesPerShard where part[index].queue != .free {
                addToIndex(Int32(slot << 6 | index))
            }
        }
    }

    // MARK: - Index and lists

    private func part(_ frame: Int32) -> SlabPart {
        guard let part = parts[Int(frame >> 6)] else { preconditionFailure("a frame of no slab") }
        return part
    }

    private func index(_ frame: Int32) -> Int { Int(frame & 63) }

    private static func hash(_ key: UInt64) -> UInt64 { key &* 0xd6e8_feb8_6659_fd93 }

    private func bucket(_ key: UInt64) -> Int {
        Int(truncatingIfNeeded: Self.hash(key) >> 32) & (buckets.count - 1)
    }

    /// Other bits of the hash than the buckets use, and never 0.
    private static func ghostHash(_ key: UInt64) -> UInt32 {
        let mixed = (key ^ key >> 17) &* 0x9e37_79b9_7f4a_7c15
        return UInt32(truncatingIfNeeded: mixed >> 32) | 1
    }

    private func find(_ key: UInt64) -> Int32? {
        if buckets.isEmpty { return nil }
        var frame = buckets[bucket(key)]
        while frame >= 0 {
            let record = part(frame)[index(frame)]
            if record.key == key { return frame }
            frame = record.chain
        }
        return nil
    }

    private mutating func addToIndex(_ frame: Int32) {
        let bucket = bucket(part(frame)[index(frame)].key)
        part(frame)[index(frame)].chain = buckets[bucket]
        buckets[bucket] = frame
    }

    private mutating func removeFromIndex(_ frame: Int32) {
        let record = part(frame)[index(frame)]
        let bucket = bucket(record.key)
        if buckets[bucket] == frame {
            buckets[bucket] = record.chain
            return
        }
        var before = buckets[bucket]
        while before >= 0 {
            let next = part(before)[index(before)].chain
            if next == frame {
                part(before)[index(before)].chain = record.chain
                return
            }
            before = next
        }
        preconditionFailure("a frame that is not in the index")
    }

    private mutating func append(_ frame: Int32, _ queue: FrameRecord.Queue) {
        let part = part(frame)
        let index = index(frame)
        part[index].queue = queue
        part[index].next = -1
        let last: Int32
        switch queue {
        case .free: last = Self.append(frame, to: &free)
        case .small: last = Self.append(frame, to: &small)
        case .main: last = Self.append(frame, to: &main)
        }
        part[index].previous = last
        if last >= 0 { self.part(last)[self.index(last)].next = frame }
    }

    /// - Returns: what was the last one before.
    private static func append(_ frame: Int32, to list: inout FrameList) -> Int32 {
        let last = list.tail
        list.tail = frame
        if last < 0 { list.head = frame }
        list.count += 1
        return last
    }

    private mutating func unlink(_ frame: Int32) {
        let record = part(frame)[index(frame)]
        if record.previous >= 0 { part(record.previous)[index(record.previous)].next = record.next }
        if record.next >= 0 { part(record.next)[index(record.next)].previous = record.previous }
        switch record.queue {
        case .free: Self.unlink(record, from: &free)
        case .small: Self.unlink(record, from: &small)
        case .main: Self.unlink(record, from: &main)
        }
    }

    private static func unlink(_ record: FrameRecord, from list: inout FrameList) {
        if record.previous < 0 { list.head = record.next }
        if record.next < 0 { list.tail = record.previous }
        list.count -= 1
    }
}
