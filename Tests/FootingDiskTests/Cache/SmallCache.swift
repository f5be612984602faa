import FootingSystem

@testable import FootingDisk

extension BlockCache {
    /// One of few frames: a slab has two shards of seven.
    static func small(slabCount: Int) -> BlockCache {
        let cache = BlockCache(
            source: AnyPages(isHuge: false),
            layout: CacheLayout(shardCount: 2, framesPerShard: 7)
        )
        cache.resize(slabCount: slabCount)
        return cache
    }
}
