internal import FootingSystem

// What clients wait for, and what it costs.
extension StatusText {
    /// A line for each kind of request that there was.
    var requests: [(String, String)] {
        let requests = status["requests"]
        let seconds = Double(requests["recentNanoseconds"].unsigned) / 1e9
        return [
            ("read", "reads"), ("write", "writes"), ("flush", "flushes"), ("trim", "trims"),
            ("writeZeroes", "zeroes"),
        ].compactMap { kind, name in
            let all = requests[kind]
            if all["count"].unsigned == 0 { return nil }
            return (name, line(all, seconds: seconds))
        }
    }

    private func line(_ all: JSONValue, seconds: Double) -> String {
        let recent = all["recent"]
        var text = "\(all["count"].unsigned) in all"
        if all["errors"].unsigned > 0 { text += ", \(all["errors"].unsigned) failed" }
        guard recent["count"].unsigned > 0, seconds > 0 else {
            return "\(text); \(latencies(all)); none lately"
        }
        let rate = Double(recent["count"].unsigned) / seconds
        text = "\(rate < 10 ? (rate * 10).rounded() / 10 : rate.rounded())/s"
        if text.hasSuffix(".0/s") { text = "\(text.dropLast(4))/s" }
        let bytes = recent["bytes"].unsigned
        if bytes > 0 {
            text += ", \(ByteSize.text(UInt64(min(Double(bytes) / seconds, 0x1p62))))/s"
        }
        text += "; \(latencies(recent)) in the last "
        return text + DurationText.text(.milliseconds(Int64(min(seconds, 0x1p32) * 1000)))
    }

    private func latencies(_ requests: JSONValue) -> String {
        [("p50", "p50Nanoseconds"), ("p99", "p99Nanoseconds"), ("p999", "p999Nanoseconds")].map {
            let nanoseconds = Int64(clamping: requests[$0.1].unsigned)
            return "\($0.0) \(DurationText.text(.nanoseconds(nanoseconds)))"
        }.joined(separator: ", ")
    }

    var container: [(String, String)] {
        let container = status["container"]
        if container == .null { return [] }
        let segments = container["segments"]
        let size = container["segmentBytes"].unsigned
        let free = segments["free"].unsigned.multipliedReportingOverflow(by: size)
        let live = ByteSize.text(container["liveBytes"].unsigned)
        var space =
            "\(live) live, at most \(ByteSize.text(container["deadBytes"].unsigned)) to collect, "
        space += "\(ByteSize.text(free.overflow ? .max : free.partialValue)) free"
        if container["allocatedBytes"] != .null {
            space += "; \(ByteSize.text(container["allocatedBytes"].unsigned)) of the host's"
        }
        var lines = [("space", space)]
        if case .number(let factor) = container["writeAmplification"] {
            let hundredths = (min(factor, 1e9) * 100).rounded() / 100
            lines.append(("amplified", "\(hundredths) bytes written for each of the clients'"))
        }
        return lines
    }
}
