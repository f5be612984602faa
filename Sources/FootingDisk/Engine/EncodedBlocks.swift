import FootingSystem

/// A block that is ready for the log: how it is stored, and where its stored bytes are.
@unsafe
struct EncodedBlock {
    let form: BlockForm
    private let source: UnsafeRawPointer

    init(_ form: BlockForm, _ stored: UnsafeRawBufferPointer) {
        precondition(stored.count == form.byteCount, "another size than the form says")
        guard let source = stored.baseAddress else { preconditionFailure("a block nowhere") }
        unsafe self.form = form
        unsafe self.source = source
    }

    /// What is stored.
    var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: source, count: form.byteCount)
    }
}

/// Neighbouring blocks that are ready for the log; valid only while their write lasts.
@safe
struct EncodedBlocks {
    /// The number of the first one.
    let first: UInt64
    private let blocks: UnsafeMutableBufferPointer<EncodedBlock>

    init(first: UInt64, _ blocks: UnsafeMutableBufferPointer<EncodedBlock>) {
        self.first = first
        unsafe self.blocks = blocks
    }

    var count: Int { unsafe blocks.count }

    func form(_ index: Int) -> BlockForm { unsafe blocks[index].form }

    func bytes(_ index: Int) -> UnsafeRawBufferPointer { unsafe blocks[index].bytes }
}

extension Engine {
    /// Encodes blocks as the policy says, with their checksums, before the lock is taken: that is
    /// most of the work of a write.
    func withEncoded<Result>(
        _ first: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        _ body: (EncodedBlocks) throws(DiskError) -> Result
    ) throws(DiskError) -> Result {
        let count = bytes.count / 4096
        let policy = compression.withLock { $0 }
        // Encoded blocks lie in places of their own size; the others stay where they are.
        let scratchBytes = policy == .none ? 0 : count * BlockCoder.encodedBytesMax
        return try unsafe withScratch(scratchBytes) { (scratch) throws(DiskError) in
            try unsafe withUnsafeTemporaryAllocation(of: EncodedBlock.self, capacity: count) {
                (blocks) throws(DiskError) in
                var encoder = BlockEncoder(coder, policy)
                for index in 0..<count {
                    let block = unsafe UnsafeRawBufferPointer(
                        rebasing: bytes[index * 4096..<(index + 1) * 4096]
                    )
                    unsafe blocks.initializeElement(
                        at: index,
                        to: encode(block, &encoder, scratch, index)
                    )
                }
                return try body(unsafe EncodedBlocks(first: first, blocks))
            }
        }
    }

    /// What a scratch takes at most from where the caller's small allocations come from.
    private static let smallScratchBytes = 64 << 10

    /// - Throws: kind `noMemory`, and what the body throws.
    private func withScratch<Result>(
        _ count: Int,
        _ body: (UnsafeMutableRawBufferPointer) throws(DiskError) -> Result
    ) throws(DiskError) -> Result {
        if count > Self.smallScratchBytes {
            let buffer = try options.buffers.buffer(for: "write", count: count)
            return try unsafe body(buffer.slice(0..<count))
        }
        return try unsafe withUnsafeTemporaryAllocation(
            byteCount: max(count, 1),
            alignment: 16
        ) { (scratch) throws(DiskError) in
            try unsafe body(scratch)
        }
    }

    private func encode(
        _ block: UnsafeRawBufferPointer,
        _ encoder: inout BlockEncoder,
        _ scratch: UnsafeMutableRawBufferPointer,
        _ index: Int
    ) -> EncodedBlock {
        let size = BlockCoder.encodedBytesMax
        if scratch.count >= (index + 1) * size {
            let place = unsafe UnsafeMutableRawBufferPointer(
                rebasing: scratch[index * size..<(index + 1) * size]
            )
            if let form = unsafe encoder.encode(block, into: place) {
                let stored = UnsafeRawBufferPointer(place)
                return unsafe EncodedBlock(form, .init(rebasing: stored[..<form.byteCount]))
            }
        }
        return unsafe EncodedBlock(plainForm(block), block)
    }

    /// A block as it is; what is encrypted gets its checksum later.
    func plainForm(_ block: UnsafeRawBufferPointer) -> BlockForm {
        .plain(cipher == nil ? unsafe Checksum.crc32c(block) : 0)
    }
}
