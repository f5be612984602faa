public import FootingSystem

/// What was measured: bytes in a second of one thread, by implementation, operation and block size.
public struct SpeedTable: Sendable, Equatable {
    /// The sizes of the blocks: one of the disk, one extent, and a large one.
    public static let blockSizes = [4096, 16_384, 65_536]

    private var speeds: [String: [AccelerationOperation: [Int: UInt64]]] = [:]

    /// Nothing measured.
    public init() {}

    /// Whether nothing was measured.
    public var isEmpty: Bool { speeds.isEmpty }

    /// The figure for blocks of one size.
    public subscript(
        name: String,
        operation: AccelerationOperation,
        blockBytes: Int
    ) -> UInt64? {
        get { speeds[name]?[operation]?[blockBytes] }
        set { speeds[name, default: [:]][operation, default: [:]][blockBytes] = newValue }
    }

    /// The figure that implementations are compared by: for extents.
    subscript(name: String, operation: AccelerationOperation) -> UInt64? {
        self[name, operation, Self.blockSizes[1]]
    }

    /// The implementations that were measured, by name.
    public var names: [String] { speeds.keys.sorted() }

    /// `{implementation: {operation: {block size: bytes per second}}}`.
    public var json: JSONValue {
        .object(
            JSONObject(
                speeds.mapValues { operations in
                    .object(
                        JSONObject(
                            Dictionary(
                                uniqueKeysWithValues: operations.map { operation, sizes in
                                    (operation.name, Self.json(sizes))
                                }
                            )
                        )
                    )
                }
            )
        )
    }

    private static func json(_ sizes: [Int: UInt64]) -> JSONValue {
        let members = sizes.map { (String($0.key), JSONValue($0.value)) }
        return .object(JSONObject(Dictionary(uniqueKeysWithValues: members)))
    }

    /// Reads what ``json`` wrote; nil for anything else.
    public init?(_ json: JSONValue) {
        guard case .object(let names) = json else { return nil }
        for (name, operations) in names {
            guard case .object(let members) = operations else { return nil }
            for (operationName, sizes) in members {
                let known = AccelerationOperation.allCases.first { $0.name == operationName }
                guard let operation = known, case .object(let figures) = sizes else { return nil }
                for (size, figure) in figures {
                    guard let blockBytes = Int(size), Self.blockSizes.contains(blockBytes),
                        case .integer(let speed) = figure, speed > 0
                    else { return nil }
                    self[name, operation, blockBytes] = UInt64(speed)
                }
            }
        }
    }
}
