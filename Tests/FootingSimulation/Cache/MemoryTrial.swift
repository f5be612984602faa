internal import FootingDisk
internal import FootingSystem
internal import Glibc

/// A real disk under load while its budget changes, in a process of its own: what counts is what
/// the kernel says that the process has, not what the engine believes.
package enum MemoryTrial {
    /// What the process has besides the disk's budget: code, stacks, the clients' buffers.
    private static let allowanceBytes = 4 << 20

    /// Runs it, and says what it finds.
    ///
    /// - Returns: whether every budget was kept.
    package static func run(folder: String, say: (String) -> Void) -> Bool {
        HeapMemory.bound(keptBytes: 1 << 20)
        do throws(DiskError) {
            return try Trial(folder: folder).run(say)
        } catch {
            say("failed: \(error)")
            return false
        }
    }

    /// Bytes of the process that are in memory, without what others share.
    ///
    /// - Throws: if the kernel does not say.
    private static func residentBytes() throws(DiskError) -> Int {
        let path = "/proc/self/smaps_rollup"
        let buffer = AlignedBuffer(count: 4096)
        let count: Int
        do throws(Errno) {
            let file = try FileDescriptor.open(path, .readOnly)
            count = unsafe try file.read(into: buffer.slice(0..<4096))
        } catch {
            throw DiskError(.failed, "read \(path)", "", cause: error)
        }
        let text = unsafe String(decoding: buffer.slice(0..<count), as: UTF8.self)
        for line in text.split(separator: "\n") where line.hasPrefix("Anonymous:") {
            let number = line.split(separator: " ").dropFirst().first.flatMap { Int($0) }
            if let number, number > 0 { return number << 10 }
        }
        throw DiskError(.failed, "read \(path)", "it does not say what is anonymous")
    }

    private final class Trial: Sendable {
        /// What a large budget must be seen to be used for.
        private static let loadedBytesMin = 64 << 20

        private let path: String
        private let disk: Disk
        private let isStopping = Locked(false)
        private let running = Locked(0)
        private let base: Int

        init(folder: String) throws(DiskError) {
            path = folder + "/memory-trial.footing"
            FileDescriptor.remove(path)
            try Disk.create(path: path, DiskOptions(sizeBytes: 1 << 30))
            base = try MemoryTrial.residentBytes()
            var options = EngineOptions()
            options.memoryBudgetBytes = 256 << 20
            disk = try Disk(path: path, options: options)
        }

        func run(_ say: (String) -> Void) throws(DiskError) -> Bool {
            defer { FileDescriptor.remove(path) }
            for number in 0..<3 as Range<UInt64> {
                running.withLock { $0 += 1 }
                do throws(Errno) {
                    try Thread(name: "load") { self.load(number) }.detach()
                } catch {
                    throw DiskError(.failed, "start threads", "", cause: error)
                }
            }
            var isKept = true
            for mebibytes in [256, 64, 200, 24, 128, 0, 96, 32] {
                disk.setMemoryBudget(mebibytes << 20)
                let budget = disk.memory.budgetBytes
                let atOnce = try MemoryTrial.residentBytes() - base
                var peak = try peak(milliseconds: 1500)
                // A busy machine takes longer to use that much.
                var tries = 12
                while mebibytes == 256, peak <= Self.loadedBytesMin, tries > 0 {
                    peak = try self.peak(milliseconds: 1500)
                    tries -= 1
                }
                let isOver = max(atOnce, peak) > budget + allowanceBytes
                say(
                    "budget \(budget >> 20) MiB: \(atOnce >> 20) MiB at once, "
                        + "\(peak >> 20) MiB at most\(isOver ? ", TOO MUCH" : "")"
                )
                isKept = isKept && !isOver
                // Where little is used, little is proved.
                if mebibytes == 256, peak <= Self.loadedBytesMin {
                    say("the load never used more than \(peak >> 20) MiB of it")
                    isKept = false
                }
            }
            isStopping.withLock { $0 = true }
            running.withLock { count in while count > 0 { running.wait(&count) } }
            let statistics = disk.statistics
            try disk.close()
            say("hits \(statistics.blockCache.hits), misses \(statistics.blockCache.misses)")
            return isKept && statistics.blockCache.hits > 0 && statistics.blocksWritten > 0
        }

        /// The most that the process has within some time.
        private func peak(milliseconds: Int) throws(DiskError) -> Int {
            var peak = 0
            for _ in 0..<milliseconds / 10 {
                peak = try max(peak, MemoryTrial.residentBytes() - base)
                usleep(10_000)
            }
            return peak
        }

        /// Writes and reads at random until told to stop.
        private func load(_ number: UInt64) {
            defer {
                running.withLock { $0 -= 1 }
                running.wakeAll()
            }
            var random = SeededRandom(seed: number)
            let buffer = AlignedBuffer(count: 64 << 10)
            while !isStopping.withLock({ $0 }) {
                let count = random.oneIn(8) ? 64 << 10 : 4096
                let offset = random.next() % ((1 << 30) / 4096 - 16) * 4096
                let bytes = unsafe buffer.slice(0..<count)
                if random.below(3) == 0 {
                    try? unsafe disk.write(at: offset, UnsafeRawBufferPointer(bytes))
                } else {
                    try? unsafe disk.read(at: offset, into: bytes)
                }
            }
        }
    }
}
