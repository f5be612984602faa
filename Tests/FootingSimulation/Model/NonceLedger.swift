package import FootingAcceleration
import FootingSystem

/// An accelerator that notes what each nonce was used for: never for two things.
package final class NonceLedger: Accelerator {
    private struct Use: Hashable {
        /// Of the key.
        let key: UInt64
        let nonce: BlockNonce
    }

    private struct State {
        /// What was encrypted, by its checksums.
        var uses: [Use: UInt64] = [:]
        var failure: String?
    }

    private let real: any Accelerator
    private let state = Locked(State())

    /// Notes what is asked of another one.
    package init(_ real: any Accelerator) { self.real = real }

    package var name: String { real.name }
    package var operations: Set<AccelerationOperation> { real.operations }
    package var statistics: AcceleratorStatistics { real.statistics }

    /// How many were used.
    package var count: Int { state.withLock { $0.uses.count } }

    /// The first one that was used for something else, too.
    package var failure: String? { state.withLock { $0.failure } }

    package func compress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod,
        _ effort: CompressionEffort
    ) throws(AccelerationError) -> Int? {
        try unsafe real.compress(source, into: target, method, effort)
    }

    package func decompress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        _ method: CompressionMethod
    ) throws(AccelerationError) {
        try unsafe real.decompress(source, into: target, method)
    }

    package func cipher(key: borrowing SecretBytes) throws(AccelerationError) -> any BlockCipher {
        let number = unsafe key.withBytes { unsafe $0.loadUnaligned(as: UInt64.self) }
        return Cipher(real: try real.cipher(key: key), key: number, ledger: self)
    }

    private func note(_ key: UInt64, _ nonce: BlockNonce, _ content: UInt64) {
        state.withLock { state in
            let use = Use(key: key, nonce: nonce)
            let before = state.uses.updateValue(content, forKey: use)
            if let before, before != content, state.failure == nil {
                state.failure = "nonce \(nonce.epoch).\(nonce.position) was used twice"
            }
        }
    }

    private struct Cipher: BlockCipher {
        let real: any BlockCipher
        let key: UInt64
        let ledger: NonceLedger

        func lockKeys() -> Errno? { real.lockKeys() }

        func seal(
            _ source: UnsafeRawBufferPointer,
            into target: UnsafeMutableRawBufferPointer,
            nonce: BlockNonce,
            associatedData: UnsafeRawBufferPointer
        ) throws(AccelerationError) -> AuthenticationTag {
            let content =
                unsafe UInt64(Checksum.crc32c(source)) << 32
                | UInt64(Checksum.crc32c(associatedData))
            ledger.note(key, nonce, content)
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
