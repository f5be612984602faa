import FootingAcceleration
import FootingSystem

/// Encodes and decodes blocks.
///
/// ```
///  0  2  bytes of what follows     2  n  LZ4 block, or raw deflate     then zeros up to the unit
/// ```
struct BlockCoder: Sendable {
    /// What an encoded block takes at most: a unit less than one that is stored as it is.
    static let encodedBytesMax = 4096 - Int(Geometry.unitSizeBytes)
    private static let lengthBytes = 2

    let accelerator: any Accelerator

    /// Encodes a block.
    ///
    /// - Parameter target: at least ``encodedBytesMax`` bytes.
    /// - Returns: nil if that does not save a unit; the target's content is then undefined.
    func encode(
        _ block: UnsafeRawBufferPointer,
        _ encoding: BlockEncoding,
        _ effort: CompressionEffort = .fast,
        into target: UnsafeMutableRawBufferPointer
    ) -> BlockForm? {
        precondition(block.count == 4096 && target.count >= Self.encodedBytesMax)
        let room = unsafe UnsafeMutableRawBufferPointer(
            rebasing: target[Self.lengthBytes..<Self.encodedBytesMax]
        )
        // Without whatever fails the block is stored as it is.
        guard
            let count = try? unsafe accelerator.compress(block, into: room, encoding.method, effort)
        else { return nil }
        unsafe target.storeBytes(of: UInt16(count).littleEndian, as: UInt16.self)
        let unit = Int(Geometry.unitSizeBytes)
        let units = (Self.lengthBytes + count + unit - 1) / unit
        unsafe UnsafeMutableRawBufferPointer(
            rebasing: target[Self.lengthBytes + count..<units * unit]
        ).initializeMemory(as: UInt8.self, repeating: 0)
        let stored = unsafe UnsafeRawBufferPointer(rebasing: target[..<(units * unit)])
        return BlockForm(
            encoding: UInt64(encoding.rawValue),
            units: UInt64(units),
            checksum: unsafe Checksum.crc32c(stored)
        )
    }

    /// Brings a block back.
    ///
    /// - Parameters:
    ///   - stored: as many bytes as the form says; their checksum is the caller's business.
    ///   - target: 4096 bytes.
    /// - Throws: `corrupt` if the stored bytes are no block, `unavailable` without memory; the
    ///   target's content is then undefined.
    func decode(
        _ form: BlockForm,
        _ stored: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer
    ) throws(AccelerationError) {
        precondition(stored.count == form.byteCount && target.count == 4096)
        if form.encoding == .plain {
            return unsafe target.copyMemory(from: stored)
        }
        let count = Int(UInt16(littleEndian: unsafe stored.loadUnaligned(as: UInt16.self)))
        let end = Self.lengthBytes + count
        guard count > 0, end <= form.byteCount,
            end > form.byteCount - Int(Geometry.unitSizeBytes)
        else { throw .corrupt(form.encoding.method) }
        let source = unsafe UnsafeRawBufferPointer(rebasing: stored[Self.lengthBytes..<end])
        try unsafe accelerator.decompress(source, into: target, form.encoding.method)
    }
}

/// Encodes the blocks of one write.
struct BlockEncoder {
    /// Blocks in a row that did not shrink before only some are tried, and which of them.
    private static let failureCountMax = 8
    private static let retryInterval = 4

    private let coder: BlockCoder
    private let encoding: BlockEncoding
    private var failureCount = 0

    init(_ coder: BlockCoder, _ policy: CompressionPolicy) {
        self.coder = coder
        encoding = policy.encodingOfWrites
    }

    /// Whether it encodes any.
    var encodes: Bool { encoding != .plain }

    /// Encodes a block if it is worth it.
    ///
    /// - Parameter target: at least ``BlockCoder/encodedBytesMax`` bytes, if it encodes any.
    /// - Returns: nil if it is to be stored as it is.
    mutating func encode(
        _ block: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer
    ) -> BlockForm? {
        if !encodes { return nil }
        // A write of what cannot be compressed is most likely all of one kind.
        if failureCount >= Self.failureCountMax, failureCount % Self.retryInterval != 0 {
            failureCount += 1
            return nil
        }
        let form = unsafe coder.encodeIfWorthwhile(block, encoding, into: target)
        failureCount = form == nil ? failureCount + 1 : 0
        return form
    }
}

extension BlockCoder {
    /// Bytes looked at to tell noise.
    private static let sampleCount = 512

    /// Encodes a block, unless a quick look says that it is in vain.
    ///
    /// LZ4 itself gives up on noise early. Deflate does not: so it is tried only where the bytes
    /// are not evenly spread, or where LZ4 finds repetitions.
    func encodeIfWorthwhile(
        _ block: UnsafeRawBufferPointer,
        _ encoding: BlockEncoding,
        _ effort: CompressionEffort = .fast,
        into target: UnsafeMutableRawBufferPointer
    ) -> BlockForm? {
        if encoding == .deflate, unsafe Self.looksRandom(block),
            unsafe encode(block, .lz4, into: target) == nil
        {
            return nil
        }
        return unsafe encode(block, encoding, effort, into: target)
    }

    /// Whether the values of some bytes are as evenly spread as in noise.
    ///
    /// The sum of the squares of how often each value occurs is n + n(n-1)/256 for noise: 1534 for
    /// 512 bytes, with a deviation of 45; text has above 10,000.
    static func looksRandom(_ block: UnsafeRawBufferPointer) -> Bool {
        unsafe withUnsafeTemporaryAllocation(of: UInt16.self, capacity: 256) { counts in
            unsafe counts.initialize(repeating: 0)
            var sum = 0
            for index in stride(from: 0, to: 4096, by: 4096 / sampleCount) {
                let value = Int(unsafe block[index])
                // The next odd number: their sum is the square.
                sum += 2 * Int(unsafe counts[value]) + 1
                unsafe counts[value] += 1
            }
            return sum < 1800
        }
    }
}

extension BlockCoder {
    /// Encodes a stored block with deflate.
    ///
    /// - Returns: nil if it is already, or gets no smaller, or cannot be decoded.
    func recompress(
        _ form: BlockForm,
        _ stored: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer
    ) -> BlockForm? {
        if form.encoding == .deflate { return nil }
        return unsafe withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { plain in
            guard (try? unsafe decode(form, stored, into: plain)) != nil else { return nil }
            let block = UnsafeRawBufferPointer(plain)
            let dense = unsafe encodeIfWorthwhile(block, .deflate, .dense, into: target)
            return (dense?.units ?? form.units) < form.units ? dense : nil
        }
    }
}

extension BlockEncoding {
    /// What an accelerator calls it.
    var method: CompressionMethod {
        switch self {
        case .plain: .none
        case .lz4: .lz4
        case .deflate: .deflate
        }
    }
}
