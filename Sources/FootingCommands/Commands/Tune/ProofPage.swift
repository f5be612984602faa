internal import FootingSystem
internal import FootingTuning

/// A proof as one page of HTML: nothing in it is loaded from elsewhere, and nothing runs.
enum ProofPage {
    /// The page's file: its name is taken before anything is measured, and has the page when all
    /// is over.
    struct File: ~Copyable {
        private var file: PartialFile

        init(_ path: String) throws(CommandError) {
            do throws(Errno) {
                let made = try PartialFile(path: path)
                // What cannot be written is better known now than in half an hour.
                _ = try FileDescriptor.open(
                    made.partialPath,
                    [.writeOnly, .create, .exclusive, .noFollow],
                    permissions: 0o644
                )
                file = made
            } catch {
                let remedy = error == .fileExists ? "remove it, or choose another name" : nil
                throw CommandError("cannot write", path, error, remedy: remedy)
            }
        }

        mutating func write(_ text: String) throws(CommandError) {
            do throws(Errno) {
                let open = try FileDescriptor.open(file.partialPath, [.writeOnly, .noFollow])
                try open.write(text)
                try open.synchronize()
                try file.complete()
            } catch {
                throw CommandError("cannot write", file.path, error)
            }
        }
    }

    static func text(_ report: ProofReport) -> String {
        let title = "Footing: what helps \(report.path)"
        var page = """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" \
            content="default-src 'none'; style-src 'unsafe-inline'">
            <title>\(escaped(title))</title>
            <style>\(style)</style>
            </head>
            <body>
            <h1>\(escaped(title))</h1>

            """
        let time = DurationText.text(.nanoseconds(Int64(clamping: report.elapsedNanoseconds)))
        page += "<p>\(UTCText.text(unixSeconds: report.unixSeconds)): "
        page += "\(ProofText.tried(report)), in \(escaped(time)). A change is kept if its figure "
        page += "(*) becomes better by more than 10 % and three times the noise, and no other "
        page += "becomes worse by as much.</p>\n"
        for trial in report.trials { page += section(trial) }
        page += "<h2>Not tried</h2>\n<ul>\n"
        for skipped in report.skipped {
            page += "<li>\(escaped(skipped.rule)): \(escaped(skipped.reason))</li>\n"
        }
        page += "</ul>\n<h2>What is there now</h2>\n<pre>"
        page += escaped(ProofText.closing(report))
        return page + "</pre>\n</body>\n</html>\n"
    }

    private static func section(_ trial: ProofReport.Trial) -> String {
        let name = escaped(trial.rules.joined(separator: ", "))
        let kind = trial.decision == .keep ? "kept" : "undone"
        var text = "<h2 class=\"\(kind)\">\(name): \(escaped(ProofText.verdict(trial)))</h2>\n"
        let steps = trial.steps.map { "\($0.target): \($0.from) -> \($0.to)\n" }.joined()
        text += "<pre>\(escaped(steps))</pre>\n"
        text += "<table>\n<tr><th>figure</th><th>off</th><th>on</th><th>better by</th>"
        text += "<th>has to be</th><th>off ○, on ●, in the order of time</th></tr>\n"
        for series in trial.series {
            let mark = series.figure.name == trial.figure ? "* " : ""
            let state = series.isBetter ? "better" : series.isWorse ? "worse" : "same"
            let cells = [
                ProofText.middle(series.without, series), ProofText.middle(series.with, series),
                FigureText.gain(series.gain), FigureText.gain(1 + series.threshold),
            ]
            text += "<tr class=\"\(state)\"><td>\(mark)\(escaped(series.figure.name))</td>"
            text += cells.map { "<td>\(escaped($0))</td>" }.joined()
            text += "<td>\(ProofPlot.svg(series))</td></tr>\n"
        }
        return text + "</table>\n"
    }

    /// What would mean something to a browser, as characters.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in TerminalText.harmless(text).unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static let style = """
        :root{color-scheme:light dark}
        body{font:15px/1.5 system-ui,sans-serif;max-width:64em;margin:2em auto;padding:0 1em}
        table{border-collapse:collapse}
        td,th{padding:.2em .8em .2em 0;text-align:right;white-space:nowrap}
        td:first-child,th:first-child{text-align:left}
        h2.kept,tr.better td{color:#18794e}
        tr.worse td{color:#c62a2f}
        .off{fill:none;stroke:#888;stroke-width:1.5}
        .on{fill:#3b82f6}
        .line{stroke:#888;stroke-width:.5;fill:none}
        """
}

/// A series as a small drawing.
enum ProofPlot {
    static let width = 260.0
    static let height = 56.0
    private static let margin = 6.0

    /// Values from the left to the right as they were measured, the smallest at the bottom.
    static func svg(_ series: FigureSeries) -> String {
        var values: [(value: Double, isOn: Bool)] = []
        for (index, value) in series.without.enumerated() {
            values.append((value, false))
            if index < series.with.count { values.append((series.with[index], true)) }
        }
        let all = values.map(\.value)
        let low = all.min() ?? 0
        let range = max((all.max() ?? 0) - low, low * 0.02, .leastNormalMagnitude)
        func x(_ index: Int) -> Double {
            margin + (width - 2 * margin) * Double(index) / Double(max(values.count - 1, 1))
        }
        func y(_ value: Double) -> Double {
            height - margin - (height - 2 * margin) * (value - low) / range
        }
        var text = "<svg viewBox=\"0 0 \(Int(width)) \(Int(height))\" width=\"\(Int(width))\" "
        text += "height=\"\(Int(height))\" role=\"img\">"
        let points = values.enumerated().map { "\(number(x($0))),\(number(y($1.value)))" }
        text += "<polyline class=\"line\" points=\"\(points.joined(separator: " "))\"/>"
        for (index, (value, isOn)) in values.enumerated() {
            text += "<circle class=\"\(isOn ? "on" : "off")\" cx=\"\(number(x(index)))\" "
            text += "cy=\"\(number(y(value)))\" r=\"3\"/>"
        }
        return text + "</svg>"
    }

    private static func number(_ value: Double) -> String { FigureText.fixed(value, digits: 1) }
}
