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

    /// How well the content compresses, which follows from the version.
    private enum Texture {
        /// Every sector has the same bytes behind its numbers: LZ4 finds them.
        case repeated
        /// Sixteen values in any order: deflate saves half of it, LZ4 nothing.
        case skewed
        /// Nothing helps.
        case noise
    }

    private static func texture(_ version: UInt64) -> Texture {
        switch version % 5 {
        case 0: .noise
        case 1: .skewed
        default: .repeated
        }
    }

    /// Eight bytes of a sector's filler.
    private static func word(_ version: UInt64, _ sector: UInt64, _ index: Int) -> UInt64 {
        var value = version &* 0x9e37_79b9_7f4a_7c15 &+ sector << 6 &+ UInt64(index)
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        value ^= value >> 31
        return texture(version) == .skewed ? value & 0x0f0f_0f0f_0f0f_0f0f : value
    }

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
        for index in 0..<buffer.count / 512 {
            let at = index * 512
            let sector = firstSector + UInt64(index)
            unsafe fillSector(
                UnsafeMutableRawBufferPointer(rebasing: buffer[at..<at + 512]),
                sector: sector,
                version: version
            )
        }
    }

    private static func fillSector(
        _ buffer: UnsafeMutableRawBufferPointer,
        sector: UInt64,
        version: UInt64
    ) {
        unsafe buffer.storeBytes(of: version, as: UInt64.self)
        unsafe buffer.storeBytes(of: sector, toByteOffset: 8, as: UInt64.self)
        if texture(version) == .repeated {
            unsafe filler.withUnsafeBytes { filler in
                let start = fillerStart(version)
                unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[16..<512])
                    .copyMemory(from: .init(rebasing: filler[start..<start + 496]))
            }
            return
        }
        for index in 2..<64 {
            let word = word(version, sector, index)
            unsafe buffer.storeBytes(of: word, toByteOffset: index * 8, as: UInt64.self)
        }
    }

    /// The version in a sector; nil if it is of none, or of another sector.
    static func version(_ bytes: UnsafeRawBufferPointer, sector: UInt64) -> UInt64? {
        let version = unsafe bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)
        if version == 0 {
            return unsafe zeros.withUnsafeBytes { unsafe areEqual($0, bytes) } ? 0 : nil
        }
        return unsafe withUnsafeTemporaryAllocation(byteCount: 512, alignment: 8) { expected in
            unsafe fillSector(expected, sector: sector, version: version)
            return unsafe areEqual(UnsafeRawBufferPointer(expected), bytes) ? version : nil
        }
    }
}
