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

    @Test func `Of more than can be remembered the first are, each time some of them`() {
        var ranges = ranges()
        let count = UInt64(ScatteredRanges.countMax)
        func scan(_ seconds: UInt64) {
            for chunk in 0..<count * 3 / 2 {
                ranges.note(chunk * 256..<chunk * 256 + 256, now: seconds * Self.second)
            }
        }
        scan(1)
        scan(20)
        for chunk in 0..<count { #expect(ranges.take()?.lowerBound == chunk * 256) }
        #expect(ranges.take() == nil)
        // These are in order; now the others have room.
        for seconds in [40, 60] as [UInt64] {
            for chunk in count..<count * 3 / 2 {
                ranges.note(chunk * 256..<chunk * 256 + 256, now: seconds * Self.second)
            }
        }
        for chunk in count..<count * 3 / 2 { #expect(ranges.take()?.lowerBound == chunk * 256) }
    }

    @Test func `What does not come again makes room after a day`() {
        var ranges = ranges()
        let count = UInt64(ScatteredRanges.countMax)
        ranges.note(0..<count * 256, now: 1)
        ranges.note(0..<256, now: 20 * Self.second)
        let other = count * 256..<count * 256 + 256
        for seconds in [100, 86_000, 86_500, 86_600] as [UInt64] {
            ranges.note(other, now: seconds * Self.second)
        }
        #expect(ranges.take() == 0..<256)
        #expect(ranges.take() == other)
        #expect(ranges.take() == nil)
    }

    @Test func `What could not be put in order is due with its next read`() {
        var ranges = ranges()
        ranges.giveBack(512..<768)
        #expect(ranges.take() == nil)
        ranges.note(600..<601, now: 50 * Self.second)
        #expect(ranges.take() == 512..<768)
    }

    @Test func `Few requests for many blocks are no reason`() {
        #expect(ScatteredRanges.isScattered(blockCount: 256, runCount: 256))
        #expect(ScatteredRanges.isScattered(blockCount: 256, runCount: 33))
        #expect(!ScatteredRanges.isScattered(blockCount: 256, runCount: 32))
        #expect(!ScatteredRanges.isScattered(blockCount: 4, runCount: 1))
    }
}
