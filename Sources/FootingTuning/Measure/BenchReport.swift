public import FootingSystem

/// What `footing bench` found: the document `footing.bench/1`.
public struct BenchReport: Sendable, Equatable {
    /// The schema of ``json``; see `docs/bench.schema.json`.
    public static let schema = "footing.bench/1"

    /// How requests that are under way together were handed to the kernel.
    public enum Requests: String, Sendable {
        /// By one thread.
        case ring = "io_uring"
        /// Each by a thread of its own, where there is no io_uring.
        case threads
    }

    /// What came of one workload.
    public struct Result: Sendable, Equatable {
        /// The workload's.
        public let name: String
        /// Requests under way at a time.
        public let depth: Int
        /// Bytes of each.
        public let blockBytes: Int
        /// How many requests there were in all rounds.
        public let operations: UInt64
        /// What was measured.
        public let figures: [MeasuredFigure]
    }

    /// Of the machine and the place.
    public let facts: PlaceFacts
    /// When it ended.
    public let unixSeconds: UInt64
    /// Of the program.
    public let version: String
    /// Of the scratch file, as it was.
    public let sizeBytes: UInt64
    /// What was asked for.
    public let seconds: Int
    /// How often everything was measured.
    public let rounds: Int
    /// Whether blocks went past the page cache.
    public let isDirect: Bool
    /// How requests were handed over.
    public let requests: Requests
    /// In the order of ``Workload/all``.
    public let results: [Result]
    /// Whether flushes can be believed.
    public let flush: FlushVerdict

    /// The figures of a workload in a fixed order; what no round could measure is left out.
    static func figures(_ values: [String: [Double]]) -> [MeasuredFigure] {
        known.compactMap { figure in MeasuredFigure(figure, values[figure.name] ?? []) }
    }

    /// Every figure that there is.
    private static let known: [Figure] = {
        let times = ["p50", "p90", "p99", "p99.9", "max"]
        return [
            Figure(name: "operations", unit: .operationsPerSecond),
            Figure(name: "throughput", unit: .bytesPerSecond),
        ] + (times + times.map { "flush-" + $0 }).map { Figure(name: $0, unit: .nanoseconds) }
    }()
}

extension [BenchReport.Result] {
    /// The median of a figure of a workload; nil where it was not measured.
    public func value(_ workload: String, _ figure: String) -> Double? {
        first { $0.name == workload }?.figures.first { $0.figure.name == figure }?.median
    }
}

// MARK: - JSON

extension BenchReport {
    /// The document.
    public var json: JSONValue {
        [
            "schema": .string(Self.schema), "version": .string(version),
            "unixSeconds": JSONValue(unixSeconds), "machine": facts.machine, "place": facts.place,
            "scratch": [
                "sizeBytes": JSONValue(sizeBytes), "isDirect": .bool(isDirect),
                "requests": .string(requests.rawValue),
            ],
            "seconds": .integer(Int64(seconds)), "rounds": .integer(Int64(rounds)),
            "workloads": .array(results.map(\.json)), "flush": flush.json,
        ]
    }

    /// Reads a document that this or another machine's program wrote.
    public init(_ bytes: [UInt8]) throws(MeasureError) {
        let value: JSONValue
        do throws(JSONParseError) {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw MeasureError("it is no JSON: \(error)")
        }
        guard value.member("schema") == .string(Self.schema) else {
            throw MeasureError("it is not of the form \(Self.schema)")
        }
        let read = DocumentReader(value)
        facts = PlaceFacts(machine: try read.object("machine"), place: try read.object("place"))
        unixSeconds = UInt64(try read.count("unixSeconds"))
        version = try read.text("version")
        seconds = try read.count("seconds")
        rounds = try read.count("rounds")
        let scratch = DocumentReader(try read.object("scratch"))
        sizeBytes = UInt64(try scratch.count("sizeBytes"))
        isDirect = try scratch.flag("isDirect")
        guard let requests = Requests(rawValue: try scratch.text("requests")) else {
            throw DocumentReader.wrong("requests")
        }
        self.requests = requests
        var results: [Result] = []
        for element in try read.list("workloads") { results.append(try Result(element)) }
        self.results = results
        flush = try FlushVerdict(try read.object("flush"))
    }
}

extension BenchReport.Result {
    fileprivate var json: JSONValue {
        [
            "name": .string(name), "depth": .integer(Int64(depth)),
            "blockBytes": .integer(Int64(blockBytes)), "operations": JSONValue(operations),
            "figures": .array(figures.map(\.json)),
        ]
    }

    fileprivate init(_ value: JSONValue) throws(MeasureError) {
        let read = DocumentReader(value)
        name = try read.text("name")
        depth = try read.count("depth")
        blockBytes = try read.count("blockBytes")
        operations = UInt64(try read.count("operations"))
        var figures: [MeasuredFigure] = []
        for element in try read.list("figures") { figures.append(try MeasuredFigure(element)) }
        self.figures = figures
    }
}

extension MeasuredFigure {
    /// A member of a document.
    public var json: JSONValue {
        [
            "name": .string(figure.name), "unit": .string(figure.unit.rawValue),
            "better": figure.isHigherBetter ? "higher" : "lower", "median": .number(median),
            "mad": .number(deviation), "values": .array(values.map { .number($0) }),
        ]
    }

    /// Median and deviation are worked out anew: they follow from the values.
    init(_ value: JSONValue) throws(MeasureError) {
        let read = DocumentReader(value)
        guard let unit = Figure.Unit(rawValue: try read.text("unit")) else {
            throw DocumentReader.wrong("unit")
        }
        var values: [Double] = []
        for element in try read.list("values") {
            switch element {
            case .integer(let number): values.append(Double(number))
            case .unsigned(let number): values.append(Double(number))
            case .number(let number): values.append(number)
            default: throw DocumentReader.wrong("values")
            }
        }
        let figure = Figure(name: try read.text("name"), unit: unit)
        guard let measured = MeasuredFigure(figure, values) else {
            throw DocumentReader.wrong("values")
        }
        self = measured
    }
}

extension FlushVerdict {
    init(_ value: JSONValue) throws(MeasureError) {
        let read = DocumentReader(value)
        guard let word = Word(rawValue: try read.text("verdict")) else {
            throw DocumentReader.wrong("verdict")
        }
        var reasons: [String] = []
        for reason in try read.list("reasons") {
            guard let text = reason.stringValue, text.utf8.count <= 1024 else {
                throw DocumentReader.wrong("reasons")
            }
            reasons.append(text)
        }
        self.init(word: word, reasons: reasons)
    }
}

/// Reads members of a document that somebody else may have written.
private struct DocumentReader {
    private let value: JSONValue

    init(_ value: JSONValue) { self.value = value }

    static func wrong(_ name: String) -> MeasureError {
        MeasureError("'\(name)' is missing, or not what it should be")
    }

    func text(_ name: String) throws(MeasureError) -> String {
        guard let text = value.member(name)?.stringValue, text.utf8.count <= 256 else {
            throw Self.wrong(name)
        }
        return text
    }

    /// A number of things, of bytes or of seconds: never negative.
    func count(_ name: String) throws(MeasureError) -> Int {
        guard case .integer(let number)? = value.member(name), number >= 0 else {
            throw Self.wrong(name)
        }
        return Int(number)
    }

    func flag(_ name: String) throws(MeasureError) -> Bool {
        guard case .bool(let flag)? = value.member(name) else { throw Self.wrong(name) }
        return flag
    }

    func list(_ name: String) throws(MeasureError) -> [JSONValue] {
        guard case .array(let elements)? = value.member(name), elements.count <= 1000 else {
            throw Self.wrong(name)
        }
        return elements
    }

    func object(_ name: String) throws(MeasureError) -> JSONValue {
        guard let member = value.member(name), case .object = member else {
            throw Self.wrong(name)
        }
        return member
    }
}
