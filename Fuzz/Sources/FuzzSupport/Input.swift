/// Takes numbers from a fuzzer's input; zeros once it is used up.
public struct Input {
    private let bytes: [UInt8]
    private var next = 0

    /// Copies the input.
    public init(_ data: UnsafePointer<UInt8>?, _ size: Int) {
        bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: data, count: size))
    }

    /// Whether all of it was taken.
    public var isEmpty: Bool { next >= bytes.count }

    /// The next byte.
    public mutating func byte() -> UInt8 {
        guard next < bytes.count else { return 0 }
        defer { next += 1 }
        return bytes[next]
    }

    /// The next bytes as a little-endian number.
    public mutating func number(bytes count: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<count { value |= UInt64(byte()) << UInt64(8 * index) }
        return value
    }

    /// All that is left, at most so many bytes.
    public mutating func rest(atMost count: Int) -> [UInt8] {
        let end = min(bytes.count, next + count)
        defer { next = end }
        return Array(bytes[next..<end])
    }
}
