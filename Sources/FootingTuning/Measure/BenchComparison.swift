public import FootingSystem

/// Two measurements side by side: the document `footing.bench-comparison/1`.
public struct BenchComparison: Sendable {
    /// The schema of ``json``.
    public static let schema = "footing.bench-comparison/1"

    /// A figure that both have.
    public struct Row: Sendable, Equatable {
        /// The workload's name.
        public let workload: String
        /// What was measured.
        public let first: MeasuredFigure
        /// The same in the second one.
        public let second: MeasuredFigure
        /// How many times better the second is; below 1 it is worse.
        public let gain: Double
        /// How far it must be from 1 to be more than noise: 10 %, or three times both deviations.
        public let threshold: Double

        /// Whether the difference is more than noise; never where one has too few values to tell.
        public var isClear: Bool {
            first.hasSpread && second.hasSpread
                && (gain > 1 + threshold || gain < 1 / (1 + threshold))
        }
    }

    /// A fact that differs.
    public struct Difference: Sendable, Equatable {
        /// Its name, as `machine.kernel`.
        public let name: String
        /// The first one's.
        public let first: String
        /// The second one's.
        public let second: String
    }

    /// Every figure that both have, in the first one's order.
    public let rows: [Row]
    /// Facts of the machines, the places and the measurements that differ.
    public let differences: [Difference]
    /// The words on flushes.
    public let flushes: (first: FlushVerdict.Word, second: FlushVerdict.Word)

    /// Compares.
    public init(_ first: BenchReport, _ second: BenchReport) {
        rows = first.results.flatMap { result -> [Row] in
            let other = second.results.first { $0.name == result.name }
            return result.figures.compactMap { figure in
                guard let twin = other?.figures.first(where: { $0.figure == figure.figure })
                else { return nil }
                return Row(
                    workload: result.name,
                    first: figure,
                    second: twin,
                    gain: figure.figure.gain(of: twin.median, over: figure.median),
                    threshold: max(0.1, 3 * (figure.spread + twin.spread))
                )
            }
        }
        differences = Self.differences(first.json, second.json)
        flushes = (first.flush.word, second.flush.word)
    }

    private static func differences(_ first: JSONValue, _ second: JSONValue) -> [Difference] {
        var found: [Difference] = []
        for part in ["machine", "place", "scratch"] {
            guard case .object(let one)? = first.member(part),
                case .object(let other)? = second.member(part)
            else { continue }
            for name in Set(one.keys).union(other.keys).sorted() where one[name] != other[name] {
                found.append(
                    Difference(
                        name: "\(part).\(name)",
                        first: text(one[name]),
                        second: text(other[name])
                    )
                )
            }
        }
        for name in ["seconds", "rounds"] where first.member(name) != second.member(name) {
            found.append(
                Difference(
                    name: name,
                    first: text(first.member(name)),
                    second: text(second.member(name))
                )
            )
        }
        return found
    }

    private static func text(_ value: JSONValue?) -> String {
        switch value {
        case nil, .null?: "unknown"
        case .string(let text)?: text
        case .some(let value): value.line()
        }
    }

    /// The document.
    public var json: JSONValue {
        [
            "schema": .string(Self.schema),
            "rows": .array(
                rows.map { row in
                    [
                        "workload": .string(row.workload), "figure": .string(row.first.figure.name),
                        "unit": .string(row.first.figure.unit.rawValue),
                        "first": .number(row.first.median), "second": .number(row.second.median),
                        "gain": .number(row.gain), "threshold": .number(row.threshold),
                        "isClear": .bool(row.isClear),
                    ]
                }
            ),
            "differences": .array(
                differences.map {
                    [
                        "name": .string($0.name), "first": .string($0.first),
                        "second": .string($0.second),
                    ]
                }
            ),
            "flush": [
                "first": .string(flushes.first.rawValue),
                "second": .string(flushes.second.rawValue),
            ],
        ]
    }
}
