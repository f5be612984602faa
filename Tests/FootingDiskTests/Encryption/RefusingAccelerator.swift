import FootingAcceleration
import FootingSystem

/// The real one, which gets no memory for a cipher or a proof as long as it is told so.
final class RefusingAccelerator: Accelerator {
    let refuses = Locked(false)
    /// So many calls succeed, and none after them; nil: all do.
    let allowance = Locked<Int?>(nil)
    /// The same for proofs, which are told apart from ciphers.
    let proofAllowance = Locked<Int?>(nil)
    /// How often a cipher got none.
    let refusals = Locked(0)
    private let real = SoftwareAccelerator()

    var name: String { "refusing" }
    var operations: Set<AccelerationOperation> { real.operations }
    var statistics: AcceleratorStatistics { real.statistics }

    func compress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod,
        _ effort: CompressionEffort
    ) throws(AccelerationError) -> Int? {
        try unsafe real.compress(source, into: target, method, effort)
    }

    func decompress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod
    ) throws(AccelerationError) {
        try unsafe real.decompress(source, into: target, method)
    }

    func cipher(key: borrowing SecretBytes) throws(AccelerationError) -> any BlockCipher {
        Cipher(real: try real.cipher(key: key), owner: self)
    }

    func authenticator(key: consuming SecretBytes) -> any Authenticator {
        Proofs(real: real.authenticator(key: key), owner: self)
    }

    private struct Proofs: Authenticator {
        let real: any Authenticator
        let owner: RefusingAccelerator

        func lockKeys() -> Errno? { real.lockKeys() }

        func sum(_ bytes: UnsafeRawBufferPointer) throws(KeyError) -> AuthenticationTag {
            let isUsedUp = owner.proofAllowance.withLock { left in
                guard let count = left else { return false }
                left = max(count - 1, 0)
                return count == 0
            }
            if isUsedUp { throw .unavailable("no memory for a proof") }
            return try unsafe real.sum(bytes)
        }
    }

    private struct Cipher: BlockCipher {
        let real: any BlockCipher
        let owner: RefusingAccelerator

        func lockKeys() -> Errno? { real.lockKeys() }

        private func requireMemory() throws(AccelerationError) {
            let isUsedUp = owner.allowance.withLock { left in
                guard let count = left else { return false }
                left = max(count - 1, 0)
                return count == 0
            }
            if isUsedUp || owner.refuses.withLock({ $0 }) {
                owner.refusals.withLock { $0 += 1 }
                throw .unavailable("no memory for a cipher")
            }
        }

        func seal(
            _ source: UnsafeRawBufferPointer,
            into target: UnsafeMutableRawBufferPointer,
            nonce: BlockNonce,
            associatedData: UnsafeRawBufferPointer
        ) throws(AccelerationError) -> AuthenticationTag {
            try requireMemory()
            return try unsafe real.seal(
                source,
                into: target,
                nonce: nonce,
                associatedData: associatedData
            )
        }

        func open(
            _ source: UnsafeRawBufferPointer,
            into target: UnsafeMutableRawBufferPointer,
            nonce: BlockNonce,
            associatedData: UnsafeRawBufferPointer,
            tag: AuthenticationTag
        ) throws(AccelerationError) {
            try requireMemory()
            try unsafe real.open(
                source,
                into: target,
                nonce: nonce,
                associatedData: associatedData,
                tag: tag
            )
        }
    }
}
