internal import FootingDisk

/// The hit ratios of the engine's cache and of others, as a table for docs/BENCHMARKS.md.
package enum CacheComparison {
    /// One row for each trace; the ratios in percent.
    package static func table(slabCount: Int) -> String {
        let frameCount = slabCount * CacheLayout.standard.framesPerSlab
        var text = "| trace, \(frameCount) frames | Footing | LRU | CLOCK |\n|---|---|---|---|"
        for trace in CacheTrace.all(frameCount: frameCount) {
            let ratios = [
                EnginePolicy(slabCount: slabCount).hitRatio(trace),
                LRUPolicy(frameCount: frameCount).hitRatio(trace),
                ClockPolicy(frameCount: frameCount).hitRatio(trace),
            ]
            let cells = ratios.map { ratio -> String in
                let tenths = Int(ratio * 1000 + 0.5)
                return "\(tenths / 10).\(tenths % 10) %"
            }
            text += "\n| \(trace.name) | " + cells.joined(separator: " | ") + " |"
        }
        return text
    }
}
