import FootingSimulation
import FootingSystem
import Testing

@testable import FootingDisk

@Suite struct ReadAheadTests {
    private func readAhead() -> ReadAhead {
        var ahead = ReadAhead()
        ahead.windowLimit = 512
        return ahead
    }

    @Test func `A stream's window grows, and is asked for before it is needed`() {
        var ahead = readAhead()
        var aheadEnd: UInt64 = 0
        var longest = 0
        for block in stride(from: 0, to: 4000, by: 4) as StrideTo<UInt64> {
            _ = ahead.note(block..<block + 4, end: 1 << 30)
            if let range = ahead.take() {
                // One after the other, without gaps.
                #expect(aheadEnd == 0 || range.lowerBound == aheadEnd)
                aheadEnd = range.upperBound
                longest = max(longest, range.count)
            }
            if block > 16 { #expect(aheadEnd > block + 4) }
        }
        #expect(longest > 200)
        #expect(aheadEnd <= 4000 + 512)
    }

    @Test func `Several streams are followed at a time`() {
        var ahead = readAhead()
        var ranges: [Range<UInt64>] = []
        for step in 0..<20 as Range<UInt64> {
            for stream in 0..<6 as Range<UInt64> {
                let block = stream << 20 | step * 8
                if ahead.note(block..<block + 8, end: 1 << 30) {
                    ahead.take().map { ranges.append($0) }
                }
            }
        }
        for stream in 0..<6 as Range<UInt64> {
            let own = ranges.filter { $0.lowerBound >> 20 == stream }
            #expect(own.reduce(0) { $0 + $1.count } >= 128)
        }
    }

    @Test func `Reads that overtake each other are still a stream`() {
        var ahead = readAhead()
        for block in stride(from: 0, to: 400, by: 16) as StrideTo<UInt64> {
            _ = ahead.note(block + 8..<block + 16, end: 1 << 30)
            _ = ahead.note(block..<block + 8, end: 1 << 30)
        }
        let range = ahead.take()
        #expect(range != nil)
    }

    @Test func `Reads at random are no stream`() {
        var ahead = readAhead()
        var random = SeededRandom(seed: 3)
        for _ in 0..<10_000 {
            let block = random.next() % (1 << 28)
            _ = ahead.note(block..<block + 1, end: 1 << 28)
        }
        let range = ahead.take()
        #expect(range == nil)
    }

    @Test func `Nothing is read beyond the end, nor without room`() {
        var ahead = readAhead()
        for block in 0..<100 as Range<UInt64> {
            _ = ahead.note(block..<block + 1, end: 100)
            while let range = ahead.take() { #expect(range.upperBound <= 100) }
        }
        ahead.windowLimit = 8
        for block in 1000..<1100 as Range<UInt64> {
            let isWanted = ahead.note(block..<block + 1, end: 1 << 30)
            #expect(!isWanted)
        }
    }

    @Test func `What was read ahead is there, and is counted`() throws {
        var options = EngineOptions()
        options.pageSource = AnyPages(isHuge: false)
        options.cachesWrites = false
        let disk = try TestDisk(sizeBytes: 8 << 20, options: options)
        for block in 0..<1024 as Range<UInt64> {
            try disk.write(block * 4096, 4096, UInt8(truncatingIfNeeded: block))
        }
        try disk.engine.checkpoint()
        for block in 0..<1024 as Range<UInt64> {
            #expect(try disk.holds(block * 4096, 4096, UInt8(truncatingIfNeeded: block)))
            while disk.engine.readAheadStep() {}
        }
        let statistics = disk.engine.statistics
        #expect(statistics.readsAhead > 3)
        #expect(statistics.blockCache.aheadHits > 900)
        #expect(statistics.blockCache.aheadInsertions >= statistics.blockCache.aheadHits)
        #expect(statistics.blockCache.misses < 50)
    }
}
