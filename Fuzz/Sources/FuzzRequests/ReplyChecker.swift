/// Checks that what the server sends is a sequence of replies.
struct ReplyChecker {
    private let isStructured: Bool
    private var isGreeted = false

    init(isStructured: Bool) { self.isStructured = isStructured }

    /// Consumes the whole replies at the start.
    mutating func check(_ bytes: inout [UInt8]) {
        var start = 0
        while let count = messageBytes(bytes[start...]), start + count <= bytes.count {
            start += count
        }
        bytes.removeFirst(start)
    }

    /// Length of the first message; nil if too little of it is there.
    private mutating func messageBytes(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard isGreeted else {
            guard bytes.count >= 18 else { return nil }
            precondition(bytes.starts(with: "NBDMAGICIHAVEOPT".utf8), "an odd greeting")
            isGreeted = true
            return 18
        }
        guard bytes.count >= 20 || bytes.starts(with: [0x67]) && bytes.count >= 16 else {
            return nil
        }
        let number = { (offset: Int) in
            bytes.dropFirst(offset).prefix(4).reduce(0) { $0 << 8 | Int($1) }
        }
        if bytes.starts(with: [0, 3, 0xe8, 0x89, 4, 0x55, 0x65, 0xa9]) {
            return 20 + number(16)
        }
        if bytes.starts(with: [0x67, 0x44, 0x66, 0x98]) {
            // A simple reply to a read has data behind it, whose length only the client knows.
            return isStructured ? 16 : bytes.count
        }
        if !isStructured { return bytes.count }
        precondition(bytes.starts(with: [0x66, 0x8e, 0x33, 0xef]), "no reply")
        // An unfragmented read of 1 MiB, and the offset before its data.
        precondition(number(16) <= (1 << 20) + 8, "a chunk of \(number(16)) bytes")
        return 20 + number(16)
    }
}
