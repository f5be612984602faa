public import FootingSystem
internal import Glibc

/// Runs workloads on a scratch file, one after the other, on one thread.
///
/// Requests that are under way together go through one io_uring; where there is none, each has a
/// thread. Those that wait for one another are plain calls.
public final class WorkloadRunner {
    private let scratch: ScratchFile
    private let clock: any TimeSource
    private let stop: () -> Bool
    private var random: SeededRandom
    /// Why there is no ring, if there is none.
    public let ringRefusal: Errno?
    private var ring: Ring?
    /// Memory of all requests: as many blocks, or pieces, as can be under way.
    private let memory: AlignedBuffer

    private var lastLook: UInt64 = 0
    private var isStopped = false
    private static let lookNanoseconds: UInt64 = 20_000_000

    /// The most that are under way together, in bytes.
    private static let memoryBytes = 4 * Workload.piece

    /// One for a file.
    ///
    /// - Parameters:
    ///   - scratch: where everything happens.
    ///   - clock: what measures.
    ///   - usesRing: whether to try io_uring; tests of the threads do not.
    ///   - stop: whether to end early; asked now and then.
    public init(
        _ scratch: ScratchFile,
        clock: any TimeSource,
        usesRing: Bool = true,
        stop: @escaping () -> Bool
    ) {
        self.scratch = scratch
        self.clock = clock
        self.stop = stop
        var random = SeededRandom(seed: clock.nanoseconds)
        let memory = AlignedBuffer(count: Self.memoryBytes)
        ScratchFile.fill(memory, &random)
        self.random = random
        self.memory = memory
        guard usesRing else {
            ringRefusal = .notImplemented
            return
        }
        do throws(Errno) {
            var ring = try Ring(entryCount: UInt32(Workload.depthMaximum), isForThisThread: true)
            ring.setFile(scratch.blocks.number)
            self.ring = consume ring
            ringRefusal = nil
        } catch {
            ringRefusal = error
        }
    }

    /// Runs a workload for a while; the last requests may take longer.
    ///
    /// What was written before is flushed first, or a flush would be measured with somebody else's
    /// writes in it.
    public func run(
        _ workload: Workload,
        forNanoseconds nanoseconds: UInt64
    ) throws(MeasureError) -> Sample {
        do throws(Errno) {
            try scratch.cached.synchronize()
            let start = clock.nanoseconds
            let deadline = start + nanoseconds
            var sample =
                switch workload.kind {
                case .randomRead, .randomWrite, .sequentialRead, .sequentialWrite:
                    try blocks(workload, deadline)
                case .cachedRead: try cachedRead(workload, deadline)
                case .cachedWrite: try bursts(workload, deadline, isCached: true)
                case .burstFlush: try bursts(workload, deadline, isCached: false)
                case .durableWrite: try durableWrites(workload, deadline)
                }
            sample.elapsedNanoseconds = clock.nanoseconds - start
            return sample
        } catch {
            throw MeasureError("\(workload.name) in '\(scratch.folder)' failed", error)
        }
    }

    private func isOver(_ deadline: UInt64) -> Bool {
        let now = clock.nanoseconds
        if now >= deadline { return true }
        // Asking may cost a system call, which would be measured with each request.
        if now - lastLook > Self.lookNanoseconds {
            lastLook = now
            isStopped = stop()
        }
        return isStopped
    }

    /// Memory of one of the requests that are under way.
    private func buffer(_ slot: Int, _ workload: Workload) -> UnsafeMutableRawBufferPointer {
        let start = slot * workload.blockBytes
        return unsafe memory.slice(start..<start + workload.blockBytes)
    }

    // MARK: - Past the cache

    private func blocks(_ workload: Workload, _ deadline: UInt64) throws(Errno) -> Sample {
        var places = Places(workload, scratch.sizeBytes, seed: random.next())
        if workload.depth == 1 { return try oneByOne(workload, deadline, &places) }
        guard ringRefusal == nil else {
            return try ThreadedBlocks(
                file: scratch.blocks.number,
                workload: workload,
                sizeBytes: scratch.sizeBytes,
                clock: clock
            ).run(until: deadline, seed: random.next(), stop: stop)
        }
        return try sideBySide(workload, deadline, &places)
    }

    private func oneByOne(
        _ workload: Workload,
        _ deadline: UInt64,
        _ places: inout Places
    ) throws(Errno) -> Sample {
        var sample = Sample()
        repeat {
            let start = clock.nanoseconds
            try transfer(workload, at: places.next())
            sample.add(clock.nanoseconds - start, workload)
        } while !isOver(deadline)
        return sample
    }

    private func transfer(_ workload: Workload, at offset: UInt64) throws(Errno) {
        let buffer = unsafe buffer(0, workload)
        if workload.isWriting {
            try unsafe scratch.blocks.write(at: offset, UnsafeRawBufferPointer(buffer))
        } else if try unsafe scratch.blocks.read(at: offset, into: buffer) < buffer.count {
            throw .inputOutput
        }
    }

    private func sideBySide(
        _ workload: Workload,
        _ deadline: UInt64,
        _ places: inout Places
    ) throws(Errno) -> Sample {
        var sample = Sample()
        var free = Array(0..<workload.depth)
        var started = [UInt64](repeating: 0, count: workload.depth)
        var failure: Errno?
        while true {
            let isEnding = failure != nil || (sample.operations > 0 && isOver(deadline))
            while !isEnding, let slot = free.popLast() {
                started[slot] = clock.nanoseconds
                guard prepare(workload, slot, at: places.next()) else {
                    free.append(slot)
                    break
                }
            }
            if free.count == workload.depth { break }
            do throws(Errno) {
                try submit()
            } catch {
                // The kernel may still write to the memory: it must outlive this call, and does.
                _ = unsafe Unmanaged.passRetained(self)
                throw error
            }
            while let completion = ring?.next() {
                let slot = Int(completion.tag)
                free.append(slot)
                if Int(completion.result) == workload.blockBytes {
                    sample.add(clock.nanoseconds - started[slot], workload)
                } else {
                    let isShort = completion.result >= 0
                    failure = isShort ? .inputOutput : Errno(rawValue: -completion.result)
                }
            }
        }
        if let failure { throw failure }
        return sample
    }

    private func prepare(_ workload: Workload, _ slot: Int, at offset: UInt64) -> Bool {
        let buffer = unsafe buffer(slot, workload)
        let tag = UInt64(slot)
        if workload.isWriting {
            let source = UnsafeRawBufferPointer(buffer)
            return unsafe ring?.prepareWrite(at: offset, from: source, tag: tag) ?? false
        }
        return unsafe ring?.prepareRead(at: offset, into: buffer, tag: tag) ?? false
    }

    private func submit() throws(Errno) {
        do throws(Errno) {
            try ring?.submitAndWait()
        } catch {
            // It takes no more for the moment: what it has will end.
            guard error == .again || error == .busy else { throw error }
            try ring?.collect(waits: true)
        }
    }

    // MARK: - By the cache, and flushes

    private func cachedRead(_ workload: Workload, _ deadline: UInt64) throws(Errno) -> Sample {
        let file = try scratch.reopened()
        let buffer = unsafe buffer(0, workload)
        var sample = Sample()
        var places = Places(workload, scratch.sizeBytes, seed: 0)
        repeat {
            let offset = places.next()
            if offset == 0 { file.dropCached(0..<scratch.sizeBytes) }
            let start = clock.nanoseconds
            guard try unsafe file.read(at: offset, into: buffer) == buffer.count else {
                throw .inputOutput
            }
            sample.add(clock.nanoseconds - start, workload)
        } while !isOver(deadline)
        file.dropCached(0..<scratch.sizeBytes)
        return sample
    }

    /// Writes 16 MiB, and flushes them, until the time is over.
    private func bursts(
        _ workload: Workload,
        _ deadline: UInt64,
        isCached: Bool
    ) throws(Errno) -> Sample {
        var sample = Sample()
        var places = Places(workload, scratch.sizeBytes, seed: 0)
        let buffer = unsafe UnsafeRawBufferPointer(buffer(0, workload))
        repeat {
            for _ in 0..<Workload.burstBytes / UInt64(workload.blockBytes) {
                let offset = places.next()
                if isCached {
                    try unsafe scratch.cached.write(at: offset, buffer)
                } else {
                    try unsafe scratch.blocks.write(at: offset, buffer)
                }
                sample.operations += 1
                sample.bytes += UInt64(workload.blockBytes)
            }
            let start = clock.nanoseconds
            try scratch.cached.synchronize()
            sample.flushes.add(clock.nanoseconds - start)
        } while !isOver(deadline)
        if isCached { scratch.cached.dropCached(0..<scratch.sizeBytes) }
        return sample
    }

    private func durableWrites(_ workload: Workload, _ deadline: UInt64) throws(Errno) -> Sample {
        var sample = Sample()
        var places = Places(workload, scratch.sizeBytes, seed: random.next())
        repeat {
            let start = clock.nanoseconds
            try transfer(workload, at: places.next())
            let written = clock.nanoseconds
            try scratch.blocks.synchronize()
            let end = clock.nanoseconds
            sample.add(end - start, workload)
            sample.flushes.add(end - written)
        } while !isOver(deadline)
        return sample
    }
}

extension Workload {
    /// Whether it changes the file.
    var isWriting: Bool {
        switch kind {
        case .randomRead, .sequentialRead, .cachedRead: false
        case .randomWrite, .sequentialWrite, .cachedWrite, .durableWrite, .burstFlush: true
        }
    }
}

extension Sample {
    mutating func add(_ nanoseconds: UInt64, _ workload: Workload) {
        operations += 1
        bytes += UInt64(workload.blockBytes)
        latencies.add(nanoseconds)
    }

    /// Adds what another thread did at the same time.
    mutating func add(_ other: Sample) {
        operations += other.operations
        bytes += other.bytes
        latencies.add(other.latencies)
        flushes.add(other.flushes)
    }
}

/// Where requests go: blocks here and there, or one behind the other and from the start again.
struct Places {
    private let blockBytes: UInt64
    private let count: Int
    private let step: Int
    private var following: Int?
    private var random: SeededRandom

    /// - Parameters:
    ///   - seed: of what is random.
    ///   - first: the first place of one who takes only every `step`-th, as others take the rest.
    init(_ workload: Workload, _ sizeBytes: UInt64, seed: UInt64, first: Int = 0, step: Int = 1) {
        blockBytes = UInt64(workload.blockBytes)
        count = max(1, Int(sizeBytes / blockBytes))
        self.step = step
        random = SeededRandom(seed: seed)
        switch workload.kind {
        case .randomRead, .randomWrite, .durableWrite: following = nil
        case .sequentialRead, .sequentialWrite, .cachedRead, .cachedWrite, .burstFlush:
            following = first % count
        }
    }

    mutating func next() -> UInt64 {
        guard let place = following else { return UInt64(random.below(count)) * blockBytes }
        following = (place + step) % count
        return UInt64(place) * blockBytes
    }
}
