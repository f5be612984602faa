internal import FootingSystem

/// The status of running disks as OpenMetrics text, version 1.0.0.
///
/// Made from the documents that `footing status --json` prints, so that both say the same. Another
/// process wrote them: what is missing is left out, and no text in them can make a line.
struct OpenMetrics {
    static let contentType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    private(set) var text = ""

    init(_ statuses: [JSONValue]) {
        let disks = statuses.map { status in
            // Two disks may have one path, each from its server's folder.
            let labels = [("disk", "path"), ("uuid", "uuid")].map { name, member in
                Self.label(name, status[member].string)
            }
            return (label: labels.joined(separator: ","), status: status)
        }
        describe(disks)
        for metric in MetricTable.all {
            var samples = ""
            for disk in disks {
                for point in metric.points {
                    guard let value = Self.number(point.value(disk.status), metric) else {
                        continue
                    }
                    let suffix = metric.kind == .counter ? "_total" : ""
                    let labels = point.labels.map { ",\($0)" } ?? ""
                    samples += "\(metric.name)\(suffix){\(disk.label)\(labels)} \(value)\n"
                }
            }
            add(metric.name, metric.kind.rawValue, unit: metric.unit, metric.help, samples)
        }
        addLatencies(disks)
        addFlushGroups(disks)
        text += "# EOF\n"
    }

    /// A family with its samples; none without.
    private mutating func add(
        _ name: String,
        _ kind: String,
        unit: MetricTable.Unit?,
        _ help: String,
        _ samples: String
    ) {
        if samples.isEmpty { return }
        text += "# TYPE \(name) \(kind)\n"
        if let unit { text += "# UNIT \(name) \(unit.rawValue)\n" }
        text += "# HELP \(name) \(help)\n" + samples
    }

    private mutating func describe(_ disks: [(label: String, status: JSONValue)]) {
        var samples = ""
        for disk in disks {
            let labels = ["version", "uri"].map { Self.label($0, disk.status[$0].string) }
            samples += "footing_disk_info{\(disk.label),\(labels.joined(separator: ","))} 1\n"
        }
        add("footing_disk", "info", unit: nil, "A disk that is served.", samples)
    }

    private mutating func addLatencies(_ disks: [(label: String, status: JSONValue)]) {
        var samples = ""
        for disk in disks {
            for kind in MetricTable.requestKinds {
                let requests = disk.status["requests"][kind]
                guard let histogram = Histogram(requests) else { continue }
                samples += histogram.samples(
                    "footing_request_duration_seconds",
                    "\(disk.label),kind=\"\(kind)\"",
                    bounds: Self.bounds.map { ($0, Self.seconds($0)) },
                    sum: Self.seconds(requests["totalNanoseconds"].unsigned)
                )
            }
        }
        add(
            "footing_request_duration_seconds",
            "histogram",
            unit: .seconds,
            "From a request's header to its answer.",
            samples
        )
    }

    private mutating func addFlushGroups(_ disks: [(label: String, status: JSONValue)]) {
        var samples = ""
        for disk in disks {
            let groups = disk.status["disk"]["flushGroups"]
            guard let histogram = Histogram(groups) else { continue }
            samples += histogram.samples(
                "footing_flush_group_size",
                disk.label,
                bounds: (0...8).map { (1 << $0, "\(1 << $0).0") },
                sum: "\(groups["flushes"].unsigned)"
            )
        }
        add(
            "footing_flush_group_size",
            "histogram",
            unit: nil,
            "Flushes that waited for one synchronization.",
            samples
        )
    }

    /// Two for each doubling, from 1 µs to 17 seconds: each is the limit of a bucket of the
    /// server's, so that nothing is guessed.
    private static let bounds: [UInt64] =
        (10...33).flatMap { [UInt64(1) << $0, UInt64(3) << ($0 - 1)] } + [1 << 34]

    /// A histogram as the status has it: pairs of a limit and how many values are in its bucket.
    private struct Histogram {
        private let buckets: [(upperBound: UInt64, count: UInt64)]

        init?(_ value: JSONValue) {
            guard case .array(let pairs) = value["buckets"] else { return nil }
            buckets = pairs.compactMap { pair in
                guard case .array(let values) = pair, values.count == 2 else { return nil }
                return (values[0].unsigned, values[1].unsigned)
            }
        }

        func samples(
            _ name: String,
            _ labels: String,
            bounds: [(limit: UInt64, text: String)],
            sum: String
        ) -> String {
            var text = ""
            for bound in bounds {
                let count = buckets.reduce(0) { $1.upperBound <= bound.limit ? $0 &+ $1.count : $0 }
                text += "\(name)_bucket{\(labels),le=\"\(bound.text)\"} \(count)\n"
            }
            let total = buckets.reduce(0) { $0 &+ $1.count }
            text += "\(name)_bucket{\(labels),le=\"+Inf\"} \(total)\n"
            text += "\(name)_count{\(labels)} \(total)\n\(name)_sum{\(labels)} \(sum)\n"
            return text
        }
    }

    // MARK: - Values

    private static func seconds(_ nanoseconds: UInt64) -> String {
        "\(Double(nanoseconds) / 1e9)"
    }

    /// A value in the metric's unit; nil for what is no number.
    private static func number(_ value: JSONValue, _ metric: MetricTable.Metric) -> String? {
        switch value {
        case .integer, .unsigned:
            let number = value.unsigned
            return metric.scale == 1 ? "\(number)" : "\(Double(number) / metric.scale)"
        case .number(let number): return "\(number / metric.scale)"
        case .bool(let isTrue): return isTrue ? "1" : "0"
        default: return nil
        }
    }

    /// `name="value"`, with what the format demands escaped.
    static func label(_ name: String, _ value: String) -> String {
        var text = "\(name)=\""
        // It is read in a terminal too.
        for scalar in TerminalText.harmless(value).unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}
