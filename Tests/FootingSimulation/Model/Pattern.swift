import FootingSystem
import Glibc

/// Content of sectors that tells which write it is of.
///
/// A sector holds the number of its write, its own number, and bytes that follow from the first: so
/// a stale sector, one of another place, and a mixture are all told apart. Version 0 is all zeros.
enum Pattern {
    private static let filler: [UInt8] = {
        var random = SeededRandom(seed: 0x466f_6f74)
        return (0..<1024).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }()

    private static let zeros = [UInt8](repeating: 0, count: 512)

    private static func areEqual(
        _ left: UnsafeRawBufferPointer,
        _ right: UnsafeRawBufferPointer
    ) -> Bool {
        guard let first = left.baseAddress, let second = right.baseAddress else {
            return false
        }
        return unsafe memcmp(first, second, left.count) == 0
    }

    private static func fillerStart(_ version: UInt64) -> Int { Int(version &* 13 & 511) }

    /// Fills whole sectors.
    static func fill(
        _ buffer: UnsafeMutableRawBufferPointer,
        firstSector: UInt64,
        version: UInt64
    ) {
        if version == 0 {
            unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0)
            return
        }
        unsafe filler.withUnsafeBytes { filler in
            let start = fillerStart(version)
            let rest = unsafe UnsafeRawBufferPointer(rebasing: filler[start..<start + 496])
            for index in 0..<buffer.count / 512 {
                let at = index * 512
                unsafe buffer.storeBytes(of: version, toByteOffset: at, as: UInt64.self)
                let sector = firstSector + UInt64(index)
                unsafe buffer.storeBytes(of: sector, toByteOffset: at + 8, as: UInt64.self)
                unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[at + 16..<at + 512])
                    .copyMemory(from: rest)
            }
        }
    }

    /// The version in a sector; nil if it is of none, or of another sector.
    static func version(_ bytes: UnsafeRawBufferPointer, sector: UInt64) -> UInt64? {
        let version = unsafe bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)
        if version == 0 {
            return unsafe zeros.withUnsafeBytes { unsafe areEqual($0, bytes) } ? 0 : nil
        }
        guard unsafe bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self) == sector else {
            return nil
        }
        let start = fillerStart(version)
        let isWhole = unsafe filler.withUnsafeBytes { filler in
            unsafe areEqual(
                UnsafeRawBufferPointer(rebasing: filler[start..<start + 496]),
                UnsafeRawBufferPointer(rebasing: bytes[16..<512])
            )
        }
        return isWhole ? version : nil
    }
}
