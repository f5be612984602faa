extension JSONValue {
    /// The text form in one line, keys sorted, for streams that have one document on each.
    public func line() -> String {
        var output: [UInt8] = []
        var isIndentation = false
        // Texts have their line feeds escaped: each one here is between two values.
        for byte in bytes() {
            if byte == UInt8(ascii: "\n") {
                isIndentation = true
            } else if !isIndentation || byte != UInt8(ascii: " ") {
                isIndentation = false
                output.append(byte)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
