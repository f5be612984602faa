import FootingSystem
import Testing

@testable import FootingAcceleration

@Suite struct CompressibilityTests {
    private static func isLikely(_ block: [UInt8]) throws -> Bool {
        let context = try CodecContext()
        let source = GuardedMemory(block)
        let room = GuardedMemory(block.count)
        return try unsafe Compressibility.isLikely(
            UnsafeRawBufferPointer(source.bytes),
            context,
            room: room.bytes
        )
    }

    /// Deflate's result without the look in front of it, in hundredths of the block.
    private static func hundredths(_ block: [UInt8]) throws -> Int {
        let context = try CodecContext()
        let source = GuardedMemory(block)
        let target = GuardedMemory(block.count)
        let count = try unsafe context.compress(
            UnsafeRawBufferPointer(source.bytes),
            into: target.bytes,
            .deflate,
            .dense
        )
        return (count ?? block.count) * 100 / block.count
    }

    /// Random pieces between others, in every proportion, and bytes of fewer than eight bits.
    private static func mixtures(_ size: Int) -> [[UInt8]] {
        var blocks: [[UInt8]] = []
        for tenths in 0...10 {
            let noise = size * tenths / 10
            blocks.append(Shapes.random(noise, seed: 41) + Shapes.text(size - noise))
            blocks.append(Shapes.numbers(size - noise) + Shapes.random(noise, seed: 42))
            var scattered = Shapes.random(size, seed: 43)
            for start in stride(from: 0, to: size, by: 640) {
                for index in start..<min(size, start + 64 * (10 - tenths)) { scattered[index] = 0 }
            }
            blocks.append(scattered)
        }
        for bits in 1...8 {
            let mask = UInt8((1 << bits) - 1)
            blocks.append(Shapes.random(size, seed: 44).map { $0 & mask })
        }
        let page = Shapes.random(4096, seed: 45)
        blocks.append((0..<size).map { page[$0 % 4096] })
        return blocks
    }

    @Test(arguments: [4096, 16_384, 65_536])
    func `what deflate makes a tenth smaller is tried`(size: Int) throws {
        var tried = 0
        for (index, block) in Self.mixtures(size).enumerated() {
            let hundredths = try Self.hundredths(block)
            guard hundredths <= 90 else { continue }
            tried += 1
            #expect(try Self.isLikely(block), "mixture \(index): \(hundredths) hundredths")
        }
        #expect(tried > 30)
    }

    @Test(arguments: [2048, 4096, 16_384, 65_536])
    func `random and compressed blocks are not tried`(size: Int) throws {
        var wrong = 0
        for seed in 0..<200 where try Self.isLikely(Shapes.random(size, seed: UInt64(1000 + seed)))
        {
            wrong += 1
        }
        #expect(wrong == 0)
        // What is compressed well already looks random, but for its first bytes.
        let compressed = Gzip.compress(Shapes.random(3 << 20, seed: 9).map { $0 & 0x7f })
        for start in [size, 100_000, 1_000_000] {
            let block = Array(compressed[start..<start + size])
            #expect(try !Self.isLikely(block) || Self.hundredths(block) > 97)
        }
    }

    @Test func `the interface gives up on random blocks, and says so as for others`() throws {
        let compressor = Compressor()
        for effort in CompressionEffort.allCases {
            let block = Shapes.random(65_536, seed: 4)
            #expect(try compressor.compress(block, .deflate, effort) == nil)
        }
        #expect(compressor.accelerator.statistics[.compressDeflate].outputBytes == 0)
    }

    @Test func `a small target does not matter to the look`() throws {
        let compressor = Compressor()
        let block = Shapes.text(16_384)
        #expect(try compressor.compress(block, .deflate, .fast, room: 10) == nil)
        let noise = Shapes.random(16_384, seed: 4)
        for room in [0, 1, 100] {
            #expect(try compressor.compress(noise, .deflate, .fast, room: room) == nil)
        }
    }
}
