import FootingAcceleration
import FootingSystem

/// What the key of a disk gives: a cipher for blocks and pages, and proofs of all else.
final class VolumeKeys: Sendable {
    /// The disk that they belong to.
    let identifier: Identifier
    let cipher: any BlockCipher
    private let authenticator: any Authenticator

    init(
        _ key: borrowing VolumeKey,
        _ identifier: Identifier,
        _ accelerator: any Accelerator
    ) throws(DiskError) {
        self.identifier = identifier
        do throws(KeyError) {
            let blockKey = try key.derived(for: "blocks", volume: identifier)
            do throws(AccelerationError) {
                cipher = try accelerator.cipher(key: blockKey)
            } catch {
                throw KeyError.unavailable(error.description)
            }
            authenticator = accelerator.authenticator(
                key: try key.derived(for: "structures", volume: identifier)
            )
        } catch {
            throw DiskError("open", error)
        }
    }

    /// Locks the keys' memory, again in a process that forked.
    ///
    /// - Returns: why a part of it cannot be locked; nil if all of it is.
    func lock() -> Errno? {
        let failure = authenticator.lockKeys()
        return cipher.lockKeys() ?? failure
    }

    /// What proves a structure.
    func sum(_ bytes: UnsafeRawBufferPointer) throws(DiskError) -> AuthenticationTag {
        do throws(KeyError) {
            return try unsafe authenticator.sum(bytes)
        } catch {
            throw DiskError("prove a structure", error)
        }
    }

    /// What proves a part of a buffer.
    func sum(
        _ buffer: borrowing AlignedBuffer,
        _ range: Range<Int>
    ) throws(DiskError) -> AuthenticationTag {
        try unsafe sum(UnsafeRawBufferPointer(buffer.slice(range)))
    }
}

extension DiskError {
    /// What is stored somewhere could not be decrypted or decompressed: it is damaged, or there is
    /// no memory for it now.
    init(_ operation: String, at place: Location, _ error: AccelerationError, _ damage: String) {
        if case .unavailable(let reason) = error {
            self.init(.noMemory, operation, offset: place.offset, reason)
        } else {
            self.init(.corrupt, operation, offset: place.offset, damage)
        }
    }

    /// An error of keys, for whoever opens or changes a disk.
    init(_ operation: String, _ error: KeyError) {
        let kind: Kind =
            switch error {
            case .wrongKey, .tooCostly: .locked
            case .notKeySlots, .damaged, .tampered: .corrupt
            case .unsupportedVersion: .unsupported
            case .unavailable: .noMemory
            case .noFreeSlot, .noSuchSlot, .lastSlot, .unusable: .invalid
            }
        self.init(kind, operation, error.description)
    }
}
