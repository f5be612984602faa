internal import FootingHost
public import FootingSystem

extension DiskPlacement {
    /// The decision in one line, as `node 1 (the controller of nvme0n1 is on node 1)`.
    public var text: String {
        guard let nodes = nodes.value else { return nodes.absence ?? "" }
        let says = evidence.map(\.says).joined(separator: "; ")
        var text = "\(Self.names(nodes)) (\(says))"
        let first = steps.first?.nodes ?? []
        if steps.isEmpty {
            text += ", memory from the one node this process may use"
        } else if first != nodes {
            text += ", memory from \(Self.names(first)), the nearest that has some for this process"
        }
        let rest = steps.dropFirst().map { Self.names($0.nodes) }
        if !rest.isEmpty { text += ", then \(rest.joined(separator: ", then "))" }
        switch cpus {
        case .known(let cpus): text += "; threads on processors \(Self.ranges(cpus))"
        case .absent(let reason): text += "; threads are left alone: \(reason)"
        }
        return text
    }

    /// The decision for programs.
    public var json: JSONValue {
        [
            "nodes": nodes.value.map(Self.list) ?? .null,
            "reason": .string(text),
            "steps": .array(
                steps.map { step in
                    [
                        "nodes": Self.list(step.nodes),
                        "distance": step.distance.map { .integer(Int64($0)) } ?? .null,
                    ]
                }
            ),
            "cpus": cpus.value.map(Self.list) ?? .null,
            "evidence": .array(evidence.map(\.json)),
        ]
    }

    private static func list(_ numbers: [Int]) -> JSONValue {
        .array(numbers.map { .integer(Int64($0)) })
    }

    private static func names(_ nodes: [Int]) -> String {
        (nodes.count == 1 ? "node " : "nodes ") + ranges(nodes)
    }

    /// `0-3,8`, as the kernel writes lists.
    static func ranges(_ numbers: [Int]) -> String {
        var parts: [ClosedRange<Int>] = []
        for number in numbers.sorted() {
            if let last = parts.last, last.upperBound == number - 1 {
                parts[parts.count - 1] = last.lowerBound...number
            } else {
                parts.append(number...number)
            }
        }
        return parts.map {
            $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
        }
        .joined(separator: ",")
    }
}

extension NUMAUse {
    /// The account for programs.
    public var json: JSONValue {
        [
            "slabs": .integer(Int64(slabCount)),
            "bytes": JSONValue(byteCount),
            "nearBytes": JSONValue(nearBytes),
            "unverifiedBytes": JSONValue(unverifiedBytes),
            "reservedBytes": JSONValue(reservedBytes),
            "nodes": JSONValue(
                Dictionary(
                    bytesByNode.map { ("\($0.key)", JSONValue($0.value)) }
                ) { first, _ in first }
            ),
            "fallbacks": JSONValue(fallbacks.mapValues { .integer(Int64($0)) }),
        ]
    }
}
