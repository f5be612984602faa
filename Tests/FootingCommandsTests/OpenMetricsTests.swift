import FootingSystem
import Testing

@testable import FootingCommands

/// The status as metrics: the form that the format demands, whatever the status says.
@Suite struct OpenMetricsTests {
    private func status(_ path: String) -> JSONValue {
        [
            "path": .string(path), "uuid": "1-2", "version": "0", "uri": "nbd://x",
            "sizeBytes": 4096,
            "requests": [
                "read": [
                    "errors": 1, "bytes": 8192, "totalNanoseconds": 1_500_000_000,
                    "buckets": [[1024, 2], [1088, 3], [1536, 1], [.integer(1 << 36), 1]],
                ]
            ],
            "container": [
                "written": ["logBytes": 10, "mapBytes": 20], "writeAmplification": .number(1.25),
            ],
            "disk": [
                "throttledNanoseconds": 250_000_000,
                "flushGroups": [
                    "flushes": 9, "buckets": [[1, 4], [2, 1], [.unsigned(.max), 1]],
                ],
            ],
        ]
    }

    private func lines(_ text: String, _ prefix: String) -> [Substring] {
        text.split(separator: "\n").filter { $0.hasPrefix(prefix) }
    }

    @Test func `values come in base units, with what describes them before`() {
        let text = OpenMetrics([status("a")]).text
        #expect(text.hasSuffix("\n# EOF\n"))
        #expect(
            text.contains(
                """
                # TYPE footing_container_written_bytes counter
                # UNIT footing_container_written_bytes bytes
                # HELP footing_container_written_bytes Bytes written to the container.
                footing_container_written_bytes_total{disk="a",uuid="1-2",part="log"} 10
                footing_container_written_bytes_total{disk="a",uuid="1-2",part="map"} 20

                """
            )
        )
        #expect(text.contains("footing_throttled_seconds_total{disk=\"a\",uuid=\"1-2\"} 0.25\n"))
        #expect(text.contains("footing_write_amplification_ratio{disk=\"a\",uuid=\"1-2\"} 1.25\n"))
        #expect(text.contains("\nfooting_disk_size_bytes{disk=\"a\",uuid=\"1-2\"} 4096\n"))
    }

    @Test func `buckets are cumulative and exact at their limits`() {
        let text = OpenMetrics([status("a")]).text
        let buckets = lines(text, "footing_request_duration_seconds_bucket")
        func count(_ limit: String) -> Substring? {
            buckets.first { $0.contains("le=\"\(limit)\"") }?.split(separator: " ").last
        }
        #expect(count("1.024e-06") == "2")
        #expect(count("1.536e-06") == "6")
        #expect(count("17.179869184") == "6")
        #expect(count("+Inf") == "7")
        #expect(buckets.count == 50)
        #expect(text.contains("_seconds_count{disk=\"a\",uuid=\"1-2\",kind=\"read\"} 7\n"))
        #expect(text.contains("_seconds_sum{disk=\"a\",uuid=\"1-2\",kind=\"read\"} 1.5\n"))
        #expect(
            text.contains("footing_flush_group_size_bucket{disk=\"a\",uuid=\"1-2\",le=\"2.0\"} 5\n")
        )
        #expect(
            text.contains(
                "footing_flush_group_size_bucket{disk=\"a\",uuid=\"1-2\",le=\"256.0\"} 5\n"
            )
        )
        #expect(
            text.contains(
                "footing_flush_group_size_bucket{disk=\"a\",uuid=\"1-2\",le=\"+Inf\"} 6\n"
            )
        )
        #expect(text.contains("footing_flush_group_size_sum{disk=\"a\",uuid=\"1-2\"} 9\n"))
    }

    @Test func `two disks of one relative path are told apart`() {
        var other = status("disk.footing")
        if case .object(var members) = other {
            members["uuid"] = "3-4"
            other = .object(members)
        }
        let samples = lines(OpenMetrics([status("disk.footing"), other]).text, "footing_disk_size")
        #expect(samples.count == 2 && Set(samples).count == 2)
    }

    @Test func `no segment counts twice in the family of segments`() {
        let states = MetricTable.all.first { $0.name == "footing_segments" }?.points.map {
            $0.path.last
        }
        #expect(states == ["free", "unallocated", "used"])
    }

    @Test func `several disks share one description`() {
        let text = OpenMetrics([status("a"), status("b")]).text
        let types = lines(text, "# TYPE ")
        #expect(Set(types).count == types.count)
        #expect(lines(text, "footing_disk_size_bytes").count == 2)
        #expect(lines(text, "# EOF").count == 1)
    }

    @Test func `a path of any characters stays one label of one line`() {
        let path = "a\"b\\c\nfooting_evil 1\n# EOF\u{1b}[2J{}é"
        let text = OpenMetrics([status(path)]).text
        #expect(
            text.contains(
                "{disk=\"a\\\"b\\\\c\\nfooting_evil 1\\n# EOF.[2J{}é\",uuid=\"1-2\"} 4096\n"
            )
        )
        #expect(lines(text, "footing_evil").isEmpty)
        #expect(lines(text, "# EOF").count == 1)
    }

    @Test func `an answer of anything makes a text that ends`() {
        let largest = JSONValue.unsigned(.max)
        let buckets: JSONValue = [[largest, largest], [largest, largest], [1], "x", [0, -5]]
        for status: JSONValue in [
            .null, [], "x", ["requests": 1, "disk": [], "container": "x"],
            [
                "sizeBytes": -1, "uptimeSeconds": "1\nx 2",
                "requests": ["read": ["buckets": buckets, "bytes": largest]],
                "disk": ["flushGroups": ["buckets": buckets, "flushes": largest]],
            ],
        ] {
            let text = OpenMetrics([status]).text
            #expect(text.hasSuffix("# EOF\n"))
            for line in text.split(separator: "\n") {
                #expect(line.hasPrefix("# ") || line.hasPrefix("footing_"), "\(line)")
            }
        }
        #expect(OpenMetrics([]).text == "# EOF\n")
    }

    @Test func `names have the units that they end with`() {
        for metric in MetricTable.all {
            if let unit = metric.unit {
                #expect(metric.name.hasSuffix("_\(unit.rawValue)"), "\(metric.name)")
            }
            #expect(!metric.name.hasSuffix("_total"), "the format adds it")
        }
    }
}
