import FootingSimulation
import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingDisk

@Suite struct BlockCacheTests {
    /// Counts what it has given, and refuses beyond a limit.
    private final class CountingPages: PageSource {
        let mappedBytes = Locked(0)
        let limitBytes = Locked(Int.max)
        private let pages = AnyPages(isHuge: false)

        func map(byteCount: Int) throws(Errno) -> UnsafeMutableRawBufferPointer {
            let isAllowed = limitBytes.withLock { limit in
                mappedBytes.withLock { $0 + byteCount <= limit }
            }
            guard isAllowed else { throw .noMemory }
            let bytes = unsafe try pages.map(byteCount: byteCount)
            mappedBytes.withLock { $0 += byteCount }
            return unsafe bytes
        }

        func unmap(_ bytes: UnsafeMutableRawBufferPointer) {
            mappedBytes.withLock { $0 -= bytes.count }
            unsafe pages.unmap(bytes)
        }
    }

    /// A block whose every word says what it is.
    private func fill(_ buffer: borrowing AlignedBuffer, _ key: UInt64, _ entry: MapEntry) {
        for offset in stride(from: 0, to: 4096, by: 8) {
            buffer.set(key &* 0x1_0000_0001 ^ entry.word << 7 ^ UInt64(offset), at: offset)
        }
    }

    private func isRight(
        _ bytes: UnsafeRawBufferPointer,
        from start: Int,
        _ key: UInt64,
        _ entry: MapEntry
    ) -> Bool {
        stride(from: 0, to: bytes.count, by: 8).allSatisfy { offset in
            unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                == key &* 0x1_0000_0001 ^ entry.word << 7 ^ UInt64(start + offset)
        }
    }

    @Test(arguments: 1..<7 as Range<UInt64>)
    func `A cache is a dictionary that forgets`(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let source = CountingPages()
        let layout = CacheLayout(shardCount: 1 << random.below(4), framesPerShard: 7)
        let cache = BlockCache(source: source, layout: layout)
        // Which version was put in last; it may have been forgotten, no other may be found.
        var model: [UInt64: UInt64] = [:]
        var slabCount = 0
        var hitCount = 0
        let buffer = AlignedBuffer(count: 4096)
        for _ in 0..<Sanitizer.rounds(6000, sanitized: 1500) {
            let key = UInt64(random.below(80))
            let version = UInt64(1 + random.below(3))
            let entry = MapEntry(word: version, checksum: UInt32(key))
            fill(buffer, key, entry)
            let bytes = unsafe UnsafeRawBufferPointer(buffer.slice(0..<4096))
            switch random.below(100) {
            case ..<35:
                let uses: [CacheUse] = [.ordinary, .ordinary, .scan, .ahead]
                unsafe cache.insert(key, entry, bytes, uses[random.below(4)])
                if cache.contains(key, entry) {
                    model[key] = version
                } else {
                    // Not wanted; nor may an older version be left in its place.
                    #expect((1...3).allSatisfy { !cache.contains(key, version: $0) })
                }
            case ..<45:
                let isThere = (1...3).contains { cache.contains(key, version: $0) }
                unsafe cache.update(key, entry, bytes)
                #expect(cache.contains(key, entry) == isThere)
                if isThere { model[key] = version }
            case ..<48:
                cache.remove(key)
                model[key] = nil
            case ..<50:
                slabCount = random.below(6)
                cache.resize(slabCount: slabCount)
                #expect(source.mappedBytes.withLock { $0 } <= slabCount * CacheLayout.slabBytes)
            default:
                let start = random.below(512) * 8
                let count = min(4096 - start, (1 + random.below(512)) * 8)
                let part = unsafe buffer.slice(0..<count)
                if unsafe cache.copy(key, entry, from: start, into: part) {
                    hitCount += 1
                    #expect(model[key] == version)
                    let isRight = unsafe isRight(
                        UnsafeRawBufferPointer(part),
                        from: start,
                        key,
                        entry
                    )
                    #expect(isRight)
                }
            }
        }
        #expect(hitCount > Sanitizer.rounds(100, sanitized: 8))
        let counters = cache.statistics
        #expect(counters.hits == UInt64(hitCount))
        #expect(counters.insertions > 0 && counters.evictions > 0 && counters.updates > 0)
    }

    @Test func `Two blocks with one place and one checksum are not confused`() {
        let cache = BlockCache.small(slabCount: 1)
        let entry = MapEntry(word: 8, checksum: 1)
        let buffer = AlignedBuffer(count: 4096)
        unsafe cache.insert(5, entry, UnsafeRawBufferPointer(buffer.slice(0..<4096)))
        buffer.set(UInt64(77), at: 0)
        unsafe cache.update(5, entry, UnsafeRawBufferPointer(buffer.slice(0..<4096)))
        buffer.set(UInt64(0), at: 0)
        #expect(unsafe cache.copy(5, entry, from: 0, into: buffer.slice(0..<4096)))
        #expect(buffer.get(UInt64.self, at: 0) == 77)
    }

    @Test func `A smaller cache keeps what is used most, and gives the memory back`() {
        let source = CountingPages()
        let cache = BlockCache(source: source)
        cache.resize(slabCount: 4)
        let frames = UInt64(4 * CacheLayout.standard.framesPerSlab)
        let buffer = AlignedBuffer(count: 4096)
        let entry = MapEntry(word: 8, checksum: 1)
        for key in 0..<frames {
            unsafe cache.insert(key, entry, UnsafeRawBufferPointer(buffer.slice(0..<4096)))
        }
        #expect(source.mappedBytes.withLock { $0 } == 4 * CacheLayout.slabBytes)
        // What came last lies in the last slab; it is used.
        let used = frames - 200..<frames
        for key in used { _ = unsafe cache.copy(key, entry, from: 0, into: buffer.slice(0..<512)) }
        cache.resize(slabCount: 1)
        #expect(source.mappedBytes.withLock { $0 } == CacheLayout.slabBytes)
        let kept = used.count { cache.contains($0, entry) }
        #expect(kept > 150)
        cache.resize(slabCount: 0)
        #expect(source.mappedBytes.withLock { $0 } == 0)
        #expect(!used.contains { cache.contains($0, entry) })
        #expect(cache.usedBytes == 0)
    }

    @Test func `A large read takes nobody's place`() {
        let cache = BlockCache.small(slabCount: 1)
        let buffer = AlignedBuffer(count: 4096)
        let entry = MapEntry(word: 8, checksum: 1)
        for key in 0..<40 as Range<UInt64> {
            unsafe cache.insert(key, entry, UnsafeRawBufferPointer(buffer.slice(0..<4096)))
        }
        let before = (0..<40).filter { cache.contains($0, entry) }
        for key in 1000..<2000 as Range<UInt64> {
            unsafe cache.insert(key, entry, UnsafeRawBufferPointer(buffer.slice(0..<4096)), .scan)
        }
        #expect((0..<40).filter { cache.contains($0, entry) } == before)
        #expect(cache.statistics.bypasses == 1000)
    }

    @Test func `What is written takes free frames alone, and always its own`() {
        let cache = BlockCache.small(slabCount: 1)
        let buffer = AlignedBuffer(count: 4096)
        let bytes = unsafe UnsafeRawBufferPointer(buffer.slice(0..<4096))
        let entry = MapEntry(word: 8, checksum: 1)
        unsafe cache.insert(0, entry, bytes, .written)
        #expect(cache.contains(0, entry))
        for key in 0..<40 as Range<UInt64> { unsafe cache.insert(key, entry, bytes) }
        let before = (0..<2000).filter { cache.contains($0) }
        for key in 1000..<2000 as Range<UInt64> { unsafe cache.insert(key, entry, bytes, .written) }
        #expect((0..<2000).filter { cache.contains($0) } == before)
        // Nor is it remembered: twice in a while is not being read.
        for key in 1000..<2000 as Range<UInt64> { unsafe cache.insert(key, entry, bytes, .written) }
        #expect((0..<2000).filter { cache.contains($0) } == before)
        // Other bytes may have the same place and checksum.
        let key = before[0]
        unsafe buffer.slice(0..<4096).initializeMemory(as: UInt8.self, repeating: 7)
        unsafe cache.insert(key, entry, bytes, .written)
        let copy = AlignedBuffer(count: 4096)
        #expect(unsafe cache.copy(key, entry, from: 0, into: copy.slice(0..<4096)))
        #expect(unsafe copy.slice(0..<4096).allSatisfy { $0 == 7 })
    }

    @Test func `Without memory the cache does without`() {
        let source = CountingPages()
        let cache = BlockCache(source: source)
        cache.resize(slabCount: 3)
        source.limitBytes.withLock { $0 = CacheLayout.slabBytes }
        let buffer = AlignedBuffer(count: 4096)
        let entry = MapEntry(word: 8, checksum: 1)
        for key in 0..<2000 as Range<UInt64> {
            unsafe cache.insert(key, entry, UnsafeRawBufferPointer(buffer.slice(0..<4096)))
        }
        #expect(source.mappedBytes.withLock { $0 } == CacheLayout.slabBytes)
        #expect((0..<2000).contains { cache.contains($0, entry) })
        // A new budget asks again.
        source.limitBytes.withLock { $0 = .max }
        cache.resize(slabCount: 3)
        for key in 2000..<4000 as Range<UInt64> {
            unsafe cache.insert(key, entry, UnsafeRawBufferPointer(buffer.slice(0..<4096)))
        }
        #expect(source.mappedBytes.withLock { $0 } == 3 * CacheLayout.slabBytes)
    }

    @Test func `A cache that was refused memory asks again after a while`() {
        let source = CountingPages()
        let cache = BlockCache(source: source)
        cache.resize(slabCount: 3)
        source.limitBytes.withLock { $0 = CacheLayout.slabBytes }
        let buffer = AlignedBuffer(count: 4096)
        let entry = MapEntry(word: 8, checksum: 1)
        let bytes = unsafe UnsafeRawBufferPointer(buffer.slice(0..<4096))
        for key in 0..<2000 as Range<UInt64> { unsafe cache.insert(key, entry, bytes) }
        #expect(source.mappedBytes.withLock { $0 } == CacheLayout.slabBytes)
        source.limitBytes.withLock { $0 = .max }
        // Not at once, or every insertion would call the kernel in vain.
        for key in 2000..<4000 as Range<UInt64> { unsafe cache.insert(key, entry, bytes) }
        #expect(source.mappedBytes.withLock { $0 } == CacheLayout.slabBytes)
        for key in 4000..<80_000 as Range<UInt64> { unsafe cache.insert(key, entry, bytes) }
        #expect(source.mappedBytes.withLock { $0 } == 3 * CacheLayout.slabBytes)
    }

    @Test func `A cache that asked for memory and needs none any more asks again later`() {
        let requests = Locked(0)
        let cache = BlockCache(
            source: AnyPages(isHuge: false),
            layout: CacheLayout(shardCount: 1, framesPerShard: 7),
            onShortage: { requests.withLock { $0 += 1 } }
        )
        cache.resize(slabCount: 2)
        cache.grow()
        let buffer = AlignedBuffer(count: 4096)
        let entry = MapEntry(word: 8, checksum: 1)
        let bytes = unsafe UnsafeRawBufferPointer(buffer.slice(0..<4096))
        for key in 0..<7 as Range<UInt64> { unsafe cache.insert(key, entry, bytes) }
        #expect(requests.withLock { $0 } == 1)
        for key in 0..<7 as Range<UInt64> { cache.remove(key) }
        #expect(!cache.isShort)
        cache.announceGrowth()
        for key in 0..<7 as Range<UInt64> { unsafe cache.insert(key, entry, bytes) }
        #expect(requests.withLock { $0 } == 2)
    }

    /// The size changes while the kernel is still looking for memory.
    @Test func `A slab that comes too late goes back, and nobody waits for it`() {
        let source = HookedPages()
        let cache = BlockCache(source: source)
        source.cache.withLock { $0 = cache }
        cache.resize(slabCount: 1)
        // Would wait for itself if the size were locked.
        cache.grow()
        #expect(source.counts.withLock { $0 == (1, 1) })
        #expect(cache.usedBytes == 0)
        source.cache.withLock { $0 = nil }
        cache.resize(slabCount: 1)
        cache.grow()
        #expect(source.counts.withLock { $0 == (2, 1) })
        #expect(cache.usedBytes >= CacheLayout.slabBytes)
    }

    /// Takes a cache all it has while it asks for more.
    private final class HookedPages: PageSource {
        let cache = Locked<BlockCache?>(nil)
        let counts = Locked((mapped: 0, unmapped: 0))
        private let pages = AnyPages(isHuge: false)

        func map(byteCount: Int) throws(Errno) -> UnsafeMutableRawBufferPointer {
            cache.withLock { $0 }?.resize(slabCount: 0)
            counts.withLock { $0.mapped += 1 }
            return unsafe try pages.map(byteCount: byteCount)
        }

        func unmap(_ bytes: UnsafeMutableRawBufferPointer) {
            counts.withLock { $0.unmapped += 1 }
            unsafe pages.unmap(bytes)
        }
    }

    @Test func `A page that is written anew inherits its standing only from one that was here`() {
        let blocks = BlockCache.small(slabCount: 1)
        let pages = PageCache(blocks: blocks)
        let buffer = AlignedBuffer(count: 4096)
        // The first are used often; then many are written whose predecessors nobody asked for.
        let used = (1...6).map { MapEntry(location: Location(units: $0 * 1024), checksum: 1) }
        for page in used {
            pages.insert(page, buffer)
            for _ in 0..<3 { _ = pages.copy(page, to: buffer) }
        }
        for number in 100..<160 as Range<UInt64> {
            let old = MapEntry(location: Location(units: number * 2048), checksum: 1)
            let page = MapEntry(location: Location(units: number * 2048 + 1024), checksum: 1)
            pages.replace(old, by: page, buffer)
        }
        let kept = used.count { blocks.contains($0.location.units, $0) }
        #expect(kept == used.count)
    }

    /// Slabs go while others read from them: a frame that was let go of would be a bad access.
    @Test func `Readers and a changing size do not disturb each other`() throws {
        let cache = BlockCache(source: AnyPages(isHuge: false))
        let state = Locked((running: 3, wrong: 0, hits: 0))
        for seed in 1...3 as ClosedRange<UInt64> {
            try Thread(name: "reader") {
                var random = SeededRandom(seed: seed)
                let buffer = AlignedBuffer(count: 4096)
                var (wrong, hits) = (0, 0)
                for _ in 0..<Sanitizer.rounds(15_000, sanitized: 4000) {
                    let key = UInt64(random.below(2000))
                    let entry = MapEntry(word: UInt64(1 + random.below(2)), checksum: 1)
                    if unsafe cache.copy(key, entry, from: 0, into: buffer.slice(0..<4096)) {
                        hits += 1
                        let bytes = unsafe UnsafeRawBufferPointer(buffer.slice(0..<4096))
                        if unsafe !isRight(bytes, from: 0, key, entry) { wrong += 1 }
                    } else {
                        fill(buffer, key, entry)
                        let bytes = unsafe UnsafeRawBufferPointer(buffer.slice(0..<4096))
                        unsafe cache.insert(key, entry, bytes)
                    }
                }
                state.withLock { $0 = ($0.running - 1, $0.wrong + wrong, $0.hits + hits) }
            }.detach()
        }
        var random = SeededRandom(seed: 9)
        while state.withLock({ $0.running }) > 0 { cache.resize(slabCount: random.below(5)) }
        #expect(state.withLock { $0.wrong } == 0)
        #expect(state.withLock { $0.hits } > 0)
    }
}

extension BlockCache {
    fileprivate func contains(_ key: UInt64, version: Int) -> Bool {
        contains(key, MapEntry(word: UInt64(version), checksum: UInt32(key)))
    }
}
