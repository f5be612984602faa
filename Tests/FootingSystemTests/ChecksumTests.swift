import Testing

@testable import FootingSystem

@Suite struct ChecksumTests {
    private func sum(_ bytes: some Sequence<UInt8>, seed: UInt32 = 0) -> UInt32 {
        unsafe Array(bytes).withUnsafeBytes { unsafe Checksum.crc32c($0, seed: seed) }
    }

    private func portableSum(_ bytes: some Sequence<UInt8>, seed: UInt32 = 0) -> UInt32 {
        unsafe Array(bytes).withUnsafeBytes { unsafe Checksum.crc32cPortable($0, seed: seed) }
    }

    private func narrowSum(_ bytes: some Sequence<UInt8>, seed: UInt32 = 0) -> UInt32 {
        unsafe Array(bytes).withUnsafeBytes { unsafe Checksum.crc32cNarrow($0, seed: seed) }
    }

    /// RFC 3720, appendix B.4, and the usual check value.
    private static let published: [([UInt8], UInt32)] = [
        ([UInt8](repeating: 0, count: 32), UInt32(0x8a91_36aa)),
        ([UInt8](repeating: 0xff, count: 32), 0x62a8_ab43),
        ([UInt8](0...31), 0x46dd_794e),
        ([UInt8](0...31).reversed(), 0x113f_db5c),
        (Array("123456789".utf8), 0xe306_9283),
        ([], 0),
    ]

    @Test(arguments: published)
    func `gives the published sums`(bytes: [UInt8], expected: UInt32) {
        #expect(sum(bytes) == expected)
        #expect(portableSum(bytes) == expected)
    }

    @Test func `instructions and table agree for every length, alignment and seed`() {
        var random = SeededRandom(seed: 2026)
        let bytes = (0..<20_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let edges = [511, 512, 513, 1360, 4079, 4080, 4081, 4096, 8159, 8160, 8161, 12_240, 16_384]
        for length in Array(0...300) + edges + (0..<100).map({ _ in random.below(16_000) }) {
            let start = random.below(64)
            let part = bytes[start..<start + length]
            let seed = UInt32(truncatingIfNeeded: random.next())
            let expected = portableSum(part, seed: seed)
            #expect(sum(part, seed: seed) == expected, "length \(length)")
            #expect(narrowSum(part, seed: seed) == expected, "length \(length)")
        }
    }

    @Test func `a sum continues where another ended`() {
        let bytes = (0..<9000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for cut in [0, 1, 7, 8, 4080, 4081, 8999, 9000] {
            #expect(sum(bytes[cut...], seed: sum(bytes[..<cut])) == sum(bytes))
        }
    }
}
