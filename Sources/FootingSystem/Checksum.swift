internal import CFooting

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4): detects every burst of up to 32 bits.
public enum Checksum {
    /// The sum of the bytes, continuing from an earlier sum.
    public static func crc32c(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
        unsafe footing_crc32c(seed, bytes.baseAddress, bytes.count)
    }

    /// The same without wide registers, for comparison in tests.
    static func crc32cNarrow(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
        unsafe footing_crc32c_narrow(seed, bytes.baseAddress, bytes.count)
    }

    /// The same without special instructions, for comparison in tests.
    static func crc32cPortable(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
        unsafe footing_crc32c_portable(seed, bytes.baseAddress, bytes.count)
    }
}
