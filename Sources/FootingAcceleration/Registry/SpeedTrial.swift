internal import CFootingGCM
public import FootingSystem

/// Measures implementations on reference blocks, one thread, in turns.
@safe
public final class SpeedTrial {
    /// The result for one operation and block size.
    public struct Comparison: Sendable {
        /// What was done.
        public let operation: AccelerationOperation
        /// The size of each block.
        public let blockBytes: Int
        /// Bytes in a second through the interface.
        public let bytesPerSecond: UInt64
        /// Bytes in a second of the bare library.
        public let bareBytesPerSecond: UInt64
        /// The median of the ratios of the turns.
        public let ratio: Double
    }

    private let clock: any TimeSource
    private let blocks = ReferenceBlocks.make()
    /// Where results go; room for the largest block.
    private let target: AlignedBuffer
    private let accelerator: any Accelerator
    private let cipher: (any BlockCipher)?
    private let key: SecretBytes

    /// Blocks in their stored form, for the operations that read it.
    ///
    /// Side by side in one buffer: what finding them takes counts as the operation's time.
    @safe
    private final class Stored {
        private let room = AlignedBuffer(count: ReferenceBlocks.totalBytes)
        private var ranges: [Range<Int>] = []
        private(set) var tags: [AuthenticationTag] = []

        func add(_ piece: UnsafeMutableRawBufferPointer) {
            let start = ranges.last?.upperBound ?? 0
            ranges.append(start..<start + piece.count)
            unsafe room.slice(start..<start + piece.count).copyMemory(
                from: UnsafeRawBufferPointer(piece)
            )
        }

        func add(_ tag: AuthenticationTag) { tags.append(tag) }

        /// None of a block that does not get smaller, which is stored as it is.
        func piece(_ index: Int) -> UnsafeRawBufferPointer {
            unsafe UnsafeRawBufferPointer(room.slice(ranges[index]))
        }
    }

    /// Prepares blocks and a key for one implementation.
    ///
    /// - Throws: ``AccelerationError/unavailable(_:)`` if there is no memory for a key.
    public init(
        _ accelerator: any Accelerator,
        clock: any TimeSource = SystemClock()
    ) throws(AccelerationError) {
        self.accelerator = accelerator
        self.clock = clock
        target = AlignedBuffer(count: SpeedTable.blockSizes.max() ?? 0)
        do throws(Errno) {
            key = try SecretBytes(count: 32)
        } catch {
            throw .unavailable("no memory for a key: \(error)")
        }
        let canSeal = accelerator.operations.contains(.seal)
        cipher = canSeal ? try accelerator.cipher(key: key) : nil
    }

    /// Measures everything that the implementation does, at every block size.
    ///
    /// - Parameter nanoseconds: the time for each figure, of which the best of three parts counts.
    public func measure(
        into table: inout SpeedTable,
        nanoseconds: UInt64 = 6_000_000
    ) throws(AccelerationError) {
        for operation in AccelerationOperation.allCases
        where accelerator.operations.contains(operation) {
            let cipher = cipher
            for size in SpeedTable.blockSizes {
                let stored = try store(operation, size)
                var best: UInt64 = 0
                for _ in 0..<3 {
                    let speed = try time(size, nanoseconds / 3, clock) {
                        at throws(AccelerationError) in
                        try self.run(cipher, operation, size, at, stored)
                    }
                    best = max(best, speed)
                }
                table[accelerator.name, operation, size] = best
            }
        }
    }

    /// Measures one operation beside the bare library, in turns; for one that the processor does.
    ///
    /// In the thread's own time, as a ratio of what other programs leave would tell of these. The
    /// turns are short, and who begins changes, so that both see the same machine.
    ///
    /// - Parameters:
    ///   - rounds: turns; the median of their ratios counts.
    ///   - nanoseconds: the time for each side of a turn.
    public func compare(
        _ operation: AccelerationOperation,
        blockBytes size: Int,
        rounds: Int = 41,
        nanoseconds: UInt64 = 1_500_000
    ) throws(AccelerationError) -> Comparison {
        precondition(SpeedTable.blockSizes.contains(size) && rounds > 0, "no such comparison")
        let bare = try BareLibraries(key: key)
        let stored = try store(operation, size)
        // As who uses one has it at hand.
        let cipher = cipher
        var results: [(ours: UInt64, bare: UInt64)] = []
        for round in 0..<rounds {
            var (ours, theirs): (UInt64, UInt64) = (0, 0)
            for turn in 0..<2 {
                if (turn + round) % 2 == 0 {
                    ours = try time(size, nanoseconds, ThreadClock()) {
                        (at) throws(AccelerationError) in
                        try self.run(cipher, operation, size, at, stored)
                    }
                } else {
                    theirs = try time(size, nanoseconds, ThreadClock()) {
                        (at) throws(AccelerationError) in
                        self.run(bare, operation, size, at, stored)
                    }
                }
            }
            results.append((ours, max(1, theirs)))
        }
        let ratios = results.map { Double($0.ours) / Double($0.bare) }.sorted()
        return Comparison(
            operation: operation,
            blockBytes: size,
            bytesPerSecond: results.map(\.ours).sorted()[rounds / 2],
            bareBytesPerSecond: results.map(\.bare).sorted()[rounds / 2],
            ratio: ratios[rounds / 2]
        )
    }

    /// Runs the body on one block after the other until the time is over; bytes in a second.
    private func time(
        _ size: Int,
        _ nanoseconds: UInt64,
        _ clock: some TimeSource,
        _ body: (Int) throws(AccelerationError) -> Void
    ) throws(AccelerationError) -> UInt64 {
        let count = ReferenceBlocks.totalBytes / size
        let start = clock.nanoseconds
        var done: UInt64 = 0
        var passed: UInt64 = 0
        repeat {
            // Some blocks for each look at the clock.
            for _ in 0..<8 {
                try body(Int(done % UInt64(count)))
                done += 1
            }
            passed = clock.nanoseconds - start
        } while passed < nanoseconds
        return UInt64(Double(done) * Double(size) / Double(max(1, passed)) * 1e9)
    }

    private func block(_ size: Int, _ index: Int) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(blocks.slice(index * size..<(index + 1) * size))
    }

    private static func method(_ operation: AccelerationOperation) -> CompressionMethod {
        switch operation {
        case .compressLZ4, .decompressLZ4: .lz4
        case .compressDeflate, .compressDeflateDense, .decompressDeflate: .deflate
        case .seal, .open: .none
        }
    }

    /// Makes what decompression and decryption read; nothing for the others.
    private func store(
        _ operation: AccelerationOperation,
        _ size: Int
    ) throws(AccelerationError) -> Stored {
        let stored = Stored()
        for index in 0..<ReferenceBlocks.totalBytes / size {
            let source = unsafe block(size, index)
            let room = unsafe target.slice(0..<size)
            switch operation {
            case .decompressLZ4, .decompressDeflate:
                let count = try unsafe accelerator.compress(
                    source,
                    into: room,
                    Self.method(operation),
                    .fast
                )
                unsafe stored.add(target.slice(0..<(count ?? 0)))
            case .open:
                let tag = try unsafe cipher?.seal(
                    source,
                    into: room,
                    nonce: BlockNonce(epoch: 1, position: UInt64(index)),
                    associatedData: block(16, 0)
                )
                stored.add(tag ?? AuthenticationTag(first: 0, last: 0))
                unsafe stored.add(room)
            default: return stored
            }
        }
        return stored
    }

    private func run(
        _ cipher: (any BlockCipher)?,
        _ operation: AccelerationOperation,
        _ size: Int,
        _ index: Int,
        _ stored: Stored
    ) throws(AccelerationError) {
        let room = unsafe target.slice(0..<size)
        let nonce = BlockNonce(epoch: 1, position: UInt64(index))
        switch operation {
        case .compressLZ4, .compressDeflate, .compressDeflateDense:
            let effort: CompressionEffort = operation == .compressDeflateDense ? .dense : .fast
            let method = Self.method(operation)
            _ = try unsafe accelerator.compress(block(size, index), into: room, method, effort)
        case .decompressLZ4, .decompressDeflate:
            let piece = unsafe stored.piece(index)
            if unsafe piece.isEmpty { return }
            try unsafe accelerator.decompress(piece, into: room, Self.method(operation))
        case .seal:
            _ = try unsafe cipher?.seal(
                block(size, index),
                into: room,
                nonce: nonce,
                associatedData: block(16, 0)
            )
        case .open:
            try unsafe cipher?.open(
                stored.piece(index),
                into: room,
                nonce: nonce,
                associatedData: block(16, 0),
                tag: stored.tags[index]
            )
        }
    }

    private func run(
        _ bare: BareLibraries,
        _ operation: AccelerationOperation,
        _ size: Int,
        _ index: Int,
        _ stored: Stored
    ) {
        let room = unsafe target.slice(0..<size)
        let source = unsafe block(size, index)
        switch operation {
        case .compressLZ4: unsafe bare.compressLZ4(source, room)
        case .compressDeflate: unsafe bare.deflate(source, room, isDense: false)
        case .compressDeflateDense: unsafe bare.deflate(source, room, isDense: true)
        case .decompressLZ4:
            let piece = unsafe stored.piece(index)
            if unsafe piece.isEmpty { return }
            unsafe bare.decompressLZ4(piece, room)
        case .decompressDeflate:
            let piece = unsafe stored.piece(index)
            if unsafe piece.isEmpty { return }
            unsafe bare.inflate(piece, room)
        case .seal: unsafe bare.seal(source, room)
        case .open:
            var nonce = BlockNonce(epoch: 1, position: UInt64(index)).words
            let beside = unsafe block(16, 0)
            unsafe withUnsafeBytes(of: &nonce) { nonce in
                let block = unsafe footing_gcm_block(
                    nonce: nonce.baseAddress,
                    associated: beside.baseAddress,
                    associated_size: beside.count
                )
                unsafe bare.open(stored.piece(index), room, block, stored.tags[index])
            }
        }
    }
}

extension [UInt8] {
    /// Shows the bytes to a body that throws a type.
    func shown<Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let result: Result<Void, Failure> = unsafe withUnsafeBytes { bytes in
            do throws(Failure) {
                return .success(try unsafe body(bytes))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }
}
