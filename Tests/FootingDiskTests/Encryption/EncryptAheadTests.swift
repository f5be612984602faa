import FootingAcceleration
import FootingSimulation
import FootingSystem
import FootingTestSupport
import Glibc
import Testing

@testable import FootingDisk

/// A thread that encrypts commits beside the one that writes them, and a cipher that gets no memory
/// now and then.
@Suite(.serialized, .timeLimit(.minutes(5))) struct EncryptAheadTests {
    private static let clientCount = 4
    /// Blocks that only one client writes.
    private static let shareBlocks = 1024
    private static let rounds = Sanitizer.rounds(60, sanitized: 4)
    /// The longest time for which nothing is refused: under a sanitizer a commit takes long, and if
    /// each were refused none would ever succeed.
    private static let respiteMicroseconds = Sanitizer.isOn ? 200_000 : 30_000
    /// The longest time for which it is, and how much is allowed in it first.
    private static let refusalMicroseconds = Sanitizer.isOn ? 60_000 : 3000
    private static let allowanceMaximum = Sanitizer.rounds(300, sanitized: 20)

    /// What a client's blocks may hold: more than one thing after a write that failed.
    private typealias Expected = [Set<UInt64>]

    /// How far a client has come.
    private struct Progress {
        var expected: [Expected]
        var problems: [String] = []
        var finished = 0
    }

    private let file = TemporaryFile()
    private let refusing = RefusingAccelerator()
    private let ledger: NonceLedger
    private let progress: Locked<Progress>

    init() throws {
        ledger = NonceLedger(refusing)
        let none = Expected(repeating: [0], count: Self.shareBlocks)
        progress = Locked(Progress(expected: [Expected](repeating: none, count: Self.clientCount)))
        let bytes = Self.clientCount * Self.shareBlocks * 4096
        var options = DiskOptions(sizeBytes: UInt64(bytes))
        options.segmentSizeBytes = 2 << 20
        options.sparePercent = 100
        options.encryption = DiskEncryption(key: EncryptedDisk.key)
        try Disk.create(path: file.path, options)
    }

    private func open(besides: Bool = true) throws(DiskError) -> Disk {
        var options = EngineOptions()
        options.encryptsBeside = besides
        options.key = EncryptedDisk.key
        options.accelerator = ledger
        options.memoryBudgetBytes = 96 << 20
        // Blocks are to be read from the file.
        options.cachesWrites = false
        return try Disk(path: file.path, options: options)
    }

    /// The same when the last thread that had it open has ended.
    private func reopen() throws(DiskError) -> Disk {
        let deadline = SystemClock().nanoseconds + 30_000_000_000
        while true {
            do throws(DiskError) {
                return try open()
            } catch {
                if error.kind != .busy || SystemClock().nanoseconds > deadline { throw error }
            }
            usleep(1000)
        }
    }

    // MARK: - A client

    /// What a client writes where, in ever other versions.
    private struct Client: ~Copyable {
        let number: Int
        let disk: Disk
        let progress: Locked<Progress>
        var random: SeededRandom
        var version: UInt64 = 0
        let buffer = AlignedBuffer(count: 1 << 20)

        init(_ number: Int, _ disk: Disk, _ progress: Locked<Progress>) {
            self.number = number
            self.disk = disk
            self.progress = progress
            random = SeededRandom(seed: UInt64(number))
        }

        static func fill(_ bytes: UnsafeMutableRawBufferPointer, _ first: Int, _ version: UInt64) {
            for at in stride(from: 0, to: bytes.count, by: 8) {
                let word = version << 32 | UInt64(first + at / 4096) << 12 | UInt64(at % 4096)
                unsafe bytes.storeBytes(of: word, toByteOffset: at, as: UInt64.self)
            }
        }

        /// The version that a block holds; nil if it is not one of this block, from end to end.
        static func version(_ bytes: UnsafeRawBufferPointer, _ block: Int) -> UInt64? {
            let first = unsafe bytes.load(as: UInt64.self)
            let version = first >> 32
            if version == 0 { return unsafe bytes.allSatisfy { $0 == 0 } ? 0 : nil }
            for at in stride(from: 0, to: 4096, by: 8) {
                let word = version << 32 | UInt64(block) << 12 | UInt64(at)
                if unsafe bytes.load(fromByteOffset: at, as: UInt64.self) != word { return nil }
            }
            return version
        }

        mutating func run() {
            for _ in 0..<EncryptAheadTests.rounds {
                let isStaged = random.oneIn(2)
                let count = isStaged ? [143, 144, 256][random.below(3)] : 64 + random.below(193)
                let first = random.below(EncryptAheadTests.shareBlocks - count + 1)
                version += 1
                write(first..<first + count, isStaged)
                if random.oneIn(4) { attempt { () throws(DiskError) in try disk.flush() } }
                read(random.below(EncryptAheadTests.shareBlocks))
            }
        }

        private func write(_ blocks: Range<Int>, _ isStaged: Bool) {
            let start = number * EncryptAheadTests.shareBlocks + blocks.lowerBound
            let (offset, count) = (UInt64(start) * 4096, blocks.count * 4096)
            let version = version
            let isDone = attempt { () throws(DiskError) in
                if isStaged, let stage = disk.stage(at: offset, count: count) {
                    unsafe Self.fill(stage.bytes, start, version)
                    stage.didFill(count)
                    try stage.commit()
                } else {
                    let bytes = unsafe buffer.slice(0..<count)
                    unsafe Self.fill(bytes, start, version)
                    try unsafe disk.write(at: offset, UnsafeRawBufferPointer(bytes))
                }
            }
            progress.withLock { progress in
                for block in blocks {
                    // A write that failed may have been made in part.
                    if isDone { progress.expected[number][block] = [] }
                    progress.expected[number][block].insert(version)
                }
            }
            if !isDone { settle() }
        }

        /// Tries until what is left of the log is written: until then every write is refused.
        private func settle() {
            for _ in 0..<200 {
                if (try? disk.flush()) != nil { return }
                usleep(1000)
            }
        }

        @discardableResult
        private func attempt(_ body: () throws(DiskError) -> Void) -> Bool {
            do throws(DiskError) {
                try body()
                return true
            } catch {
                progress.withLock { progress in
                    if error.kind != .noMemory { progress.problems.append("\(error)") }
                }
                return false
            }
        }

        /// Looks at a block, while others encrypt what it may be among.
        func read(_ block: Int) {
            let start = number * EncryptAheadTests.shareBlocks + block
            let bytes = unsafe buffer.slice(0..<4096)
            let isRead = attempt { () throws(DiskError) in
                try unsafe disk.read(at: UInt64(start) * 4096, into: bytes)
            }
            if !isRead { return }
            let found = unsafe Self.version(UnsafeRawBufferPointer(bytes), start)
            progress.withLock { progress in
                let expected = progress.expected[number][block]
                if found.map({ expected.contains($0) }) == true { return }
                progress.problems.append("block \(start): \(found as Any), not \(expected)")
            }
        }
    }

    // MARK: - The test

    /// Starts the clients, and has the cipher refuse now and then until they are done.
    ///
    /// One that hangs does not hang the test.
    private func runClients(_ disk: Disk) throws {
        for number in 0..<Self.clientCount {
            let progress = progress
            try Thread(name: "client \(number)") {
                var client = Client(number, disk, progress)
                client.run()
                progress.withLock { $0.finished += 1 }
            }.detach()
        }
        var random = SeededRandom(seed: 4)
        let deadline = SystemClock().nanoseconds + 120_000_000_000
        while progress.withLock({ $0.finished }) < Self.clientCount {
            try #require(SystemClock().nanoseconds < deadline, "a client hangs")
            refusing.allowance.withLock { $0 = random.below(Self.allowanceMaximum) }
            usleep(UInt32(random.below(Self.refusalMicroseconds)))
            refusing.allowance.withLock { $0 = nil }
            usleep(UInt32(random.below(Self.respiteMicroseconds)))
        }
    }

    private func expectEverything(_ disk: Disk) {
        for number in 0..<Self.clientCount {
            let client = Client(number, disk, progress)
            for block in 0..<Self.shareBlocks { client.read(block) }
        }
        let problems = progress.withLock { $0.problems }
        #expect(problems.isEmpty, "\(problems.count): \(problems.prefix(5))")
    }

    /// What clients filled came back, every commit of it.
    private func expectNothingTaken(_ disk: Disk) {
        disk.engine.state.withLock { state in
            let open = state.user.open == nil ? 0 : 1
            let sealed = state.sealed.count { $0.stream == .user }
            #expect(state.stagedBatchCount == 0)
            #expect(state.user.free.count + sealed + open == state.userBatchCount)
        }
    }

    /// Also where it was not closed, and its log is replayed; by a thread of its own, and by who
    /// brings the writes.
    @Test(arguments: [true, false], [true, false])
    func `What is encrypted ahead is encrypted once, and what is refused is tried again`(
        closes: Bool,
        besides: Bool
    ) throws {
        defer { file.remove() }
        var disk: Disk? = try open(besides: besides)
        do {
            let disk = try #require(disk)
            try runClients(disk)
            try disk.flush()
            expectNothingTaken(disk)
            expectEverything(disk)
            if closes { try disk.close() }
        }
        // Dropped, it ends as by a crash.
        disk = nil
        let again = try reopen()
        expectEverything(again)
        try again.close()
        #expect(ledger.failure == nil)
        #expect(refusing.refusals.withLock { $0 } > 0)
        // Where the machine is slow more writes are refused.
        #expect(ledger.count > Self.shareBlocks)
        #expect(try DiskCheck.run(path: file.path, key: EncryptedDisk.key).findings == [])
    }
}
