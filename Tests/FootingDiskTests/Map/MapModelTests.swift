import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

/// The structures of the map, compared with dictionaries and sets that do the same slowly.
@Suite struct MapModelTests {
    private func entry(_ random: inout SeededRandom) -> MapEntry {
        if random.oneIn(8) { return .unmapped }
        let units = UInt64(1 + random.below(1 << 20)) * 8
        return MapEntry(
            location: Location(units: units),
            checksum: UInt32(truncatingIfNeeded: random.next())
        )
    }

    @Test(arguments: 1..<5 as Range<UInt64>)
    func `A delta table is a dictionary`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var table = DeltaTable()
        var model: [UInt64: MapEntry] = [:]
        for _ in 0..<4000 {
            let block = UInt64(random.below(seed == 1 ? 100 : 100_000))
            if random.oneIn(20) {
                let range = block..<block + UInt64(1 + random.below(5000))
                table.unmap(range)
                for key in model.keys where range.contains(key) { model[key] = .unmapped }
            } else {
                let entry = entry(&random)
                table.set(block, entry)
                model[block] = entry
            }
        }
        #expect(table.count == model.count)
        #expect(model.allSatisfy { table[$0.key] == $0.value })
        #expect((0..<2000).allSatisfy { table[$0] == model[$0] })
        let sorted = table.sorted()
        #expect(sorted.map { $0.block } == model.keys.sorted())
        #expect(sorted.allSatisfy { model[$0.block] == table.entry($0) })
    }

    @Test(arguments: 1..<5 as Range<UInt64>)
    func `A range set is a set`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var ranges = RangeSet()
        var model: Set<UInt64> = []
        for _ in 0..<60 {
            let start = UInt64(random.below(1000))
            let range = start..<start + UInt64(random.below(30))
            ranges.insert(range)
            model.formUnion(range)
            #expect((0..<1050).allSatisfy { ranges.contains($0) == model.contains($0) })
            let probe = UInt64(random.below(1000))
            let window = probe..<probe + UInt64(1 + random.below(60))
            #expect(ranges.overlaps(window) == window.contains { model.contains($0) })
            let cut = ranges.intersection(window).flatMap { Array($0) }
            #expect(cut == window.filter { model.contains($0) })
        }
        for (left, right) in zip(ranges.ranges, ranges.ranges.dropFirst()) {
            #expect(left.upperBound < right.lowerBound)
        }
    }

    @Test(arguments: 1..<5 as Range<UInt64>)
    func `An overlay knows the last change`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var overlay = Overlay()
        var model: [UInt64: MapEntry] = [:]
        for _ in 0..<2000 {
            let block = UInt64(random.below(2000))
            if random.oneIn(10) {
                let range = block..<block + UInt64(1 + random.below(100))
                overlay.trim(range)
                for block in range { model[block] = .unmapped }
            } else {
                let entry = entry(&random)
                overlay.set(block, entry)
                model[block] = entry
            }
        }
        #expect((0..<2200).allSatisfy { overlay.entry($0) == model[$0] })
    }

    /// Takes pages in memory.
    private final class Pages: MapUpdate.Output, MapUpdate.Accounting {
        let store: MemoryStore
        let geometry: Geometry
        var next = 0
        var references: [UInt64: Int] = [:]

        init(_ store: MemoryStore, _ geometry: Geometry) {
            self.store = store
            self.geometry = geometry
        }

        func append(_ page: borrowing AlignedBuffer) throws(DiskError) -> Location {
            let location = geometry.location(
                segment: UInt32(next / geometry.pagesPerSegment),
                page: next % geometry.pagesPerSegment
            )
            next += 1
            store.put(unsafe [UInt8](page.slice(0..<4096)), at: location.offset)
            return location
        }

        func count(_ entry: MapEntry, _ change: Int) {
            let location = entry.location
            references[location.units, default: 0] += change
        }
    }

    @Test(arguments: [300, 5000, 40 << 20] as [UInt64], 1..<4 as Range<UInt64>)
    func `A tree follows its updates`(_ blockCount: UInt64, _ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let geometry = Geometry(
            sizeBytes: blockCount * 4096,
            sparePercent: 33,
            segmentSizeBytes: 1 << 20
        )
        let store = MemoryStore(sizeBytes: geometry.containerSizeBytes)
        let reader = MapReader(
            store: store,
            layout: DiskLayout(geometry),
            volume: 7,
            cache: PageCache(blocks: .small(slabCount: 1)),
            verifies: true
        )
        let pages = Pages(store, geometry)
        var root = MapEntry.unmapped
        var model: [UInt64: MapEntry] = [:]
        var location: UInt64 = geometry.containerSizeBytes / 1024 / 8 * 8
        for generation in 1..<8 as Range<UInt64> {
            var overlay = Overlay()
            for _ in 0..<200 {
                let block = random.next() % blockCount
                if random.oneIn(12) {
                    let far = min(blockCount, block + UInt64(1 + random.below(100_000)))
                    overlay.trim(block..<far)
                    for key in model.keys where (block..<far).contains(key) { model[key] = nil }
                } else {
                    location += 8
                    let entry = MapEntry(location: Location(units: location), checksum: 1)
                    overlay.set(block, entry)
                    model[block] = entry
                }
            }
            root = try MapUpdate(
                reader: reader,
                geometry: geometry,
                output: pages,
                accounting: pages,
                generation: generation,
                overlay: overlay,
                touches: []
            ).run(root: root)
            for (block, entry) in model {
                #expect(try reader.find(block, root: MapRoot(root, geometry))?.entry == entry)
            }
            for _ in 0..<200 {
                let block = random.next() % blockCount
                let answer = try reader.find(block, root: MapRoot(root, geometry))
                #expect(answer?.entry ?? .unmapped == model[block] ?? .unmapped)
                if let answer, !answer.entry.isMapped {
                    #expect(answer.end > block)
                    let hole = block..<answer.end
                    #expect(!model.keys.contains { hole.contains($0) })
                }
            }
            // Each block and each page of the tree is counted once, nothing else.
            #expect(pages.references.values.allSatisfy { $0 == 0 || $0 == 1 })
            let live = pages.references.filter { $0.value == 1 }.count
            #expect(live >= model.count)
            #expect(model.values.allSatisfy { pages.references[$0.location.units] == 1 })
        }
    }

    @Test func `A page of another place is not taken for the right one`() throws {
        let geometry = Geometry(sizeBytes: 1 << 20, sparePercent: 33, segmentSizeBytes: 64 << 10)
        let store = MemoryStore(sizeBytes: geometry.containerSizeBytes)
        let page = AlignedBuffer(count: 4096)
        let checksum = MapPage.seal(page, .init(level: 0, index: 0), volume: 7, generation: 1)
        let location = geometry.location(segment: 1, page: 0)
        store.put(unsafe [UInt8](page.slice(0..<4096)), at: location.offset)
        let entry = MapEntry(location: location, checksum: checksum)
        let reader = { (volume: UInt64) in
            MapReader(
                store: store,
                layout: DiskLayout(geometry),
                volume: volume,
                cache: PageCache(blocks: .small(slabCount: 1)),
                verifies: true
            )
        }
        try reader(7).read(entry, .init(level: 0, index: 0), into: page)
        #expect(throws: DiskError.self) {
            try reader(7).read(entry, .init(level: 0, index: 1), into: page)
        }
        #expect(throws: DiskError.self) {
            try reader(8).read(entry, .init(level: 0, index: 0), into: page)
        }
        let other = MapEntry(location: location, checksum: checksum ^ 1)
        #expect(throws: DiskError.self) {
            try reader(7).read(other, .init(level: 0, index: 0), into: page)
        }
    }
}
