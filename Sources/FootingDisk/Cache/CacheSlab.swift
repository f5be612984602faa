import FootingSystem

/// How a slab of memory is divided: what is known of the frames, then the frames.
///
/// ```
///  page 0 ... S-1   records of shard 0 ... S-1: the memory for them comes and goes with the frames
///  page S ...       frames of shard 0, frames of shard 1, ...
/// ```
///
/// Every shard has the same share of every slab, so that a slab can be taken away without one
/// shard losing more than another.
package struct CacheLayout: Sendable {
    /// Shards, each with a lock of its own; a power of two.
    let shardCount: Int
    /// Frames of a slab that belong to one shard.
    let framesPerShard: Int

    /// 8 shards with 63 frames each: with the records' pages exactly 2 MiB.
    package static let standard = CacheLayout(shardCount: 8, framesPerShard: 63)

    /// Another division, for tests that want a cache of few frames; the slab stays 2 MiB.
    package init(shardCount: Int, framesPerShard: Int) {
        precondition(shardCount > 0 && shardCount & (shardCount - 1) == 0, "not a power of two")
        precondition((1..<64).contains(framesPerShard), "frames that do not fit")
        precondition(shardCount * (1 + framesPerShard) <= 512, "more than a slab")
        self.shardCount = shardCount
        self.framesPerShard = framesPerShard
    }

    /// Frames of a slab.
    package var framesPerSlab: Int { shardCount * framesPerShard }

    /// Bytes of a slab.
    package static let slabBytes = AnyPages.unitBytes

    /// What the tables of all shards take at most for the frames of one slab: 24 bytes a frame.
    static let tableBytesPerSlab = 12 << 10
}

/// What is known of a frame: 40 bytes in the slab itself.
struct FrameRecord {
    /// Which list a frame is in.
    enum Queue: UInt8 {
        case free
        /// Seen once lately.
        case small
        /// Seen again.
        case main
    }

    var key: UInt64 = 0
    var word: UInt64 = 0
    var checksum: UInt32 = 0
    /// The next frame with the same bucket.
    var chain: Int32 = -1
    var previous: Int32 = -1
    var next: Int32 = -1
    var queue = Queue.free
    /// Uses since it came or was last spared, at most 3.
    var frequency: UInt8 = 0
    /// Read ahead, and not asked for yet: the first use is then its first.
    var isAhead = false
}

/// A shard's part of a slab.
@safe
struct SlabPart {
    private let records: UnsafeMutablePointer<FrameRecord>
    private let frames: UnsafeMutableRawPointer

    /// - Parameter slab: zeroed memory of ``CacheLayout/slabBytes``.
    init(_ slab: UnsafeMutableRawBufferPointer, shard: Int, _ layout: CacheLayout) {
        guard let base = slab.baseAddress else { preconditionFailure("a slab of nothing") }
        unsafe records = (base + shard * 4096).bindMemory(
            to: FrameRecord.self,
            capacity: layout.framesPerShard
        )
        unsafe records.initialize(repeating: FrameRecord(), count: layout.framesPerShard)
        let first = layout.shardCount + shard * layout.framesPerShard
        unsafe frames = base + first * 4096
    }

    subscript(index: Int) -> FrameRecord {
        unsafeAddress { unsafe UnsafePointer(records + index) }
        nonmutating unsafeMutableAddress { unsafe records + index }
    }

    /// A frame's bytes.
    func bytes(_ index: Int) -> UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(start: frames + index * 4096, count: 4096)
    }
}
