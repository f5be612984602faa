internal import FootingSystem

/// Requests side by side where there is no io_uring: each has a thread that waits for it.
struct ThreadedBlocks {
    /// The number of an open file; it stays open until ``run(until:seed:stop:)`` returns.
    let file: Int32
    let workload: Workload
    let sizeBytes: UInt64
    let clock: any TimeSource

    private struct Joint {
        var sample = Sample()
        var failure: Errno?
        var isOver = false
        var running = 0
    }

    /// Runs until the deadline; the last requests may take longer.
    func run(until deadline: UInt64, seed: UInt64, stop: () -> Bool) throws(Errno) -> Sample {
        let joint = Locked(Joint())
        var random = SeededRandom(seed: seed)
        var refusal: Errno?
        for slot in 0..<workload.depth {
            let seed = random.next()
            joint.withLock { $0.running += 1 }
            do throws(Errno) {
                try Thread(name: "measure") { [self] in
                    work(slot, until: deadline, seed: seed, joint)
                }.detach()
            } catch {
                joint.withLock {
                    $0.running -= 1
                    $0.isOver = true
                }
                refusal = error
                break
            }
        }
        // In short waits, as nobody else asks whether to stop.
        while !Self.waitForAll(joint) {
            if stop() { joint.withLock { $0.isOver = true } }
        }
        if let refusal { throw refusal }
        return try joint.withLock { (joint) throws(Errno) in
            if let failure = joint.failure { throw failure }
            return joint.sample
        }
    }

    /// - Returns: whether all have ended within a few milliseconds.
    private static func waitForAll(_ joint: Locked<Joint>) -> Bool {
        joint.withLock { state in
            if state.running > 0 { joint.wait(&state, nanoseconds: 5_000_000) }
            return state.running == 0
        }
    }

    private func work(_ slot: Int, until deadline: UInt64, seed: UInt64, _ joint: Locked<Joint>) {
        let memory = AlignedBuffer(count: workload.blockBytes)
        var random = SeededRandom(seed: seed)
        ScratchFile.fill(memory, &random)
        // Those that go in order each take their own part of it.
        var places = Places(
            workload,
            sizeBytes,
            seed: seed,
            first: slot,
            step: workload.depth
        )
        var sample = Sample()
        var failure: Errno?
        let borrowed = FileDescriptor(owning: file)
        do throws(Errno) {
            repeat {
                let start = clock.nanoseconds
                try transfer(borrowed, memory, at: places.next())
                sample.add(clock.nanoseconds - start, workload)
            } while clock.nanoseconds < deadline && !joint.withLock({ $0.isOver })
        } catch {
            failure = error
        }
        _ = borrowed.release()
        joint.withLock {
            $0.sample.add(sample)
            $0.failure = $0.failure ?? failure
            $0.isOver = $0.isOver || failure != nil
            $0.running -= 1
            joint.wakeAll()
        }
    }

    private func transfer(
        _ file: borrowing FileDescriptor,
        _ memory: borrowing AlignedBuffer,
        at offset: UInt64
    ) throws(Errno) {
        if workload.isWriting {
            try unsafe file.write(at: offset, UnsafeRawBufferPointer(memory.bytes))
        } else if try unsafe file.read(at: offset, into: memory.bytes) < memory.count {
            throw .inputOutput
        }
    }
}
