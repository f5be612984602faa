internal import CCrypto
internal import FootingSystem

/// How much an attacker has to spend on each guess of a passphrase (scrypt, RFC 7914).
public struct ScryptCost: Hashable, Sendable {
    /// The binary logarithm of N, which memory and time grow with.
    public let logarithmOfN: UInt8
    /// The size of a block, in units of 128 bytes.
    public let r: UInt32
    /// How often it is done.
    public let p: UInt32

    /// Takes the three numbers; whether they are allowed is another question.
    public init(logarithmOfN: UInt8, r: UInt32, p: UInt32) {
        self.logarithmOfN = logarithmOfN
        self.r = r
        self.p = p
    }

    /// 128 MiB and about half a second.
    public static let standard = ScryptCost(logarithmOfN: 17, r: 8, p: 1)

    /// From much memory to little, by OWASP's cheat sheet, which calls them equal: the less memory,
    /// the less work, too, down to five eighths.
    private static let choices = [
        standard, ScryptCost(logarithmOfN: 16, r: 8, p: 2),
        ScryptCost(logarithmOfN: 15, r: 8, p: 3), ScryptCost(logarithmOfN: 14, r: 8, p: 5),
    ]

    /// The standard, or one nearly as strong that takes at most this memory; at least 16 MiB.
    public static func fitting(memoryBytes: UInt64) -> ScryptCost {
        let small = choices[choices.count - 1]
        return choices.first { $0.memoryBytes ?? .max <= memoryBytes } ?? small
    }

    /// Whether scrypt has it: RFC 7914, section 2, wants N greater than 1 and less than
    /// 2^(128 * r / 8).
    public var isPossible: Bool {
        logarithmOfN >= 1 && r >= 1 && p >= 1 && UInt64(logarithmOfN) < 16 * UInt64(r)
    }

    /// Memory that a guess takes; nil beyond 64 bits.
    public var memoryBytes: UInt64? {
        guard logarithmOfN < 50 else { return nil }
        let blockBytes = 128 * UInt64(r)
        let large = blockBytes.multipliedReportingOverflow(by: 1 << UInt64(logarithmOfN))
        let small = blockBytes.multipliedReportingOverflow(by: UInt64(p))
        let sum = large.partialValue.addingReportingOverflow(small.partialValue)
        let overflows = large.overflow || small.overflow || sum.overflow
        return overflows ? nil : sum.partialValue
    }
}

/// What a disk that somebody else wrote may ask of this machine.
public struct ScryptLimit: Hashable, Sendable {
    /// Memory for one guess.
    public let memoryBytes: UInt64
    /// N × r × p: the time of one guess.
    public let work: UInt64

    /// 512 MiB, and eight times the time of the standard.
    public init(memoryBytes: UInt64 = 512 << 20, work: UInt64 = 1 << 23) {
        self.memoryBytes = memoryBytes
        self.work = work
    }

    /// The same, but for memory of which there is less.
    public func bounded(memoryBytes: UInt64) -> ScryptLimit {
        ScryptLimit(memoryBytes: min(self.memoryBytes, memoryBytes), work: work)
    }

    /// Whether a cost is one that scrypt has, and below the limit.
    public func allows(_ cost: ScryptCost) -> Bool {
        guard cost.isPossible, cost.r <= 1 << 20, cost.p <= 1 << 20,
            let memory = cost.memoryBytes, memory <= memoryBytes
        else { return false }
        let (product, overflows) = (UInt64(cost.r) * UInt64(cost.p)).multipliedReportingOverflow(
            by: 1 << UInt64(cost.logarithmOfN)
        )
        return !overflows && product <= work
    }
}

/// Keys made of other secrets, by libcrypto.
enum KeyDerivation {
    /// A key, and the size of SHA-256.
    static let keyCount = 32

    /// HMAC-SHA-256 (RFC 2104) of public bytes.
    static func authenticate(
        _ message: [UInt8],
        key: borrowing SecretBytes
    ) throws(KeyError) -> [UInt8] {
        var sum: [UInt8] = []
        try unsafe message.shown { bytes throws(KeyError) in
            try unsafe authenticate(bytes, key: key) { unsafe sum = Array($0) }
        }
        return sum
    }

    /// The same of bytes that lie anywhere; half of the sum.
    static func authenticate(
        _ message: UnsafeRawBufferPointer,
        key: borrowing SecretBytes
    ) throws(KeyError) -> AuthenticationTag {
        var tag = AuthenticationTag(first: 0, last: 0)
        try unsafe authenticate(message, key: key) { bytes in
            unsafe tag = AuthenticationTag(
                UnsafeRawBufferPointer(rebasing: bytes[..<AuthenticationTag.byteCount])
            )
        }
        return tag
    }

    /// The sum lies on the stack: it is public, and pages of its own could be refused.
    private static func authenticate(
        _ message: UnsafeRawBufferPointer,
        key: borrowing SecretBytes,
        _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(KeyError) {
        var sum = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))
        try unsafe withUnsafeMutableBytes(of: &sum) { bytes throws(KeyError) in
            try unsafe hmac(message, key: key, into: bytes)
            unsafe body(UnsafeRawBufferPointer(bytes))
        }
    }

    /// HKDF with SHA-256 (RFC 5869), up to 8160 bytes.
    static func expand(
        _ material: borrowing SecretBytes,
        salt: [UInt8],
        purpose: [UInt8],
        count: Int = keyCount
    ) throws(KeyError) -> SecretBytes {
        precondition((1...255 * keyCount).contains(count), "HKDF gives up to 8160 bytes")
        let saltKey = try copy(salt.isEmpty ? [UInt8](repeating: 0, count: keyCount) : salt)
        let extracted = try unsafe secret(count: keyCount) { target throws(KeyError) in
            try unsafe hmac(material, key: saltKey, into: target)
        }
        // Each block is the sum of the block before it, the purpose, and its number.
        var message = try unsafe secret(count: keyCount + purpose.count + 1) { _ in }
        var result = try unsafe secret(count: count) { _ in }
        var done = 0
        for number in 1...((count + keyCount - 1) / keyCount) {
            let start = number == 1 ? keyCount : 0
            unsafe message.withMutableBytes { bytes in
                for (index, byte) in purpose.enumerated() {
                    unsafe bytes[keyCount + index] = byte
                }
                unsafe bytes[bytes.count - 1] = UInt8(number)
            }
            let part = try unsafe message.withBytes { bytes throws(KeyError) in
                try unsafe block(
                    UnsafeRawBufferPointer(rebasing: bytes[start...]),
                    key: extracted
                )
            }
            unsafe part.withBytes { bytes in
                unsafe message.withMutableBytes { unsafe $0.copyMemory(from: bytes) }
                unsafe result.withMutableBytes { target in
                    for index in 0..<min(keyCount, count - done) {
                        unsafe target[done + index] = bytes[index]
                    }
                }
            }
            done += keyCount
        }
        return result
    }

    /// scrypt (RFC 7914).
    ///
    /// - Parameter cost: one that a ``ScryptLimit`` allows.
    static func scrypt(
        _ passphrase: borrowing SecretBytes,
        salt: [UInt8],
        cost: ScryptCost,
        count: Int = keyCount
    ) throws(KeyError) -> SecretBytes {
        let library = try cryptoLibrary()
        guard let memory = cost.memoryBytes else {
            throw .tooCostly(memoryBytes: .max, limitBytes: ScryptLimit().memoryBytes)
        }
        return try unsafe secret(count: count) { target throws(KeyError) in
            let isDone = unsafe passphrase.withBytes { bytes in
                // libcrypto's own limit counts some more than the formula does.
                unsafe EVP_PBE_scrypt_ex(
                    bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                    bytes.count,
                    salt,
                    salt.count,
                    1 << UInt64(cost.logarithmOfN),
                    UInt64(cost.r),
                    UInt64(cost.p),
                    memory + (1 << 20),
                    target.baseAddress?.assumingMemoryBound(to: UInt8.self),
                    target.count,
                    library.context,
                    nil
                ) == 1
            }
            if !isDone {
                let what = "a passphrase cannot be tried, which takes \(memory >> 20) MiB of memory"
                throw unavailable(CryptoLibrary.failure("\(what) (scrypt)"))
            }
        }
    }

    /// Memory for a secret that the body fills.
    private static func secret(
        count: Int,
        _ fill: (UnsafeMutableRawBufferPointer) throws(KeyError) -> Void
    ) throws(KeyError) -> SecretBytes {
        var result: SecretBytes
        do throws(Errno) {
            result = try SecretBytes(count: count)
        } catch {
            throw .unavailable("no memory for a key: \(error)")
        }
        try unsafe result.withMutableBytes(fill)
        return result
    }

    private static func copy(_ bytes: [UInt8]) throws(KeyError) -> SecretBytes {
        try unsafe secret(count: bytes.count) { unsafe $0.copyBytes(from: bytes) }
    }

    private static func block(
        _ message: UnsafeRawBufferPointer,
        key: borrowing SecretBytes
    ) throws(KeyError) -> SecretBytes {
        try unsafe secret(count: keyCount) { target throws(KeyError) in
            try unsafe hmac(message, key: key, into: target)
        }
    }

    private static func hmac(
        _ message: borrowing SecretBytes,
        key: borrowing SecretBytes,
        into target: UnsafeMutableRawBufferPointer
    ) throws(KeyError) {
        try unsafe message.withBytes { bytes throws(KeyError) in
            try unsafe hmac(bytes, key: key, into: target)
        }
    }

    private static func hmac(
        _ message: UnsafeRawBufferPointer,
        key: borrowing SecretBytes,
        into target: UnsafeMutableRawBufferPointer
    ) throws(KeyError) {
        let library = try cryptoLibrary()
        var size = 0
        let isDone = unsafe key.withBytes { bytes in
            unsafe EVP_Q_mac(
                library.context,
                "HMAC",
                nil,
                "SHA256",
                nil,
                bytes.baseAddress,
                bytes.count,
                message.baseAddress?.assumingMemoryBound(to: UInt8.self),
                message.count,
                target.baseAddress?.assumingMemoryBound(to: UInt8.self),
                target.count,
                &size
            ) != nil
        }
        guard isDone, size == keyCount else {
            throw unavailable(CryptoLibrary.failure("HMAC failed"))
        }
    }

    static func cryptoLibrary() throws(KeyError) -> CryptoLibrary {
        do throws(AccelerationError) {
            return try CryptoLibrary.shared()
        } catch {
            throw unavailable(error)
        }
    }

    static func unavailable(_ error: AccelerationError) -> KeyError {
        .unavailable(error.description)
    }
}
