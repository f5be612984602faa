import FootingSimulation
import FootingTestSupport
import Testing

@testable import FootingDisk

/// Who stays in the cache, against policies of the same size on the same traces.
@Suite struct CachePolicyTests {
    private static let slabCount = 2
    private static let frameCount = slabCount * CacheLayout.standard.framesPerSlab

    @Test(.disabled(if: Sanitizer.isOn, "it compares ratios"))
    func `More is found than with LRU and CLOCK, and much more with scans`() {
        let traces = CacheTrace.all(frameCount: Self.frameCount)
        #expect(traces.contains { $0.hasScans } && traces.contains { !$0.hasScans })
        for trace in traces {
            let ours = EnginePolicy(slabCount: Self.slabCount).hitRatio(trace)
            let lru = LRUPolicy(frameCount: Self.frameCount).hitRatio(trace)
            let clock = ClockPolicy(frameCount: Self.frameCount).hitRatio(trace)
            let atLeast = trace.hasScans ? 0.02 : 0
            #expect(ours >= lru + atLeast, "\(trace.name): \(ours), LRU \(lru)")
            #expect(ours >= clock + atLeast, "\(trace.name): \(ours), CLOCK \(clock)")
        }
    }

    /// The models must be what they are called.
    @Test func `The policies it is compared with are right`() {
        var lru = LRUPolicy(frameCount: 2)
        let hits = [1, 2, 1, 3, 1, 2].map { lru.use($0) }
        #expect(hits == [false, false, true, false, true, false])
        var clock = ClockPolicy(frameCount: 2)
        let clockHits = [1, 2, 1, 3, 1, 2].map { clock.use($0) }
        #expect(clockHits == [false, false, true, false, true, false])
    }
}
