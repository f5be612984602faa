import FootingSystem
import Testing

@testable import FootingAcceleration

/// A published case of AES-256-GCM.
struct CipherVector: Sendable {
    let key: String
    let nonce: (UInt32, UInt64)
    var plain = ""
    var associated = ""
    var cipher = ""
    let tag: String
}

/// One of the libraries that encrypt.
struct CipherImplementation: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let make: @Sendable (borrowing SecretBytes) throws -> any BlockCipher

    /// Those that this processor can run; libcrypto always.
    static let all =
        [
            CipherImplementation(testDescription: "libcrypto") { key in
                try SoftwareCipher(key: key, clock: SystemClock(), statistics: CipherStatistics())
            }
        ]
        + VectorLibrary.all.map { library in
            CipherImplementation(testDescription: library.description) { key in
                try VectorCipher(
                    key: key,
                    library,
                    clock: SystemClock(),
                    statistics: CipherStatistics()
                )
            }
        }

    func cipher(_ key: [UInt8]) throws -> any BlockCipher {
        let secret = try makeSecret(key)
        return try make(secret)
    }
}

@Suite struct CipherTests {
    private static let zeroKey = String(repeating: "0", count: 64)
    private static let famousKey =
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
    private static let famousNonce = (UInt32(0xcafe_babe), UInt64(0xface_dbad_deca_f888))
    private static let famousPlain =
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
    private static let famousCipher =
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"

    /// Cases 13 to 16 of the specification that was given to NIST (McGrew and Viega, 2005).
    static let published = [
        CipherVector(key: zeroKey, nonce: (0, 0), tag: "530f8afbc74536b9a963b4f1c4cb738b"),
        CipherVector(
            key: zeroKey,
            nonce: (0, 0),
            plain: "00000000000000000000000000000000",
            cipher: "cea7403d4d606b6e074ec5d3baf39d18",
            tag: "d0d1c8a799996bf0265b98b5d48ab919"
        ),
        CipherVector(
            key: famousKey,
            nonce: famousNonce,
            plain: famousPlain,
            cipher: famousCipher,
            tag: "b094dac5d93471bdec1a502270e3cc6c"
        ),
        CipherVector(
            key: famousKey,
            nonce: famousNonce,
            plain: String(famousPlain.dropLast(8)),
            associated: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            cipher: String(famousCipher.dropLast(8)),
            tag: "76fc6ece0f4e1768cddf8853bb2d551b"
        ),
    ]

    @Test(arguments: published, CipherImplementation.all)
    func `gives the published ciphertexts and tags`(
        vector: CipherVector,
        implementation: CipherImplementation
    ) throws {
        let sealed = try SealedBlock(
            cipher: try implementation.cipher(bytes(vector.key)),
            plain: bytes(vector.plain),
            nonce: BlockNonce(epoch: vector.nonce.0, position: vector.nonce.1),
            associated: bytes(vector.associated)
        )
        #expect(sealed.bytes == bytes(vector.cipher))
        #expect(sealed.tagBytes == bytes(vector.tag))
        #expect(try sealed.open() == bytes(vector.plain))
    }

    private static func sealed(
        _ count: Int,
        _ implementation: CipherImplementation
    ) throws -> SealedBlock {
        try SealedBlock(
            cipher: try implementation.cipher(Shapes.random(32, seed: 21)),
            plain: Shapes.random(count, seed: 22),
            nonce: BlockNonce(epoch: 7, position: 4096),
            associated: Shapes.random(24, seed: 23)
        )
    }

    @Test(arguments: CipherImplementation.all)
    func `blocks of every size come back`(
        implementation: CipherImplementation
    ) throws {
        for count in Array(0...70) + [4095, 4096, 4097, 65_536, 2 << 20] {
            let sealed = try Self.sealed(count, implementation)
            #expect(try sealed.open() == Shapes.random(count, seed: 22), "\(count)")
            if count > 8 { #expect(sealed.bytes != Shapes.random(count, seed: 22)) }
        }
    }

    @Test(arguments: CipherImplementation.all)
    func `a change of any byte is found, and nothing is given out`(
        implementation: CipherImplementation
    ) throws {
        let sealed = try Self.sealed(600, implementation)
        for index in sealed.bytes.indices {
            var changed = sealed
            changed.bytes[index] ^= UInt8(1 << (index % 8))
            #expect(throws: AccelerationError.notAuthentic) { try changed.open() }
            #expect(changed.leftovers() == [UInt8](repeating: 0, count: 600))
        }
        for index in sealed.associated.indices {
            var changed = sealed
            changed.associated[index] ^= UInt8(1 << (index % 8))
            #expect(throws: AccelerationError.notAuthentic) { try changed.open() }
        }
        for bit in 0..<128 {
            var changed = sealed
            if bit < 64 {
                changed.tag.first ^= 1 << bit
            } else {
                changed.tag.last ^= 1 << (bit - 64)
            }
            #expect(throws: AccelerationError.notAuthentic) { try changed.open() }
        }
        for bit in 0..<96 {
            var changed = sealed
            changed.nonce = BlockNonce(
                epoch: sealed.nonce.epoch ^ (bit < 32 ? 1 << bit : 0),
                position: sealed.nonce.position ^ (bit < 32 ? 0 : 1 << (bit - 32))
            )
            #expect(throws: AccelerationError.notAuthentic) { try changed.open() }
        }
        #expect(try sealed.open() == Shapes.random(600, seed: 22))
    }

    @Test(arguments: CipherImplementation.all)
    func `a shorter or longer block, or another key, is found`(
        implementation: CipherImplementation
    ) throws {
        let sealed = try Self.sealed(600, implementation)
        for count in [0, 1, 599] {
            var changed = sealed
            changed.bytes = Array(sealed.bytes[..<count])
            #expect(throws: AccelerationError.notAuthentic) { try changed.open() }
        }
        var longer = sealed
        longer.bytes += [0]
        #expect(throws: AccelerationError.notAuthentic) { try longer.open() }
        var other = sealed
        other.cipher = try implementation.cipher(Shapes.random(32, seed: 99))
        #expect(throws: AccelerationError.notAuthentic) { try other.open() }
    }

    @Test(arguments: CipherImplementation.all)
    func `a failure does not spoil the next block`(
        implementation: CipherImplementation
    ) throws {
        let sealed = try Self.sealed(4096, implementation)
        for _ in 0..<20 {
            var changed = sealed
            changed.bytes[17] ^= 1
            #expect(throws: AccelerationError.notAuthentic) { try changed.open() }
            #expect(try sealed.open() == Shapes.random(4096, seed: 22))
        }
    }

    /// A disk that one processor wrote another reads.
    @Test(arguments: CipherImplementation.all)
    func `what one library seals every other opens`(
        implementation: CipherImplementation
    ) throws {
        var random = SeededRandom(seed: 24)
        for round in 0..<200 {
            let key = Shapes.random(32, seed: UInt64(round))
            // The largest too, once each.
            let count = round < 2 ? [65_536, 2 << 20][round] : random.below(9000)
            let plain = Shapes.random(count, seed: UInt64(1000 + round))
            var sealed = try SealedBlock(
                cipher: try implementation.cipher(key),
                plain: plain,
                nonce: BlockNonce(epoch: UInt32(random.below(1 << 30)), position: random.next()),
                associated: Shapes.random(random.below(300), seed: UInt64(2000 + round))
            )
            for other in CipherImplementation.all {
                sealed.cipher = try other.cipher(key)
                #expect(try sealed.open() == plain, "\(count) bytes by \(other.testDescription)")
            }
        }
    }

    /// How many there should be, by the kernel's account of the processor.
    private static let expectedRank: Int = {
        guard let bytes = try? HostRoot().bytes("/proc/cpuinfo") else { return 0 }
        let flags = Set(
            String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        )
        let narrow: Set<Substring> = [
            "avx2", "aes", "pclmulqdq", "bmi1", "bmi2", "movbe", "ssse3", "sse4_1",
        ]
        let wide: Set<Substring> = [
            "avx512f", "avx512dq", "avx512ifma", "avx512cd", "avx512bw", "avx512vl",
            "avx512_vbmi2", "gfni", "vaes", "vpclmulqdq",
        ]
        return flags.isSuperset(of: narrow) ? flags.isSuperset(of: wide) ? 2 : 1 : 0
    }()

    /// One that fails its proof would be left out above in silence.
    @Test(.enabled(if: expectedRank > 0, "no AVX2 and AES instructions"))
    func `every library that this processor can run is proved`() {
        #expect(VectorLibrary.bestRank == Self.expectedRank)
        #expect(VectorLibrary.all.count == Self.expectedRank)
        #expect(VectorLibrary.shared?.description == VectorLibrary.all.first?.description)
    }

    /// Whole blocks are counted by one number.
    @Test(arguments: [3, 4096] as [UInt64])
    func `statistics outlive the cipher`(_ size: UInt64) throws {
        let accelerator = SoftwareAccelerator()
        do {
            let key = try SecretBytes(count: 32)
            let sealed = try SealedBlock(
                cipher: try accelerator.cipher(key: key),
                plain: Shapes.random(Int(size), seed: 1),
                nonce: BlockNonce(epoch: 1, position: 1),
                associated: []
            )
            _ = try sealed.open()
            #expect(accelerator.statistics[.seal].count == 1)
            var changed = sealed
            changed.tag.first ^= 1
            #expect(throws: AccelerationError.notAuthentic) { try changed.open() }
        }
        #expect(accelerator.statistics[.seal].count == 1)
        let opened = accelerator.statistics[.open]
        #expect(opened.count == 2 && opened.failureCount == 1)
        #expect(opened.inputBytes == 2 * size && opened.outputBytes == size)
    }

    @Test(arguments: CipherImplementation.all)
    func `threads share a key`(
        implementation: CipherImplementation
    ) throws {
        let sealed = try Self.sealed(4096, implementation)
        let failures = Locked(0)
        try concurrently(4) { index in
            for round in 0..<200 {
                let plain = Shapes.random(512, seed: UInt64(index * 1000 + round))
                let mine = try? SealedBlock(
                    cipher: sealed.cipher,
                    plain: plain,
                    nonce: BlockNonce(epoch: UInt32(index), position: UInt64(round)),
                    associated: [UInt8(index)]
                )
                if (try? mine?.open()) != plain { failures.withLock { $0 += 1 } }
            }
        }
        #expect(failures.withLock { $0 } == 0)
    }
}

/// What was encrypted, and all that is needed to decrypt it.
struct SealedBlock: Sendable {
    var cipher: any BlockCipher
    var bytes: [UInt8]
    var nonce: BlockNonce
    var associated: [UInt8]
    var tag: AuthenticationTag

    init(
        cipher: any BlockCipher,
        plain: [UInt8],
        nonce: BlockNonce,
        associated: [UInt8]
    ) throws {
        let block = GuardedMemory(plain)
        let beside = GuardedMemory(associated)
        tag = try unsafe cipher.seal(
            block.bytes,
            nonce: nonce,
            associatedData: UnsafeRawBufferPointer(beside.bytes)
        )
        self.cipher = cipher
        self.nonce = nonce
        self.associated = associated
        bytes = block.content
    }

    var tagBytes: [UInt8] {
        var result = [UInt8](repeating: 0, count: 16)
        unsafe result.withUnsafeMutableBytes { unsafe tag.store(into: $0) }
        return result
    }

    private func open(into target: GuardedMemory) throws(AccelerationError) {
        let source = GuardedMemory(bytes)
        let beside = GuardedMemory(associated)
        try unsafe cipher.open(
            UnsafeRawBufferPointer(source.bytes),
            into: target.bytes,
            nonce: nonce,
            associatedData: UnsafeRawBufferPointer(beside.bytes),
            tag: tag
        )
    }

    func open() throws(AccelerationError) -> [UInt8] {
        let target = GuardedMemory(bytes.count)
        try open(into: target)
        return target.content
    }

    /// What lies in the target after an attempt.
    func leftovers() -> [UInt8] {
        let target = GuardedMemory([UInt8](repeating: 0xee, count: bytes.count))
        try? open(into: target)
        return target.content
    }
}
