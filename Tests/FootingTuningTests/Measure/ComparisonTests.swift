import FootingDeployment
import FootingSystem
import Testing

@testable import FootingTuning

@Suite struct ComparisonTests {
    /// A report of a made-up machine.
    static func report(
        rate: [Double] = [1000, 1010, 990],
        p50: [Double] = [50_000, 51_000, 49_000],
        change: (inout [String: JSONValue]) -> Void = { _ in }
    ) throws -> BenchReport {
        let figures = [
            MeasuredFigure(Figure(name: "operations", unit: .operationsPerSecond), rate),
            MeasuredFigure(Figure(name: "p50", unit: .nanoseconds), p50),
        ]
        let report = BenchReport(
            facts: PlaceFacts(machine: ["kernel": "6.1"], place: ["path": "/srv", "disks": []]),
            unixSeconds: 1_700_000_000,
            version: "0.1.0",
            sizeBytes: 512 << 20,
            seconds: 30,
            rounds: 3,
            isDirect: true,
            requests: .ring,
            results: [
                .init(
                    name: "random-read-depth-1",
                    depth: 1,
                    blockBytes: 4096,
                    operations: 3000,
                    figures: figures.compactMap { $0 }
                )
            ],
            flush: .judge(.init())
        )
        guard case .object(let members) = report.json else { return report }
        var changed = members.dictionary
        change(&changed)
        return try BenchReport(JSONValue(changed).bytes())
    }

    @Test func `a document is read as it was written`() throws {
        let report = try Self.report()
        #expect(try BenchReport(report.json.bytes()) == report)
    }

    @Test func `what is clear is told from noise`() throws {
        let first = try Self.report()
        let same = BenchComparison(first, first)
        #expect(same.rows.map(\.gain) == [1, 1])
        #expect(same.rows.allSatisfy { !$0.isClear })
        #expect(same.differences.isEmpty)
        let faster = try Self.report(rate: [2000, 2020, 1980], p50: [25_000, 25_500, 24_500])
        #expect(BenchComparison(first, faster).rows.map(\.gain) == [2, 2])
        #expect(BenchComparison(first, faster).rows.map(\.isClear) == [true, true])
        #expect(BenchComparison(faster, first).rows.map(\.gain) == [0.5, 0.5])
        #expect(BenchComparison(faster, first).rows.map(\.isClear) == [true, true])
        // The middle is 30 % higher, and values lie 20 % around it.
        let noisy = BenchComparison(first, try Self.report(rate: [1300, 1560, 1040]))
        #expect(noisy.rows[0].gain == 1.3)
        #expect(!noisy.rows[0].isClear)
        // One value says nothing of the noise, and two can agree by chance.
        for values in [[1300], [1300, 1300]] as [[Double]] {
            let few = BenchComparison(first, try Self.report(rate: values))
            #expect(!few.rows[0].isClear && few.rows[0].gain == 1.3)
        }
        let slight = BenchComparison(first, try Self.report(rate: [1090, 1090, 1090]))
        #expect(!slight.rows[0].isClear)
    }

    @Test func `what differs between the places is told`() throws {
        let first = try Self.report()
        let second = try Self.report {
            $0["machine"] = ["kernel": "6.12"]
            $0["scratch"] = ["sizeBytes": 1024, "isDirect": false, "requests": "io_uring"]
            $0["rounds"] = 7
        }
        let names = BenchComparison(first, second).differences.map(\.name)
        #expect(
            names == ["machine.kernel", "scratch.isDirect", "scratch.sizeBytes", "rounds"]
        )
        #expect(BenchComparison(first, second).differences[0].second == "6.12")
        #expect(BenchComparison(first, second).json.member("rows") != nil)
    }

    private typealias Change = @Sendable (inout [String: JSONValue]) -> Void

    private static let damages: [(name: String, change: Change)] = [
        ("another form", { $0["schema"] = "footing.bench/2" }),
        ("no workloads", { $0["workloads"] = nil }),
        ("no list", { $0["workloads"] = 7 }),
        ("a negative number", { $0["rounds"] = -1 }),
        ("a text for a number", { $0["seconds"] = "30" }),
        ("no verdict", { $0["flush"] = ["verdict": "perfect", "reasons": []] }),
        ("no machine", { $0["machine"] = "a fast one" }),
        (
            "another way",
            {
                $0["scratch"] = ["sizeBytes": 1, "isDirect": true, "requests": "by hand"]
            }
        ),
        ("a value that is none", { $0["workloads"] = [workload([0])] }),
        ("no values", { $0["workloads"] = [workload([])] }),
        ("a value beyond reason", { $0["workloads"] = [workload([.number(1e300)])] }),
    ]

    private static func workload(_ values: [JSONValue]) -> JSONValue {
        [
            "name": "random-read-depth-1", "depth": 1, "blockBytes": 4096, "operations": 1,
            "figures": [["name": "operations", "unit": "1/s", "values": .array(values)]],
        ]
    }

    @Test(arguments: damages.indices)
    func `a document that is not what it should be is refused`(index: Int) throws {
        let (name, change) = Self.damages[index]
        #expect(throws: MeasureError.self, "\(name)") { try Self.report(change: change) }
    }

    @Test func `what is no document is refused`() {
        for text in ["", "{", "[]", "7", "{\"schema\": \"footing.host/1\"}"] {
            #expect(throws: MeasureError.self, "\(text)") { try BenchReport(Array(text.utf8)) }
        }
    }
}
