import FootingAcceleration
import FootingSystem
import Testing

@testable import FootingDisk

/// What a tag proves beside the bytes that it belongs to.
@Suite struct VolumeCipherTests {
    private let geometry = Geometry(
        sizeBytes: 1 << 20,
        segmentSizeBytes: 64 << 10,
        segmentCount: 40,
        isEncrypted: true
    )

    private func makeCipher(_ identifier: Identifier) throws -> VolumeCipher {
        var random = SeededRandom(seed: 5)
        let key = try VolumeKey(using: &random)
        let keys = try VolumeKeys(key, identifier, SoftwareAccelerator())
        let cipher = VolumeCipher(keys, geometry)
        var segments = [SegmentEntry](repeating: SegmentEntry(), count: 40)
        for index in segments.indices { segments[index].sequence = UInt64(index) + 1 << 32 }
        cipher.note(segments)
        return cipher
    }

    @Test func `A block is only itself, in its place, in its segment's life`() throws {
        let cipher = try makeCipher(Identifier(high: 1, low: 2))
        let buffer = AlignedBuffer(count: 4096)
        let plain = unsafe [UInt8](UnsafeRawBufferPointer(buffer.slice(0..<4096)))
        let location = geometry.location(segment: 3, page: 2)
        let tag = try unsafe cipher.seal(
            7,
            UnsafeRawBufferPointer(buffer.slice(0..<4096)),
            into: buffer.slice(0..<4096),
            sequence: 3 + 1 << 32,
            unit: 16
        )
        let entry = MapEntry(location: location, checksum: 0, tag: tag)
        let sealed = unsafe [UInt8](UnsafeRawBufferPointer(buffer.slice(0..<4096)))
        let open = { (cipher: VolumeCipher, block: UInt64, entry: MapEntry) -> Bool in
            unsafe sealed.withUnsafeBytes { unsafe buffer.copy(from: $0, at: 0) }
            let place = unsafe buffer.slice(0..<4096)
            let bytes = UnsafeRawBufferPointer(place)
            return (try? unsafe cipher.open(block, entry, bytes, into: place)) != nil
        }
        #expect(open(cipher, 7, entry))
        #expect(unsafe [UInt8](UnsafeRawBufferPointer(buffer.slice(0..<4096))) == plain)
        #expect(!open(cipher, 8, entry))
        let next = MapEntry(location: location.advanced(byUnits: 1), checksum: 0, tag: tag)
        #expect(!open(cipher, 7, next))
        #expect(!open(try makeCipher(Identifier(high: 1, low: 3)), 7, entry))
        cipher.note(3, 9 << 32)
        #expect(!open(cipher, 7, entry))
    }

    @Test func `A page's header is proved, but for its checksum`() throws {
        let cipher = try makeCipher(Identifier(high: 1, low: 2))
        let page = AlignedBuffer(count: 4096)
        MapPage.begin(page, geometry)
        MapPage.setEntry(page, 5, MapEntry(location: Location(units: 4096), checksum: 3))
        let identity = MapPage.Identity(level: 1, index: 4)
        _ = MapPage.seal(page, identity, volume: 2, generation: 6)
        let entry = try cipher.seal(page: page, at: geometry.location(segment: 1, page: 1))
        for byte in [0, 8, 16, 24, 32, 33, 63, 64, 4095] {
            let copy = AlignedBuffer(count: 4096)
            unsafe copy.copy(from: UnsafeRawBufferPointer(page.slice(0..<4096)), at: 0)
            copy.set(copy.get(UInt8.self, at: byte) ^ 1, at: byte)
            let isOpen = (try? cipher.open(page: copy, entry)) != nil
            #expect(!isOpen, "byte \(byte)")
        }
        let isOpen = (try? cipher.open(page: page, entry)) != nil
        #expect(isOpen)
        let found = MapPage.entry(page, 5)
        #expect(found == MapEntry(location: Location(units: 4096), checksum: 3))
    }
}
