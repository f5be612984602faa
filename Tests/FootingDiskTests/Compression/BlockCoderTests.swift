import FootingAcceleration
import FootingSystem
import Testing

@testable import FootingDisk

/// Blocks of different kinds.
enum Sample: CaseIterable {
    case zeros
    case text
    case skewed
    case repeatedNoise
    case noise

    /// A block of that kind.
    func block(_ seed: UInt64) -> [UInt8] {
        var random = SeededRandom(seed: seed)
        let words = ["log", "block", "unit", "segment", "the ", "map", "commit\n"]
        switch self {
        case .zeros: return Array(repeating: 0, count: 4096)
        case .text:
            var text: [UInt8] = []
            while text.count < 4096 { text += words[random.below(words.count)].utf8 }
            return Array(text.prefix(4096))
        case .skewed:
            return (0..<4096).map { _ in UInt8(truncatingIfNeeded: random.next()) & 15 }
        case .repeatedNoise:
            let piece = (0..<512).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            return (0..<8).flatMap { _ in piece }
        case .noise:
            return (0..<4096).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        }
    }
}

/// Gives what a test wants for compressed data.
struct Forger: Accelerator {
    let forged: [UInt8]
    private let real = SoftwareAccelerator()

    init(_ forged: [UInt8]) { self.forged = forged }

    var name: String { "forger" }
    var operations: Set<AccelerationOperation> { real.operations }
    var statistics: AcceleratorStatistics { real.statistics }

    func compress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod,
        _ effort: CompressionEffort
    ) throws(AccelerationError) -> Int? {
        guard forged.count <= target.count else { return nil }
        unsafe target.copyBytes(from: forged)
        return forged.count
    }

    func decompress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod
    ) throws(AccelerationError) {
        try unsafe real.decompress(source, into: target, method)
    }

    func cipher(key: borrowing SecretBytes) throws(AccelerationError) -> any BlockCipher {
        try real.cipher(key: key)
    }
}

@Suite struct BlockCoderTests {
    private let coder = BlockCoder(accelerator: SoftwareAccelerator())

    private func encoded(_ block: [UInt8], _ encoding: BlockEncoding) -> (BlockForm, [UInt8])? {
        let target = AlignedBuffer(count: 4096)
        let form = unsafe block.withUnsafeBytes {
            unsafe coder.encodeIfWorthwhile($0, encoding, into: target.slice(0..<4096))
        }
        return form.map { ($0, unsafe [UInt8](target.slice(0..<$0.byteCount))) }
    }

    private func decoded(_ form: BlockForm, _ stored: [UInt8]) -> [UInt8]? {
        let target = AlignedBuffer(count: 4096)
        let isDecoded = unsafe stored.withUnsafeBytes {
            (try? unsafe coder.decode(form, $0, into: target.slice(0..<4096))) != nil
        }
        return isDecoded ? unsafe [UInt8](target.slice(0..<4096)) : nil
    }

    @Test(arguments: Sample.allCases, [BlockEncoding.lz4, .deflate])
    func `A block comes back, and is smaller or left alone`(
        _ sample: Sample,
        _ encoding: BlockEncoding
    ) throws {
        for seed in 0..<20 as Range<UInt64> {
            let block = sample.block(seed)
            guard let (form, stored) = encoded(block, encoding) else {
                #expect(sample == .noise || (sample == .skewed && encoding == .lz4))
                continue
            }
            #expect(form.encoding == encoding && form.units < 8)
            #expect(unsafe stored.withUnsafeBytes { unsafe Checksum.crc32c($0) } == form.checksum)
            #expect(decoded(form, stored) == block)
        }
    }

    @Test func `Deflate makes smaller what LZ4 cannot, and noise is told by a look`() throws {
        let skewed = Sample.skewed.block(1)
        #expect(encoded(skewed, .lz4) == nil)
        let form = try #require(encoded(skewed, .deflate)).0
        #expect(form.units <= 5)
        for seed in 0..<200 as Range<UInt64> {
            let isNoise = unsafe Sample.noise.block(seed).withUnsafeBytes {
                unsafe BlockCoder.looksRandom($0)
            }
            #expect(isNoise)
            let isText = unsafe Sample.text.block(seed).withUnsafeBytes {
                unsafe BlockCoder.looksRandom($0)
            }
            #expect(!isText)
        }
    }

    @Test func `A write of noise is given up soon, and what follows is not`() {
        var encoder = BlockEncoder(coder, .lz4)
        let target = AlignedBuffer(count: 4096)
        for index in 0..<64 {
            let block = (index < 40 ? Sample.noise : .text).block(UInt64(index))
            let form = unsafe block.withUnsafeBytes {
                unsafe encoder.encode($0, into: target.slice(0..<4096))
            }
            if index < 40 { #expect(form == nil) }
            if index >= 44 { #expect(form != nil, "block \(index)") }
        }
    }

    @Test func `Lengths that cannot be are refused`() throws {
        let (form, good) = try #require(encoded(Sample.text.block(1), .lz4))
        #expect(decoded(form, good) != nil)
        let length = UInt16(good[0]) | UInt16(good[1]) << 8
        for wrong in [0, 1, length - 1, length + 1, UInt16(form.byteCount) - 1, .max] {
            var stored = good
            stored[0] = UInt8(truncatingIfNeeded: wrong)
            stored[1] = UInt8(truncatingIfNeeded: wrong >> 8)
            #expect(decoded(form, stored) == nil, "length \(wrong)")
        }
    }

    @Test func `Any byte may be wrong, and nothing is touched outside`() throws {
        for encoding in [BlockEncoding.lz4, .deflate] {
            let (form, good) = try #require(encoded(Sample.text.block(2), encoding))
            for index in good.indices {
                for bit in [0, 3, 7] as [UInt8] {
                    var stored = good
                    stored[index] ^= 1 << bit
                    _ = decoded(form, stored)
                }
            }
        }
        var random = SeededRandom(seed: 7)
        for _ in 0..<5000 {
            let units = 1 + random.next() % 7
            let encoding = 1 + random.next() % 2
            let form = try #require(BlockForm(encoding: encoding, units: units, checksum: 0))
            var stored = (0..<form.byteCount).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let length = form.byteCount - 2 - random.below(500)
            stored[0] = UInt8(truncatingIfNeeded: length)
            stored[1] = UInt8(truncatingIfNeeded: length >> 8)
            _ = decoded(form, stored)
        }
    }
}
