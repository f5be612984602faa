import FootingAcceleration
import FootingSystem
import Glibc

/// Blocks of many kinds, the same in every run.
enum Shapes {
    static let sizes = [
        1, 2, 12, 13, 64, 511, 512, 4095, 4096, 4097, 16_384, 65_535, 65_536, 70_001,
    ]

    static let kinds: [(name: String, make: @Sendable (Int) -> [UInt8])] = [
        ("zeros", { [UInt8](repeating: 0, count: $0) }),
        ("ramp", { (0..<$0).map { UInt8(truncatingIfNeeded: $0) } }),
        ("text", text),
        ("numbers", numbers),
        ("random", { random($0, seed: 1) }),
        ("half random", { random($0 / 2, seed: 2) + [UInt8](repeating: 7, count: $0 - $0 / 2) }),
        ("base64", base64),
    ]

    static func random(_ count: Int, seed: UInt64) -> [UInt8] {
        var random = SeededRandom(seed: seed)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next() >> 32) }
    }

    /// Words in a random order.
    static func text(_ count: Int) -> [UInt8] {
        let words = [
            "the ", "log ", "is ", "a ", "disk ", "and ", "what ", "was ", "flushed ", "stays\n",
        ]
        var random = SeededRandom(seed: 3)
        var bytes: [UInt8] = []
        while bytes.count < count { bytes += Array(words[random.below(words.count)].utf8) }
        return Array(bytes[..<count])
    }

    /// Little-endian counters with noise, as tables of a program have.
    static func numbers(_ count: Int) -> [UInt8] {
        var random = SeededRandom(seed: 4)
        var bytes: [UInt8] = []
        for index in 0..<(count / 8 + 1) {
            let value = UInt64(index) << 20 | random.next() & 0xfff
            for shift in 0..<8 {
                bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * shift)))
            }
        }
        return Array(bytes[..<count])
    }

    /// No repetition, but six bits in each byte.
    static func base64(_ count: Int) -> [UInt8] {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        return random(count, seed: 5).map { letters[Int($0 & 63)] }
    }
}

/// Memory between two pages that nobody may touch: a byte too far ends the test.
@safe
final class GuardedMemory {
    private let whole: UnsafeMutableRawBufferPointer
    private let count: Int

    /// The bytes end where the page ends, or begin where it begins.
    let isAtEnd: Bool

    init(_ count: Int, isAtEnd: Bool = true) {
        let size = (count + 4095) & ~4095
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        let start = unsafe mmap(nil, size + 8192, PROT_NONE, flags, -1, 0)
        guard let start = unsafe start, unsafe start != MAP_FAILED else {
            preconditionFailure("no memory")
        }
        unsafe mprotect(start + 4096, size, PROT_READ | PROT_WRITE)
        unsafe whole = UnsafeMutableRawBufferPointer(start: start, count: size + 8192)
        self.count = count
        self.isAtEnd = isAtEnd
    }

    convenience init(_ content: [UInt8], isAtEnd: Bool = true) {
        self.init(content.count, isAtEnd: isAtEnd)
        if !content.isEmpty { unsafe bytes.copyBytes(from: content) }
    }

    deinit { unsafe munmap(whole.baseAddress, whole.count) }

    var bytes: UnsafeMutableRawBufferPointer {
        let start = unsafe isAtEnd ? whole.count - 4096 - count : 4096
        return unsafe UnsafeMutableRawBufferPointer(rebasing: whole[start..<start + count])
    }

    var content: [UInt8] { unsafe Array(bytes) }
}

/// A folder of its own for a test.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/footing-acceleration-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw Errno.current }
        path = String(
            decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) },
            as: UTF8.self
        )
    }

    deinit { _ = unsafe system("rm -rf '\(path)'") }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        let file = try FileDescriptor.open("\(path)/\(name)", [.writeOnly, .create])
        try file.resize(toBytes: 0)
        var failure: Errno?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(Errno) { try unsafe file.write(buffer) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    func read(_ name: String) throws -> [UInt8] {
        try HostRoot(path: path).bytes(name)
    }

    /// Runs a shell command in the folder.
    func run(_ command: String) -> Int32 {
        unsafe system("cd '\(path)' && \(command)")
    }
}

/// Bytes from hexadecimal digits.
func bytes(_ digits: String) -> [UInt8] {
    let values = digits.utf8.filter { $0 != UInt8(ascii: " ") }.map { digit in
        digit < UInt8(ascii: "a") ? digit - UInt8(ascii: "0") : digit - UInt8(ascii: "a") + 10
    }
    return stride(from: 0, to: values.count, by: 2).map { values[$0] << 4 | values[$0 + 1] }
}

/// Secrets from hexadecimal digits or other bytes of a test.
func makeSecret(_ content: [UInt8]) throws(Errno) -> SecretBytes {
    var result = try SecretBytes(count: content.count)
    unsafe result.withMutableBytes { unsafe $0.copyBytes(from: content) }
    return result
}

/// Runs the body in so many threads at once, and waits for them.
func concurrently(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) throws(Errno) {
    if count == 0 { return }
    let thread = try Thread(name: "test") { body(count - 1) }
    try concurrently(count - 1, body)
    thread.join()
}
