/// Big-endian numbers out of received bytes, and into bytes to send.
///
/// Every access is checked against the bounds: a mistake here ends the process, it does not read
/// another connection's data.
extension RawSpan {
    /// An integer in network order.
    func bigEndian<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int) -> Value {
        Value(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    /// A string, as far as it is one; odd bytes become U+FFFD and then match no name.
    func string(at offset: Int, count: Int) -> String {
        String(decoding: bytes(at: offset, count: count), as: UTF8.self)
    }

    /// A copy of some bytes.
    func bytes(at offset: Int, count: Int) -> [UInt8] {
        let part = extracting(offset..<(offset + count))
        return unsafe part.withUnsafeBytes { unsafe [UInt8]($0) }
    }
}

extension [UInt8] {
    /// Appends an integer in network order.
    mutating func append<Value: FixedWidthInteger>(bigEndian value: Value) {
        var rest = Value.bitWidth
        while rest > 0 {
            rest -= 8
            append(UInt8(truncatingIfNeeded: value >> Value(rest)))
        }
    }
}

extension UnsafeMutableRawBufferPointer {
    /// Stores an integer in network order.
    func store<Value: FixedWidthInteger & BitwiseCopyable>(bigEndian value: Value, at offset: Int) {
        precondition(offset >= 0 && offset + MemoryLayout<Value>.size <= count, "beyond the end")
        unsafe storeBytes(of: value.bigEndian, toByteOffset: offset, as: Value.self)
    }
}
