internal import FootingTuning

/// A place's measurement, and two side by side, for people.
enum BenchText {
    static func text(_ report: BenchReport) -> String {
        let rounds = "\(report.rounds) rounds in about \(report.seconds) s"
        var text = "scratch file of \(ByteSize.text(report.sizeBytes)), \(rounds); "
        text += "medians, ± the deviation in the middle (MAD)\n"
        if !report.isDirect {
            text += "The file system has no direct input and output: everything went through the "
            text += "page cache, and reads may have come from memory.\n"
        }
        if report.requests == .threads {
            text += "There is no io_uring: requests side by side had a thread each.\n"
        }
        text += "\n" + randoms(report) + "\n" + others(report) + "\n"
        text += "flush: \(report.flush.word.rawValue)\n"
        text += report.flush.reasons.map { "  \($0)\n" }.joined()
        return text
    }

    private static let percentiles = ["p50", "p90", "p99", "p99.9", "max"]

    private static func randoms(_ report: BenchReport) -> String {
        var table = TextTable(
            [("4 KiB, at a time", .left), ("requests/s", .right), ("", .right)]
                + percentiles.map { ($0, .right) }
        )
        for result in report.results {
            guard let rate = figure(result, "operations"), result.name != "durable-write" else {
                continue
            }
            let kind = result.name.hasPrefix("random-read") ? "read" : "write"
            table.add(
                [
                    "random \(kind), \(result.depth)", value(rate),
                    FigureText.spread(rate),
                ] + percentiles.map { name in figure(result, name).map(value) ?? "-" }
            )
        }
        return table.text()
    }

    private static func others(_ report: BenchReport) -> String {
        var table = TextTable(alignments: [.left, .right, .right])
        for (name, title) in [
            ("sequential-read-depth-4", "sequential read, 1 MiB, 4 at a time"),
            ("sequential-write-depth-4", "sequential write, 1 MiB, 4 at a time"),
            ("cached-read", "sequential read by the page cache"),
            ("cached-write", "sequential write by the page cache, flushed"),
        ] {
            add(report, name, "throughput", title, to: &table)
        }
        for (name, figure, title) in [
            ("durable-write", "operations", "durable writes of 4 KiB, one at a time"),
            ("durable-write", "p50", "  each: p50"), ("durable-write", "p99", "  each: p99"),
            ("durable-write", "flush-p50", "  of it the flush: p50"),
            ("durable-write", "flush-p99", "  of it the flush: p99"),
            ("burst-flush", "flush-p50", "flush after 16 MiB: p50"),
        ] {
            add(report, name, figure, title, to: &table)
        }
        return table.text()
    }

    private static func add(
        _ report: BenchReport,
        _ name: String,
        _ figure: String,
        _ title: String,
        to table: inout TextTable
    ) {
        guard let result = report.results.first(where: { $0.name == name }),
            let found = Self.figure(result, figure)
        else { return }
        table.add([title, value(found), FigureText.spread(found)])
    }

    private static func figure(_ result: BenchReport.Result, _ name: String) -> MeasuredFigure? {
        result.figures.first { $0.figure.name == name }
    }

    private static func value(_ figure: MeasuredFigure) -> String {
        FigureText.text(figure.median, figure.figure.unit)
    }
}

extension BenchText {
    /// Ratios above 1 mean that the second is better.
    static func text(_ comparison: BenchComparison) -> String {
        var table = TextTable([
            ("workload", .left), ("figure", .left), ("first", .right), ("second", .right),
            ("second is better by", .right), ("", .left),
        ])
        for row in comparison.rows {
            let unit = row.first.figure.unit
            let isKnown = row.first.hasSpread && row.second.hasSpread
            let noise =
                isKnown
                ? "within the noise (\(FigureText.spread(row.threshold)))"
                : "too few rounds to tell"
            table.add([
                row.workload, row.first.figure.name, FigureText.text(row.first.median, unit),
                FigureText.text(row.second.median, unit), FigureText.gain(row.gain),
                row.isClear ? "" : noise,
            ])
        }
        var text = table.text()
        text += "\nflush: \(comparison.flushes.first.rawValue), then "
        text += "\(comparison.flushes.second.rawValue)\n"
        if !comparison.differences.isEmpty {
            text += "\nWhat differs:\n"
            for difference in comparison.differences {
                text += "  \(difference.name): \(difference.first) | \(difference.second)\n"
            }
        }
        text += "\nA ratio counts if it is further from 1 than 10 % and than three times both "
        text += "deviations. Rounds tell of noise within minutes, not of a neighbour who comes at "
        text += "night: measure at several times before you decide.\n"
        return text
    }
}
