internal import CFootingGCM
internal import FootingSystem

/// Intel's library for AES-256-GCM, where there is one and the processor is made for it.
///
/// ```
///  4 KiB, one thread of a Sapphire Rapids   libcrypto 3.0    2.4 GiB/s
///                                           AVX2             3.5 GiB/s
///                                           AVX-512 (VAES)   8.5 GiB/s
/// ```
///
/// It is used once it has given libcrypto's answers in this process: a wrong answer would be found
/// only when the disk is read, perhaps elsewhere.
struct VectorLibrary: Sendable {
    /// Which instructions.
    let kind: footing_gcm_kind

    /// Names `libcrypto` where nothing else is to encrypt, as where it was certified.
    static let variable = "FOOTING_CIPHER"

    /// The best for this processor; nil if libcrypto is, or shall be.
    static let shared: VectorLibrary? = {
        // Another value is a slip of somebody who wants libcrypto: there is nothing else to name.
        if let chosen = Environment.value(variable), !chosen.isEmpty { return nil }
        let kind = footing_gcm_kind()
        return kind == FOOTING_GCM_NONE ? nil : VectorLibrary(proving: kind)
    }()

    /// How many kinds this processor can run: each that it can run implies those below.
    static var bestRank: Int { Int(footing_gcm_kind().rawValue) }

    /// All that this processor can run, the best first; for tests.
    static var all: [VectorLibrary] {
        [FOOTING_GCM_AVX512, FOOTING_GCM_AVX2].filter { Int($0.rawValue) <= bestRank }
            .compactMap { VectorLibrary(proving: $0) }
    }

    /// Nil unless it gives the same answers as libcrypto.
    private init?(proving kind: footing_gcm_kind) {
        self.kind = kind
        guard (try? isProved()) == true else { return nil }
    }

    /// The library's name, version and instructions.
    var description: String {
        let version = unsafe footing_gcm_version().map { unsafe String(cString: $0) } ?? ""
        return "Intel IPsec-MB \(version) (\(kind == FOOTING_GCM_AVX512 ? "AVX-512" : "AVX2"))"
    }

    /// Encrypts a block with both, in place too, decrypts it, and offers it a wrong tag.
    private func isProved() throws(AccelerationError) -> Bool {
        var key: SecretBytes
        do throws(Errno) {
            key = try SecretBytes(count: 32)
        } catch {
            throw .unavailable("no memory for a key: \(error)")
        }
        // Any will do, as nothing of anybody's is encrypted with it.
        unsafe key.withMutableBytes { bytes in
            for index in bytes.indices { unsafe bytes[index] = UInt8(37 &* index & 0xff) }
        }
        let ours = try VectorKey(key, self)
        let theirs = try CipherContext(.seal, key: key, CryptoLibrary.shared())
        // More than one turn of the widest loop, and a rest.
        let count = 4096 + 17
        let source = AlignedBuffer(count: 8192)
        let target = AlignedBuffer(count: 8192)
        for index in 0..<count { unsafe source.bytes[index] = UInt8(truncatingIfNeeded: index) }
        let nonce = BlockNonce(epoch: 7, position: 1 << 40)
        let plain = unsafe UnsafeRawBufferPointer(source.slice(0..<count))
        let room = unsafe target.slice(0..<count)
        let inRoom = UnsafeRawBufferPointer(room)
        // None, what a block has, and more than one turn.
        for beside in [0, 32, 300] {
            let associated = unsafe UnsafeRawBufferPointer(rebasing: plain[..<beside])
            let expected = try unsafe theirs.seal(plain, into: room, nonce, associated)
            let sealed = unsafe Array(room)
            var wrong = expected
            wrong.last ^= 1 << 63
            if unsafe ours.open(inRoom, into: room, nonce, associated, wrong) { return false }
            guard unsafe room.allSatisfy({ $0 == 0 }),
                unsafe ours.seal(plain, into: room, nonce, associated) == expected,
                unsafe room.elementsEqual(sealed),
                unsafe ours.open(inRoom, into: room, nonce, associated, expected),
                unsafe room.elementsEqual(plain),
                unsafe ours.seal(inRoom, into: room, nonce, associated) == expected,
                unsafe room.elementsEqual(sealed)
            else { return false }
        }
        return true
    }
}

/// A key for the library, expanded once; any number of threads may use it at once.
@safe
final class VectorKey: Sendable {
    private let expanded: SecretBytes
    private let kind: footing_gcm_kind

    init(_ key: borrowing SecretBytes, _ library: VectorLibrary) throws(AccelerationError) {
        precondition(key.count == 32, "a key of \(key.count) bytes")
        do throws(Errno) {
            var room = try SecretBytes(count: Int(FOOTING_GCM_KEY_BYTES))
            unsafe room.withMutableBytes { room in
                unsafe key.withBytes { key in
                    unsafe footing_gcm_expand(library.kind, key.baseAddress, room.baseAddress)
                }
            }
            expanded = room
        } catch {
            throw .unavailable("no memory for a key: \(error)")
        }
        kind = library.kind
    }

    func lock() -> Errno? { expanded.lock() }

    func seal(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ nonce: BlockNonce,
        _ associatedData: UnsafeRawBufferPointer
    ) -> AuthenticationTag {
        var tag: (UInt64, UInt64) = (0, 0)
        unsafe withUnsafeMutableBytes(of: &tag) { tag in
            unsafe run(nonce, associatedData) { key, block in
                unsafe footing_gcm_seal(
                    kind,
                    key,
                    block,
                    source.baseAddress,
                    target.baseAddress,
                    source.count,
                    tag.baseAddress?.assumingMemoryBound(to: UInt8.self)
                )
            }
        }
        return AuthenticationTag(
            first: UInt64(littleEndian: tag.0),
            last: UInt64(littleEndian: tag.1)
        )
    }

    /// Decrypts a block; false if the tag is another, and the target zeros.
    func open(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ nonce: BlockNonce,
        _ associatedData: UnsafeRawBufferPointer,
        _ tag: AuthenticationTag
    ) -> Bool {
        var tag = (tag.first.littleEndian, tag.last.littleEndian)
        return unsafe withUnsafeMutableBytes(of: &tag) { tag in
            unsafe run(nonce, associatedData) { key, block in
                unsafe footing_gcm_open(
                    kind,
                    key,
                    block,
                    source.baseAddress,
                    target.baseAddress,
                    source.count,
                    tag.baseAddress?.assumingMemoryBound(to: UInt8.self)
                ) == 1
            }
        }
    }

    @inline(__always)
    private func run<Result>(
        _ nonce: BlockNonce,
        _ associatedData: UnsafeRawBufferPointer,
        _ body: (UnsafeRawPointer?, UnsafePointer<footing_gcm_block>) -> Result
    ) -> Result {
        var words = nonce.words
        return unsafe withUnsafeBytes(of: &words) { nonce in
            var block = unsafe footing_gcm_block(
                nonce: nonce.baseAddress,
                associated: associatedData.baseAddress,
                associated_size: associatedData.count
            )
            return unsafe withUnsafePointer(to: &block) { block in
                unsafe expanded.withBytes { unsafe body($0.baseAddress, block) }
            }
        }
    }
}
