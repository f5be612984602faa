/// Why keys cannot be opened, changed or trusted.
public enum KeyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The bytes do not begin as key slots do.
    case notKeySlots
    /// They were changed, or never written whole; with the part that shows it.
    case damaged(String)
    /// A later version wrote them.
    case unsupportedVersion(UInt32)
    /// No slot opens with this passphrase or key file.
    case wrongKey
    /// No slot was opened, and one asks for more memory or time than the caller allows.
    case tooCostly(memoryBytes: UInt64, limitBytes: UInt64)
    /// A slot opened, but the block is not what was written with its key.
    case tampered
    /// Every slot is in use.
    case noFreeSlot
    /// The slot is not in use.
    case noSuchSlot(Int)
    /// Without this slot nothing would open the disk any more.
    case lastSlot
    /// The passphrase or key file cannot be used; with the reason.
    case unusable(String)
    /// libcrypto or the kernel refused.
    case unavailable(String)

    /// Of two reasons why nothing was opened the one that says more: what may pass, then what is
    /// wrong with the disk, then what is wrong with the key.
    public static func graver(_ first: KeyError, _ second: KeyError) -> KeyError {
        second.gravity > first.gravity ? second : first
    }

    /// Whether another attempt may succeed.
    public var mayPass: Bool {
        if case .unavailable = self { return true }
        return false
    }

    private var gravity: Int {
        switch self {
        case .unavailable: 3
        case .tampered, .damaged, .notKeySlots, .unsupportedVersion: 2
        case .tooCostly: 1
        case .wrongKey, .noFreeSlot, .noSuchSlot, .lastSlot, .unusable: 0
        }
    }

    private static func mebibytes(_ bytes: UInt64) -> String {
        "\(bytes >> 20) MiB"
    }

    /// What happened, in words.
    public var description: String {
        switch self {
        case .notKeySlots: "no key slots"
        case .damaged(let part): "the key slots are damaged: \(part)"
        case .unsupportedVersion(let version): "key slots of version \(version), not 1"
        case .wrongKey: "wrong key: no slot opens with this passphrase or key file"
        case .tooCostly(let bytes, let limit):
            bytes > limit
                ? "no slot opens with this passphrase but perhaps one that takes "
                    + "\(Self.mebibytes(bytes)) of memory to try (scrypt), and no more than "
                    + "\(Self.mebibytes(limit)) can be had"
                : "no slot opens with this passphrase but perhaps one that takes more time to "
                    + "try (scrypt) than is allowed"
        case .tampered: "the key slots were changed by somebody without the key"
        case .noFreeSlot: "all \(KeySlots.slotCount) key slots are in use"
        case .noSuchSlot(let index): "key slot \(index) is not in use"
        case .lastSlot: "this is the last key slot: without it nothing opens the disk"
        case .unusable(let reason): reason
        case .unavailable(let reason): reason
        }
    }
}
