import FootingAcceleration
import FootingSystem

/// Encrypts and decrypts what lies in the segments of a disk.
///
/// A nonce is the sequence of the segment, another one each time the segment is used, and the unit
/// in it: nothing is written in a place twice in a segment's life, but the same once more. What is
/// proved beside a block is the disk and the block's number; beside a page, its header.
final class VolumeCipher: Sendable {
    /// The epoch is the upper half of a sequence: so none comes again, whatever a crash has lost.
    static let sequencesPerEpoch: UInt64 = 1 << 32
    /// Clients' writes end here: what is left is for the collector and checkpoints.
    static let sequenceMax = sequencesPerEpoch - (1 << 26)
    /// Openings of an encrypted disk.
    static let epochMax: UInt32 = (1 << 30) - 2
    /// Stands before a block's address: no page's header begins so.
    private static let blockMark: UInt64 = 0x4b43_4f4c_42

    let keys: VolumeKeys
    /// The container's when it was opened: segments stay where they are when it grows.
    private let geometry: Geometry
    private let sequences = SegmentSequences()

    init(_ keys: VolumeKeys, _ geometry: Geometry) {
        self.keys = keys
        self.geometry = geometry
    }

    /// Learns which life each segment is in.
    func note(_ segments: [SegmentEntry]) {
        for (index, segment) in segments.enumerated() { sequences[index] = segment.sequence }
    }

    /// A segment begins another life.
    func note(_ segment: UInt32, _ sequence: UInt64) {
        sequences[Int(segment)] = sequence
    }

    private func nonce(_ sequence: UInt64, unit: UInt64) -> BlockNonce {
        BlockNonce(
            epoch: UInt32(truncatingIfNeeded: sequence >> 32),
            position: sequence << 32 | unit
        )
    }

    /// The nonce of a place in a segment that is in use.
    private func nonce(_ location: Location) -> BlockNonce {
        let segment = geometry.segment(of: location)
        let sequence = sequences[Int(segment)]
        let start = geometry.location(segment: segment, page: 0).units
        return nonce(sequence, unit: location.units - start)
    }

    // MARK: - Blocks

    /// Gives which disk and which block it is, as it is proved.
    private func withAddress<Result>(
        _ block: UInt64,
        _ body: (UnsafeRawBufferPointer) throws(AccelerationError) -> Result
    ) throws(AccelerationError) -> Result {
        let identifier = keys.identifier
        var words = (
            Self.blockMark.littleEndian, identifier.high.bigEndian, identifier.low.bigEndian,
            block.littleEndian
        )
        return try unsafe withUnsafeBytes(of: &words, body)
    }

    /// Encrypts a block's stored bytes.
    ///
    /// - Parameters:
    ///   - sequence: of the segment.
    ///   - unit: in the segment.
    func seal(
        _ block: UInt64,
        _ stored: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        sequence: UInt64,
        unit: UInt64
    ) throws(AccelerationError) -> AuthenticationTag {
        let nonce = nonce(sequence, unit: unit)
        return try unsafe withAddress(block) { (address) throws(AccelerationError) in
            try unsafe keys.cipher.seal(
                stored,
                into: target,
                nonce: nonce,
                associatedData: address
            )
        }
    }

    /// Decrypts a block's stored bytes, in place or to elsewhere.
    ///
    /// - Throws: ``AccelerationError/notAuthentic`` if they are not what was written there; the
    ///   target is zeros then.
    func open(
        _ block: UInt64,
        _ entry: MapEntry,
        _ stored: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer
    ) throws(AccelerationError) {
        let nonce = nonce(entry.location)
        try unsafe withAddress(block) { (address) throws(AccelerationError) in
            try unsafe keys.cipher.open(
                stored,
                into: target,
                nonce: nonce,
                associatedData: address,
                tag: entry.tag
            )
        }
    }

    // MARK: - Pages

    private static let checksumOffset = 4

    /// Gives a page's header, which is proved and not encrypted: all but the checksum.
    private static func withHeader<Result>(
        _ page: borrowing AlignedBuffer,
        _ body: (UnsafeRawBufferPointer) throws(AccelerationError) -> Result
    ) throws(AccelerationError) -> Result {
        let count = Geometry.pageHeaderSizeBytes
        return try unsafe withUnsafeTemporaryAllocation(byteCount: count, alignment: 8) {
            (header) throws(AccelerationError) -> Result in
            unsafe header.copyMemory(from: UnsafeRawBufferPointer(page.slice(0..<count)))
            unsafe header.storeBytes(of: 0, toByteOffset: checksumOffset, as: UInt32.self)
            return try unsafe body(UnsafeRawBufferPointer(header))
        }
    }

    private func seal(
        _ page: borrowing AlignedBuffer,
        _ range: Range<Int>,
        _ nonce: BlockNonce
    ) throws(AccelerationError) -> AuthenticationTag {
        try unsafe Self.withHeader(page) { (header) throws(AccelerationError) in
            try unsafe keys.cipher.seal(page.slice(range), nonce: nonce, associatedData: header)
        }
    }

    private func open(
        _ page: borrowing AlignedBuffer,
        _ range: Range<Int>,
        _ nonce: BlockNonce,
        _ tag: AuthenticationTag
    ) throws(AccelerationError) {
        try unsafe Self.withHeader(page) { (header) throws(AccelerationError) in
            try unsafe keys.cipher.open(
                page.slice(range),
                nonce: nonce,
                associatedData: header,
                tag: tag
            )
        }
    }

    /// Encrypts a page of the map or of the snapshots' table in place, but for its header, and puts
    /// the checksum of the result into it.
    ///
    /// - Returns: what its parent says of it.
    func seal(
        page: borrowing AlignedBuffer,
        at location: Location
    ) throws(AccelerationError) -> MapEntry {
        let tag = try seal(page, Geometry.pageHeaderSizeBytes..<4096, nonce(location))
        let checksum = page.checksum(8..<4096)
        page.set(checksum, at: Self.checksumOffset)
        return MapEntry(location: location, checksum: checksum, tag: tag)
    }

    /// Decrypts a page in place.
    ///
    /// - Throws: ``AccelerationError/notAuthentic`` if it is not the one that was written there.
    func open(
        page: borrowing AlignedBuffer,
        _ entry: MapEntry
    ) throws(AccelerationError) {
        try open(page, Geometry.pageHeaderSizeBytes..<4096, nonce(entry.location), entry.tag)
    }

    // MARK: - Commits

    private static let descriptorsOffset = CommitHeader.tagOffset + AuthenticationTag.byteCount

    private func nonce(_ header: CommitHeader) -> BlockNonce {
        nonce(header.sequence, unit: UInt64(header.page) * Geometry.unitsPerBlock)
    }

    /// Encrypts the descriptors of a commit's header page, and puts tag and checksum into it.
    ///
    /// - Returns: the checksum.
    func seal(
        header: CommitHeader,
        in page: borrowing AlignedBuffer
    ) throws(AccelerationError) -> UInt32 {
        let tag = try seal(page, Self.descriptorsOffset..<4096, nonce(header))
        page.set(tag, at: CommitHeader.tagOffset)
        let checksum = page.checksum(8..<4096)
        page.set(checksum, at: Self.checksumOffset)
        return checksum
    }

    /// Decrypts the descriptors of a header page in place.
    ///
    /// - Throws: ``AccelerationError/notAuthentic`` if the page is not what was written there.
    func open(
        header: CommitHeader,
        in page: borrowing AlignedBuffer
    ) throws(AccelerationError) {
        let tag = page.tag(at: CommitHeader.tagOffset)
        try open(page, Self.descriptorsOffset..<4096, nonce(header), tag)
    }
}
