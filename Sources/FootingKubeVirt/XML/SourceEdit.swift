/// A part of a source that is replaced by other bytes.
public struct SourceEdit: Sendable, Hashable {
    /// What is replaced; empty for an insertion.
    public let place: Range<Int>
    /// What stands there afterwards.
    public let bytes: [UInt8]

    /// Bytes in place of others.
    public init(_ place: Range<Int>, _ bytes: [UInt8]) {
        self.place = place
        self.bytes = bytes
    }

    /// The source with all edits made; insertions at one place stay in the order given.
    public static func apply(_ edits: [SourceEdit], to source: [UInt8]) -> [UInt8] {
        let ordered = edits.enumerated().sorted {
            ($0.element.place.lowerBound, $0.offset) < ($1.element.place.lowerBound, $1.offset)
        }
        var result: [UInt8] = []
        result.reserveCapacity(source.count + 64 * edits.count)
        var next = 0
        for (_, edit) in ordered {
            precondition(edit.place.lowerBound >= next, "two edits of the same bytes")
            result += source[next..<edit.place.lowerBound]
            result += edit.bytes
            next = edit.place.upperBound
        }
        return result + source[next...]
    }
}
