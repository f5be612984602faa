import FootingSystem
import Glibc
import Testing

@testable import FootingAcceleration

/// Compression through the interface.
struct Compressor {
    var accelerator: any Accelerator = SoftwareAccelerator()

    /// The compressed form; nil unless it fits.
    func compress(
        _ block: [UInt8],
        _ method: CompressionMethod,
        _ effort: CompressionEffort = .fast,
        room: Int? = nil
    ) throws(AccelerationError) -> [UInt8]? {
        let source = GuardedMemory(block)
        let target = GuardedMemory(room ?? block.count)
        let count = try unsafe accelerator.compress(
            UnsafeRawBufferPointer(source.bytes),
            into: target.bytes,
            method,
            effort
        )
        guard let count else { return nil }
        return Array(target.content[..<count])
    }

    func decompress(
        _ stored: [UInt8],
        _ method: CompressionMethod,
        count: Int,
        isAtEnd: Bool = true
    ) throws(AccelerationError) -> [UInt8] {
        let source = GuardedMemory(stored, isAtEnd: isAtEnd)
        let target = GuardedMemory(count, isAtEnd: isAtEnd)
        try unsafe accelerator.decompress(
            UnsafeRawBufferPointer(source.bytes),
            into: target.bytes,
            method
        )
        return target.content
    }
}

@Suite struct CodecTests {
    private static let methods: [CompressionMethod] = [.lz4, .deflate]
    private let compressor = Compressor()

    @Test(arguments: methods, CompressionEffort.allCases)
    func `what was compressed comes back`(
        method: CompressionMethod,
        effort: CompressionEffort
    ) throws {
        var smaller = 0
        for (name, make) in Shapes.kinds {
            for size in Shapes.sizes {
                let block = make(size)
                guard let stored = try compressor.compress(block, method, effort) else { continue }
                smaller += 1
                #expect(stored.count < block.count, "\(name) of \(size)")
                let again = try compressor.decompress(stored, method, count: size)
                #expect(again == block, "\(name) of \(size)")
            }
        }
        #expect(smaller > 40)
    }

    @Test(arguments: methods)
    func `random data does not get smaller and is not kept`(method: CompressionMethod) throws {
        for size in Shapes.sizes {
            let block = Shapes.random(size, seed: UInt64(size))
            #expect(try compressor.compress(block, method) == nil, "\(size)")
        }
    }

    @Test(arguments: methods, CompressionEffort.allCases)
    func `what does not fit is not written`(
        method: CompressionMethod,
        effort: CompressionEffort
    ) throws {
        let block = Shapes.text(16_384)
        let stored = try #require(try compressor.compress(block, method, effort))
        // The memory behind the target cannot be touched: a byte too many would end the process.
        for room in [0, 1, 2, 100, stored.count / 2] {
            #expect(try compressor.compress(block, method, effort, room: room) == nil)
        }
    }

    @Test func `no method leaves blocks as they are`() throws {
        let block = Shapes.text(4096)
        #expect(try compressor.compress(block, .none) == nil)
        #expect(try compressor.decompress(block, .none, count: 4096) == block)
        #expect(throws: AccelerationError.corrupt(.none)) {
            try compressor.decompress(block, .none, count: 4095)
        }
    }

    @Test(arguments: methods)
    func `another size than the block had is an error`(method: CompressionMethod) throws {
        let block = Shapes.text(4096)
        let stored = try #require(try compressor.compress(block, method))
        for count in [1, 4000, 4095, 4097, 65_536] {
            #expect(throws: AccelerationError.corrupt(method), "\(count)") {
                try compressor.decompress(stored, method, count: count)
            }
        }
        for tail: [UInt8] in [[0], [0xff], Array(repeating: 0, count: 512)] {
            #expect(throws: AccelerationError.corrupt(method), "\(tail.count) more") {
                try compressor.decompress(stored + tail, method, count: 4096)
            }
        }
    }

    @Test(arguments: methods)
    func `every truncation is an error`(method: CompressionMethod) throws {
        let block = Shapes.numbers(4096)
        let stored = try #require(try compressor.compress(block, method))
        for count in 0..<stored.count {
            #expect(throws: AccelerationError.corrupt(method), "\(count)") {
                try compressor.decompress(Array(stored[..<count]), method, count: 4096)
            }
        }
    }

    @Test(arguments: methods)
    func `damaged and random input never leaves its memory`(method: CompressionMethod) throws {
        var random = SeededRandom(seed: 11)
        var errors = 0
        for (_, make) in Shapes.kinds {
            let block = make(4096)
            let stored = try compressor.compress(block, method) ?? Shapes.random(600, seed: 12)
            for round in 0..<300 {
                var damaged = stored
                for _ in 0...random.below(4) {
                    damaged[random.below(damaged.count)] ^= UInt8(1 << random.below(8))
                }
                let isGarbage = random.oneIn(8)
                if isGarbage {
                    damaged = Shapes.random(1 + random.below(5000), seed: UInt64(round))
                }
                do {
                    let result = try compressor.decompress(
                        damaged,
                        method,
                        count: 4096,
                        isAtEnd: round % 2 == 0
                    )
                    #expect(result.count == 4096)
                } catch {
                    #expect(error == .corrupt(method))
                    errors += 1
                }
            }
        }
        #expect(errors > 500)
    }

    @Test func `statistics count calls, bytes and failures`() throws {
        let block = Shapes.text(4096)
        let stored = try #require(try compressor.compress(block, .lz4))
        _ = try compressor.compress(Shapes.random(4096, seed: 1), .lz4)
        for _ in 0..<32 { _ = try compressor.decompress(stored, .lz4, count: 4096) }
        _ = try? compressor.decompress([1, 2, 3], .lz4, count: 4096)
        let statistics = compressor.accelerator.statistics
        #expect(statistics[.compressLZ4].count == 2)
        #expect(statistics[.compressLZ4].inputBytes == 8192)
        #expect(statistics[.compressLZ4].outputBytes == UInt64(stored.count))
        #expect(statistics[.decompressLZ4].count == 33)
        #expect(statistics[.decompressLZ4].failureCount == 1)
        #expect(statistics[.decompressLZ4].outputBytes == 32 * 4096)
        #expect(statistics[.decompressLZ4].timedBytes == 2 * 4096)
        #expect(statistics[.decompressLZ4].bytesPerSecond ?? 0 > 0)
        #expect(statistics[.seal] == OperationStatistics())
    }

    @Test func `threads compress at once`() throws {
        let accelerator = compressor.accelerator
        let blocks = (0..<4).map { Shapes.kinds[$0].make(4096) }
        let failures = Locked(0)
        try concurrently(4) { index in
            let compressor = Compressor(accelerator: accelerator)
            for round in 0..<200 {
                let method: CompressionMethod = round % 2 == 0 ? .lz4 : .deflate
                let stored = (try? compressor.compress(blocks[index], method)) ?? nil
                let again = stored.flatMap {
                    try? compressor.decompress($0, method, count: 4096)
                }
                if again != blocks[index] { failures.withLock { $0 += 1 } }
            }
        }
        #expect(failures.withLock { $0 } == 0)
        #expect(accelerator.statistics[.compressLZ4].count == 400)
    }
}
