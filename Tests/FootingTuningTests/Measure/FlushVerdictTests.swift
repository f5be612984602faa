import Testing

@testable import FootingTuning

@Suite struct FlushVerdictTests {
    /// A flash disk with a cache, whose flushes take their time.
    private static func evidence(
        _ change: (inout FlushVerdict.Evidence) -> Void = { _ in }
    ) -> FlushVerdict.Evidence {
        var evidence = FlushVerdict.Evidence()
        evidence.writeCaches = ["write back"]
        evidence.isRotating = false
        evidence.flushNanoseconds = 800_000
        evidence.burstNanoseconds = 9_000_000
        evidence.asked = 1000
        evidence.counted = 1003
        change(&evidence)
        return evidence
    }

    private typealias Change = @Sendable (inout FlushVerdict.Evidence) -> Void

    private static let cases: [(name: String, word: FlushVerdict.Word, change: Change)] =
        [
            ("flash that takes its time", .honest, { _ in }),
            (
                "a turning disk", .honest,
                {
                    $0.isRotating = true
                    $0.flushNanoseconds = 8_000_000
                }
            ),
            (
                "a turning disk that is too fast", .suspiciouslyFast,
                {
                    $0.isRotating = true
                    $0.burstNanoseconds = 900_000
                }
            ),
            (
                "25 µs, whatever was written", .suspiciouslyFast,
                {
                    $0.flushNanoseconds = 25_000
                    $0.burstNanoseconds = 30_000
                }
            ),
            ("fast with nothing, slow with much", .unknown, { $0.flushNanoseconds = 25_000 }),
            ("virtio-blk, which cannot say what it is", .honest, { $0.isRotating = nil }),
            ("write through", .noVolatileCache, { $0.writeCaches = ["write through"] }),
            (
                "one of two has a cache", .unknown,
                {
                    $0.writeCaches = ["write through", "write back"]
                }
            ),
            ("no disk", .unknown, { $0.writeCaches = [] }),
            ("in memory", .unknown, { $0.isElsewhere = true }),
            ("by the page cache", .unknown, { $0.isDirect = false }),
            ("nothing measured", .unknown, { $0.flushNanoseconds = nil }),
            ("the disk got none", .notSent, { $0.counted = 0 }),
            ("the kernel counts none", .honest, { $0.counted = nil }),
        ]

    @Test(arguments: cases.indices)
    func `the word follows from what is known`(index: Int) {
        let (name, word, change) = Self.cases[index]
        let verdict = FlushVerdict.judge(Self.evidence(change))
        #expect(verdict.word == word, "\(name): \(verdict.reasons)")
        #expect(!verdict.reasons.isEmpty)
    }

    @Test func `no word claims more than was measured`() {
        let honest = FlushVerdict.judge(Self.evidence())
        #expect(honest.reasons.contains { $0.contains("does not prove") })
        let fast = FlushVerdict.judge(
            Self.evidence {
                $0.flushNanoseconds = 25_000
                $0.burstNanoseconds = nil
            }
        )
        #expect(fast.reasons.contains { $0.contains("Times cannot tell these apart") })
    }
}
