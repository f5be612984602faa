package import FootingSystem

/// Clean 4 KiB blocks in memory, within a budget that can change at any time.
///
/// ```
///  key ─hash─► shard (lock) ─► index ─► frame in a slab of 2 MiB ─copy─► caller
///  resize ─► coldest slabs ─► every shard forgets its part ─► unmapped: the memory is gone
/// ```
///
/// A block is found by a key that stays the same when it is written anew, and each frame says which
/// version it holds: the place in the log and the checksum. Who asks names the version that the map
/// has; any other is a miss. So a late insertion of an old version harms nobody, and a new version
/// takes over the old one's frame and standing.
///
/// Frames are touched only under their shard's lock, and only to copy: nothing refers to a slab
/// that is unmapped, whatever else is under way.
package final class BlockCache: Sendable {
    private struct Pool: ~Copyable {
        /// By slot; the shards know it by the same number.
        var slabs: [Slab?] = []
        var mappedCount = 0
        var targetCount = 0
        /// Those that are being mapped.
        var comingCount = 0
        /// The source had nothing to give when it was last asked.
        var isRefused = false
        /// Times the source had nothing to give.
        var refusalCount = 0
    }

    /// Memory of one slab.
    @safe
    private struct Slab: @unchecked Sendable {
        // Sendable: only an address; who may touch what lies there is for the shards' locks to say.
        let bytes: UnsafeMutableRawBufferPointer

        init(_ bytes: UnsafeMutableRawBufferPointer) { unsafe self.bytes = bytes }
    }

    private let source: any PageSource
    private let layout: CacheLayout
    private let shards: [Locked<CacheShard>]
    private let pool = Locked(Pool())
    private let shardShift: UInt64
    /// Hits that were taken back.
    private let withdrawnHits = Locked(UInt64(0))
    private let onShortage: (@Sendable () -> Void)?

    /// An empty cache without a budget.
    ///
    /// - Parameters:
    ///   - source: where the slabs come from.
    ///   - layout: how they are divided.
    ///   - onShortage: called when another slab would be of use, to have another thread call
    ///     ``grow()``: memory that was not touched for long can take the host milliseconds. Nil
    ///     grows at once.
    package init(
        source: any PageSource,
        layout: CacheLayout = .standard,
        onShortage: (@Sendable () -> Void)? = nil
    ) {
        self.source = source
        self.layout = layout
        self.onShortage = onShortage
        shards = (0..<layout.shardCount).map { _ in
            Locked(CacheShard(framesPerShard: layout.framesPerShard))
        }
        shardShift = UInt64(64 - layout.shardCount.trailingZeroBitCount)
    }

    deinit {
        pool.withLock { pool in
            for slab in pool.slabs {
                if let slab { unsafe source.unmap(slab.bytes) }
            }
        }
    }

    /// Neighbours share a shard, so that they lie in few of them.
    private func shard(_ key: UInt64) -> Locked<CacheShard> {
        shards[Int(truncatingIfNeeded: ((key >> 4) &* 0x9e37_79b9_7f4a_7c15) >> shardShift)]
    }

    // MARK: - Use

    /// Copies a part of a block out, if this version of it is here.
    ///
    /// - Parameters:
    ///   - key: the block.
    ///   - entry: where the wanted version lies, and its checksum.
    ///   - offset: where in the block the part begins.
    ///   - bytes: where it goes.
    ///   - countsMiss: false where the same is asked again soon.
    package func copy(
        _ key: UInt64,
        _ entry: MapEntry,
        from offset: Int,
        into bytes: UnsafeMutableRawBufferPointer,
        countsMiss: Bool = true
    ) -> Bool {
        shard(key).withLock { shard in
            unsafe shard.copy(key, entry, from: offset, into: bytes, countsMiss: countsMiss)
        }
    }

    /// Whether any version of a block is here; not counted as a use.
    func contains(_ key: UInt64) -> Bool {
        shard(key).withLock { $0.contains(key) }
    }

    /// Takes hits back that are counted once more, as the whole read is repeated.
    func withdraw(hits: Int) {
        withdrawnHits.withLock { $0 += UInt64(hits) }
    }

    /// Whether a version of a block is here; not counted as a use.
    func contains(_ key: UInt64, _ entry: MapEntry) -> Bool {
        shard(key).withLock { $0.contains(key, entry) }
    }

    /// Takes a copy of a block in, if the policy wants it.
    package func insert(
        _ key: UInt64,
        _ entry: MapEntry,
        _ bytes: UnsafeRawBufferPointer,
        _ use: CacheUse = .ordinary
    ) {
        let isShort = shard(key).withLock { unsafe $0.insert(key, entry, bytes, use) }
        if !isShort { return }
        guard let onShortage else {
            grow()
            // For the first block of all there was no frame yet.
            _ = shard(key).withLock { unsafe $0.insert(key, entry, bytes, use) }
            return
        }
        // Nobody else needs to ask until it has grown.
        for shard in shards { shard.withLock { $0.growth = .never } }
        onShortage()
    }

    /// Puts a new version in the place of another one, if there is one.
    func update(_ key: UInt64, _ entry: MapEntry, _ bytes: UnsafeRawBufferPointer) {
        shard(key).withLock { unsafe $0.update(key, entry, bytes) }
    }

    /// Forgets a block.
    func remove(_ key: UInt64) {
        shard(key).withLock { $0.remove(key) }
    }

    /// Lets a block go first when room is needed: nobody will ask for it soon.
    ///
    /// - Returns: whether it is here.
    func retire(_ key: UInt64) -> Bool {
        shard(key).withLock { $0.retire(key) }
    }

    // MARK: - Size

    /// Maps one more slab, if the budget has room for it.
    ///
    /// The kernel is asked outside of the lock: a change of the size does not wait for it. Where
    /// the size falls meanwhile, the slab goes back at once.
    package func grow() {
        let isComing = pool.withLock { pool in
            guard pool.mappedCount + pool.comingCount < pool.targetCount else {
                announceGrowth(pool)
                return false
            }
            pool.comingCount += 1
            return true
        }
        guard isComing else { return }
        let slab = makeSlab()
        let surplus = pool.withLock { pool -> Slab? in
            pool.comingCount -= 1
            pool.isRefused = slab == nil
            let isWanted = pool.mappedCount + pool.comingCount < pool.targetCount
            if let slab, isWanted { add(slab, &pool) }
            if slab == nil { pool.refusalCount += 1 }
            announceGrowth(pool)
            // A cache does without, and asks again after a while.
            if slab == nil { for shard in shards { shard.withLock { $0.pauseGrowth() } } }
            return isWanted ? nil : slab
        }
        if let surplus { unsafe source.unmap(surplus.bytes) }
    }

    private func makeSlab() -> Slab? {
        guard let bytes = unsafe try? source.map(byteCount: CacheLayout.slabBytes) else {
            return nil
        }
        if onShortage != nil { unsafe Self.touch(bytes) }
        return unsafe Slab(bytes)
    }

    private func add(_ slab: Slab, _ pool: inout Pool) {
        let slot = pool.slabs.firstIndex { $0 == nil } ?? pool.slabs.count
        if slot == pool.slabs.count { pool.slabs.append(nil) }
        pool.slabs[slot] = slab
        pool.mappedCount += 1
        for (index, shard) in shards.enumerated() {
            let part = unsafe SlabPart(slab.bytes, shard: index, layout)
            shard.withLock { $0.add(part, slot: slot) }
        }
    }

    /// Has the kernel put memory behind a slab, so that no reader waits for it.
    private static func touch(_ bytes: UnsafeMutableRawBufferPointer) {
        for offset in stride(from: 0, to: bytes.count, by: 4096) { unsafe bytes[offset] = 0 }
    }

    /// Lets readers ask for another slab again, if there may be one.
    func announceGrowth() {
        pool.withLock { announceGrowth($0) }
    }

    private func announceGrowth(_ pool: borrowing Pool) {
        // After a refusal each shard waits for its own turn to ask.
        if pool.isRefused { return }
        let mayGrow = pool.mappedCount + pool.comingCount < pool.targetCount
        for shard in shards { shard.withLock { $0.growth = mayGrow ? .now : .never } }
    }

    /// Changes how many slabs there may be.
    ///
    /// Those above it are unmapped before it returns, those with the least use first; more are
    /// mapped when they are needed.
    package func resize(slabCount: Int) {
        precondition(slabCount >= 0, "fewer slabs than none")
        pool.withLock { pool in
            pool.targetCount = slabCount
            pool.isRefused = false
            let surplus = pool.mappedCount - slabCount
            if surplus > 0 {
                // Others must not wait for memory that is about to go.
                announceGrowth(pool)
                for slot in coldest(surplus, pool) { release(slot, &pool) }
            }
            announceGrowth(pool)
        }
    }

    private func coldest(_ count: Int, _ pool: borrowing Pool) -> [Int] {
        var slots: [(slot: Int, warmth: Int)] = []
        for slot in pool.slabs.indices where pool.slabs[slot] != nil {
            let warmth = shards.reduce(0) { sum, shard in
                sum + shard.withLock { $0.warmth(slot: slot) }
            }
            slots.append((slot, warmth))
        }
        slots.sort { $0.warmth < $1.warmth }
        return slots.prefix(count).map { $0.slot }
    }

    private func release(_ slot: Int, _ pool: inout Pool) {
        for shard in shards { shard.withLock { $0.removeSlab(slot: slot) } }
        if let slab = pool.slabs[slot] { unsafe source.unmap(slab.bytes) }
        pool.slabs[slot] = nil
        pool.mappedCount -= 1
    }

    /// Whether another slab was asked for.
    var isShort: Bool {
        shards.contains { shard in shard.withLock { $0.isShort } }
    }

    /// Frames that it may have in all.
    var frameCountMax: Int { pool.withLock { $0.targetCount } * layout.framesPerSlab }

    /// Frames that it has.
    var frameCount: Int { pool.withLock { $0.mappedCount } * layout.framesPerSlab }

    /// Bytes of memory in use: slabs and tables, without a slab that is just being mapped.
    package var usedBytes: Int {
        let slabs = pool.withLock { $0.mappedCount } * CacheLayout.slabBytes
        return slabs + shards.reduce(0) { sum, shard in sum + shard.withLock { $0.tableBytes } }
    }

    /// Counters since the beginning.
    package var statistics: CacheStatistics {
        // First what was taken back: every such hit is then among those counted below.
        let withdrawn = withdrawnHits.withLock { $0 }
        var sum = CacheStatistics()
        for shard in shards { sum.add(shard.withLock { $0.counters }) }
        sum.hits -= withdrawn
        return sum
    }
}
