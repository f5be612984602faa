import FootingSystem

// Changing how writes are compressed.
extension Engine {
    /// Changes the policy; when this returns it is durable, and writes follow it.
    ///
    /// The superblock that says so goes out with a checkpoint: only then may a block be compressed
    /// on a disk where none was, or a program that does not know of it would find it.
    func setCompression(_ policy: CompressionPolicy) throws(DiskError) {
        let isSet = try state.withLock { (state) throws(DiskError) in
            try requireWritable(state)
            state.compressionWanted = policy
            return state.superblock.compression == policy
        }
        if isSet { return }
        if options.leavesOutOfFeatures == .policy { compression.withLock { $0 = policy } }
        do throws(DiskError) {
            // Another call may want something else meanwhile, and get it.
            try checkpointUntil { state in
                state.compressionWanted != policy || state.superblock.compression == policy
            }
        } catch {
            state.withLock { state in
                if state.compressionWanted == policy {
                    state.compressionWanted = state.superblock.compression
                }
            }
            throw error
        }
    }
}
