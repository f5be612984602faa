import Testing

@testable import FootingDisk

@Suite struct GeometryTests {
    static let sizes: [UInt64] = [
        512, 4096, 4608, 1 << 20, 64 << 20, (1 << 30) - 512, 1 << 30, 32 << 30, 33 << 30, 1 << 40,
        4 << 40, 64 << 40,
    ]

    @Test(arguments: sizes, [11, 33, 1000])
    func `Everything has its place`(_ size: UInt64, _ spare: Int) {
        let geometry = Geometry(sizeBytes: size, sparePercent: spare, segmentSizeBytes: nil)
        #expect(geometry.blockCount * 4096 >= size)
        #expect(geometry.tableOffset(region: 0) > Geometry.superblockOffsets[1])
        #expect(geometry.tableOffset(region: 2) <= geometry.segmentsOffset)
        #expect(geometry.segmentsOffset % geometry.segmentSizeBytes == 0)
        #expect(geometry.segmentCount <= Geometry.segmentCountMax)
        // All the data, packed by the collector, the map, and what is reserved.
        let room = UInt64(geometry.segmentCount) * geometry.payloadPerSegment
        let needed = geometry.blockCount * UInt64(100 + spare) / 100 + geometry.mapPageCount
        #expect(room >= needed)
        // Locations fit in 40 bits of 512 bytes, and page numbers in 16 bits.
        #expect(spare == 1000 || geometry.containerSizeBytes <= Geometry.containerSizeBytesMax)
        #expect(geometry.pagesPerSegment <= 1 << 14)
        #expect(geometry.span(level: geometry.levels) >= geometry.blockCount)
        if geometry.levels > 1 {
            #expect(geometry.span(level: geometry.levels - 1) < geometry.blockCount)
        }
    }

    @Test(arguments: sizes)
    func `A location leads back to its segment`(_ size: UInt64) {
        let geometry = Geometry(sizeBytes: size, sparePercent: 33, segmentSizeBytes: nil)
        for segment in [0, 1, geometry.segmentCount - 1] {
            for page in [0, 1, geometry.pagesPerSegment - 1] {
                let location = geometry.location(segment: segment, page: page)
                #expect(geometry.contains(location))
                #expect(geometry.segment(of: location) == segment)
                #expect(geometry.range(ofSegment: segment).contains(location.offset))
            }
        }
        #expect(!geometry.contains(Location(units: 0)))
        #expect(!geometry.contains(Location(units: geometry.containerSizeBytes / 512)))
    }

    @Test func `By default a write of a mebibyte is atomic`() {
        for size in Self.sizes {
            let geometry = Geometry(sizeBytes: size, sparePercent: 33, segmentSizeBytes: nil)
            #expect(geometry.pagesPerSegment - 2 >= EngineLimits.atomicBlockCount)
        }
    }

    @Test func `Options that make no disk are refused`() {
        for size in [0, 1, 511, 513, (64 << 40) + 512] as [UInt64] {
            #expect(throws: DiskError.self) { try DiskOptions(sizeBytes: size).geometry() }
        }
        for spare in [0, 10, 1001] {
            var options = DiskOptions(sizeBytes: 1 << 30)
            options.sparePercent = spare
            #expect(throws: DiskError.self) { try options.geometry() }
        }
        for segment in [0, 4096, 100_000, 128 << 20] as [UInt64] {
            var options = DiskOptions(sizeBytes: 1 << 30)
            options.segmentSizeBytes = segment
            #expect(throws: DiskError.self) { try options.geometry() }
        }
        var options = DiskOptions(sizeBytes: 64 << 40)
        options.segmentSizeBytes = 64 << 10
        #expect(throws: DiskError.self) { try options.geometry() }
        options.segmentSizeBytes = nil
        options.sparePercent = 1000
        #expect(throws: DiskError.self) { try options.geometry() }
    }
}
