import FootingSystem
import Testing

@testable import FootingDisk

/// Which ranges are read as a whole again and again.
@Suite struct ScatteredRangesTests {
    private static let second: UInt64 = 1_000_000_000

    private func ranges() -> ScatteredRanges {
        let geometry = Geometry(sizeBytes: 1 << 40, sparePercent: 11, segmentSizeBytes: 8 << 20)
        return ScatteredRanges(geometry, UpkeepOptions())
    }

    @Test func `A chunk is due when it was read twice, and not in two pieces of one read`() {
        var ranges = ranges()
        #expect(ranges.chunkBlockCount == 256)
        for piece in 0..<8 as Range<UInt64> {
            ranges.note(piece * 64..<(piece + 1) * 64, now: 100 + piece)
        }
        #expect(!ranges.hasDue && ranges.take() == nil)
        ranges.note(256..<300, now: 30 * Self.second)
        #expect(ranges.take() == 256..<512)
        #expect(ranges.take() == nil)
        // It begins anew.
        ranges.note(256..<300, now: 60 * Self.second)
        #expect(ranges.take() == nil)
        ranges.note(500..<501, now: 90 * Self.second)
        #expect(ranges.take() == 256..<512)
    }

    @Test func `What is due comes in order and once`() {
        var ranges = ranges()
        for round in 1...5 as ClosedRange<UInt64> {
            for chunk in [9, 2, 5] as [UInt64] {
                ranges.note(chunk * 256..<chunk * 256 + 256, now: round * 20 * Self.second)
            }
        }
        for first in [9 * 256, 2 * 256, 5 * 256] as [UInt64] {
            #expect(ranges.take()?.lowerBound == first)
        }
        #expect(ranges.take() == nil)
    }

    @Test func `Of more than can be remembered the oldest are forgotten`() {
        var ranges = ranges()
        ranges.note(0..<256, now: 1)
        ranges.note(0..<256, now: 20 * Self.second)
        for chunk in 1...UInt64(ScatteredRanges.countMax) {
            ranges.note(chunk * 256..<chunk * 256 + 256, now: 21 * Self.second)
        }
        // Begun anew with the last of them.
        let last = UInt64(ScatteredRanges.countMax)
        for chunk in [1, last] {
            ranges.note(chunk * 256..<chunk * 256 + 256, now: 60 * Self.second)
        }
        #expect(ranges.take() == 0..<256)
        #expect(ranges.take()?.lowerBound == last * 256)
        #expect(ranges.take() == nil)
    }

    @Test func `Few requests for many blocks are no reason`() {
        #expect(ScatteredRanges.isScattered(blockCount: 256, runCount: 256))
        #expect(ScatteredRanges.isScattered(blockCount: 256, runCount: 33))
        #expect(!ScatteredRanges.isScattered(blockCount: 256, runCount: 32))
        #expect(!ScatteredRanges.isScattered(blockCount: 4, runCount: 1))
    }
}
