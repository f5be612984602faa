internal import FootingAcceleration
internal import FootingSystem
internal import FuzzSupport

private let accelerator = SoftwareAccelerator()
/// The longest block that is tried, and a margin in which nothing may change.
private let target = AlignedBuffer(count: (64 << 10) + 4096)

/// Compressed blocks that somebody made: a method, a size, and the bytes.
@c(LLVMFuzzerTestOneInput)
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    var input = unsafe Input(data, size)
    let method = CompressionMethod(rawValue: input.byte() % 3) ?? .none
    let count = 1 + Int(input.number(bytes: 2))
    let stored = input.rest(atMost: 64 << 10)
    target.clear(count..<count + 4096)
    let isWhole = unsafe stored.withUnsafeBytes { source in
        do throws(AccelerationError) {
            try unsafe accelerator.decompress(source, into: target.slice(0..<count), method)
            return true
        } catch {
            precondition(error == .corrupt(method), "another error: \(error)")
            return false
        }
    }
    for index in 0..<4096 {
        precondition(target.get(UInt8.self, at: count + index) == 0, "written past the end")
    }
    if isWhole, method != .none { packAgain(count, method) }
    return 0
}

/// What came out can be compressed, or cannot, and comes back.
private func packAgain(_ count: Int, _ method: CompressionMethod) {
    let plain = unsafe Array(target.slice(0..<count))
    var packed = [UInt8](repeating: 0, count: count)
    let size = unsafe plain.withUnsafeBytes { source in
        unsafe packed.withUnsafeMutableBytes { room in
            (try? unsafe accelerator.compress(source, into: room, method, .fast)) ?? nil
        }
    }
    guard let size else { return }
    precondition(size < count, "it grew")
    let isBack: ()? = unsafe packed.withUnsafeBytes { source in
        let stored = unsafe UnsafeRawBufferPointer(rebasing: source[..<size])
        return try? unsafe accelerator.decompress(stored, into: target.slice(0..<count), method)
    }
    precondition(isBack != nil, "what was compressed is refused")
    precondition(unsafe Array(target.slice(0..<count)) == plain, "what was compressed differs")
}
