internal import FootingAcceleration
internal import FootingSystem
internal import FuzzSupport

/// Little enough that thousands of passphrases can be tried in a second.
private let limit = ScryptLimit(memoryBytes: 32 << 10, work: 256)

/// A block of key slots that somebody made; its first byte tells whether its sum is made right.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    var input = unsafe Input(data, size)
    let isMended = input.byte() & 1 == 1
    var block = input.rest(atMost: KeySlots.byteCount + 1)
    if isMended { mend(&block) }
    let slots: KeySlots
    do throws(KeyError) {
        slots = try KeySlots(parsing: block)
    } catch {
        precondition(!error.description.isEmpty, "an error without a reason")
        return 0
    }
    precondition(slots.bytes == block, "what was read is written as something else")
    do {
        var secret = try SecretBytes(count: 40)
        unsafe secret.withMutableBytes { unsafe $0.copyBytes(from: block.prefix(40)) }
        _ = try slots.unlock(try .passphrase(secret), limit: limit)
        preconditionFailure("opened without the key")
    } catch {
        return 0
    }
}

/// Makes the block whole, its beginning a beginning, and its sum right.
private func mend(_ block: inout [UInt8]) {
    let count = KeySlots.byteCount
    block = Array(block.prefix(count)) + [UInt8](repeating: 0, count: max(0, count - block.count))
    block.replaceSubrange(0..<12, with: Array("FOOTKEYS".utf8) + [1, 0, 0, 0])
    let sum = unsafe block.withUnsafeBytes {
        unsafe Checksum.crc32c(UnsafeRawBufferPointer(rebasing: $0[..<(count - 4)]))
    }
    for index in 0..<4 { block[count - 4 + index] = UInt8(truncatingIfNeeded: sum >> (8 * index)) }
}
