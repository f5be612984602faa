import FootingSystem
import Testing

@Suite("Searches over bytes")
struct SpanBytesTests {
    /// Few letters and short texts: half of the needles are found, at the ends too.
    private static func word(_ upTo: Int, _ random: inout some RandomNumberGenerator) -> [UInt8] {
        (0..<Int.random(in: 0...upTo, using: &random)).map { _ in
            UInt8.random(in: 0x61...0x62, using: &random)
        }
    }

    @Test("agree with the library's slower ones")
    func model() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let hay = Self.word(12, &random)
            let needle = Self.word(3, &random)
            let start = Int.random(in: 0...hay.count, using: &random)
            let found = hay.indices.dropFirst(start).first { hay[$0...].starts(with: needle) }
            let expected = needle.isEmpty ? start : found
            #expect(hay.span.offset(of: needle.span, from: start) == expected, "\(hay) \(needle)")
            let byte = hay[start...].firstIndex(of: 0x62)
            #expect(hay.span.offset(of: 0x62, from: start) == byte, "\(hay) from \(start)")
            let holds = hay[start...].starts(with: needle)
            #expect(hay.span.holds(needle.span, at: start) == holds, "\(hay) \(needle) \(start)")
            let precedes = hay.lexicographicallyPrecedes(needle)
            #expect(hay.span.precedes(needle.span) == precedes, "\(hay) \(needle)")
        }
    }
}
