internal import FootingSystem

/// What is compressed and encrypted when something is measured: the same bytes everywhere.
///
/// Lines of a log, records of a table and pieces of random data, mixed so that LZ4 makes about half
/// of it, as of many disks.
enum ReferenceBlocks {
    /// More than the processor's fastest cache holds, so that a block is not known by heart.
    static let totalBytes = 1 << 20

    static func make() -> AlignedBuffer {
        let buffer = AlignedBuffer(count: totalBytes)
        var random = SeededRandom(seed: 20_261_121)
        var content: [UInt8] = []
        content.reserveCapacity(totalBytes + 4096)
        while content.count < totalBytes {
            switch random.below(4) {
            case 0: for _ in 0..<24 { content += line(&random) }
            case 1: for index in 0..<64 { content += record(index, &random) }
            case 2: content += [UInt8](repeating: 0, count: 256 + random.below(512))
            default:
                for _ in 0..<96 {
                    unsafe withUnsafeBytes(of: random.next()) {
                        unsafe content.append(contentsOf: $0)
                    }
                }
            }
        }
        unsafe content.withUnsafeBytes { bytes in
            unsafe buffer.copy(
                from: UnsafeRawBufferPointer(rebasing: bytes[..<totalBytes]),
                at: 0
            )
        }
        return buffer
    }

    private static let words = ["opened", "closed", "read", "write", "flush", "timeout", "retry"]

    private static func line(_ random: inout SeededRandom) -> [UInt8] {
        let word = words[random.below(words.count)]
        let text =
            "2026-11-21T14:0\(random.below(10)):\(10 + random.below(50)) disk[\(random.below(64))]"
        return Array("\(text): \(word) block \(random.below(1 << 24)) ok\n".utf8)
    }

    private static func record(_ index: Int, _ random: inout SeededRandom) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 24)
        bytes.put(UInt32(index), at: 0)
        bytes.put(random.next() & 0xffff, at: 8)
        bytes.put(UInt16(random.below(1 << 12)), at: 16)
        return bytes
    }
}
