package import FootingDisk

/// What overwriting at random costs, as a table for docs/BENCHMARKS.md.
package enum AmplificationTable {
    private static let heading = """
        | overwrites | collector | amplification | data | headers | moved | map | victims live \
        | segments | free | waits |
        |---|---|---|---|---|---|---|---|---|---|---|
        """

    /// One row for each load and pace.
    ///
    /// - Throws: what a disk failed with.
    package static func text(scale: Int) throws(DiskError) -> String {
        var text = heading
        for load in AmplificationTrial.Load.allCases {
            for pace in AmplificationTrial.Pace.allCases {
                let result = try AmplificationTrial(load, pace, scale: scale).run()
                let cells = [
                    load.rawValue, pace.rawValue,
                    hundredths(result.amplification), hundredths(result.clients),
                    hundredths(result.headers), hundredths(result.moved), hundredths(result.map),
                    "\(Int(result.victim * 100 + 0.5)) %",
                    "\(Int(result.segments + 0.5))", "\(Int(result.free + 0.5))",
                    "\(result.throttled)",
                ]
                text += "\n| " + cells.joined(separator: " | ") + " |"
            }
        }
        return text
    }

    private static func hundredths(_ value: Double) -> String {
        let count = Int(value * 100 + 0.5)
        return "\(count / 100).\(count % 100 / 10)\(count % 10)"
    }
}
