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
        if drive == .callers { return try checkpoint() }
        try state.withLock { (state) throws(DiskError) in
            // Another call may want something else meanwhile, and get it.
            while state.compressionWanted == policy, state.superblock.compression != policy {
                state.checkpointRequested = true
                callMaintenance(&state)
                try requireWritable(state)
                if state.hostIsFull {
                    throw DiskError(.noSpace, "set compression", "the host has no space left")
                }
                self.state.wait(&state, on: Condition.progress, nanoseconds: 100_000_000)
            }
        }
    }
}
