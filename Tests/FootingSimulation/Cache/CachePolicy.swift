internal import FootingDisk
internal import FootingSystem

/// A cache that is only counted.
package protocol CachePolicy {
    /// Asks for a block, and takes it in if it is not there.
    ///
    /// - Returns: whether it was there.
    mutating func use(_ block: UInt64) -> Bool
}

extension CachePolicy {
    /// The part of a trace's accesses that find their block.
    package consuming func hitRatio(_ trace: CacheTrace) -> Double {
        var policy = self
        var hits = 0
        for block in trace.blocks where policy.use(block) { hits += 1 }
        return Double(hits) / Double(trace.blocks.count)
    }
}

/// The engine's own cache.
package struct EnginePolicy: CachePolicy {
    private let cache: BlockCache
    private let bytes = [UInt8](repeating: 0, count: 4096)

    /// A cache of so many slabs.
    package init(slabCount: Int) {
        cache = BlockCache(source: AnyPages())
        cache.resize(slabCount: slabCount)
    }

    package func use(_ block: UInt64) -> Bool {
        let entry = MapEntry(word: block + 1, checksum: 0)
        var first: UInt8 = 0
        let isHit = unsafe withUnsafeMutableBytes(of: &first) {
            unsafe cache.copy(block, entry, from: 0, into: $0)
        }
        if !isHit { unsafe bytes.withUnsafeBytes { unsafe cache.insert(block, entry, $0) } }
        return isHit
    }
}

/// The block that was used longest ago gives way.
package struct LRUPolicy: CachePolicy {
    private let frameCount: Int
    /// By block: when it was last used; and the blocks by that time, older ones possibly outdated.
    private var lastUse: [UInt64: Int] = [:]
    private var order: [(block: UInt64, time: Int)] = []
    private var next = 0
    private var now = 0

    /// A cache of so many frames.
    package init(frameCount: Int) { self.frameCount = frameCount }

    package mutating func use(_ block: UInt64) -> Bool {
        now += 1
        let isHit = lastUse[block] != nil
        lastUse[block] = now
        order.append((block, now))
        while lastUse.count > frameCount {
            let oldest = order[next]
            next += 1
            if lastUse[oldest.block] == oldest.time { lastUse[oldest.block] = nil }
        }
        return isHit
    }
}

/// A hand goes round, and takes the first block not used since it last came by.
package struct ClockPolicy: CachePolicy {
    private let frameCount: Int
    private var frameOf: [UInt64: Int] = [:]
    private var frames: [(block: UInt64, isUsed: Bool)] = []
    private var hand = 0

    /// A cache of so many frames.
    package init(frameCount: Int) { self.frameCount = frameCount }

    package mutating func use(_ block: UInt64) -> Bool {
        if let frame = frameOf[block] {
            frames[frame].isUsed = true
            return true
        }
        if frames.count < frameCount {
            frameOf[block] = frames.count
            frames.append((block, false))
            return false
        }
        while frames[hand].isUsed {
            frames[hand].isUsed = false
            hand = (hand + 1) % frameCount
        }
        frameOf[frames[hand].block] = nil
        frames[hand] = (block, false)
        frameOf[block] = hand
        hand = (hand + 1) % frameCount
        return false
    }
}
