import FootingSystem
import Testing

@testable import FootingDisk

private let second: UInt64 = 1_000_000_000

/// What tells that clients leave a disk alone, and what is to be put in order then.
@Suite struct RestWatchTests {
    /// A disk's clients, and the time.
    private struct Load {
        var watch = RestWatch()
        var now: UInt64 = 77
        var count: UInt64 = 5

        /// Looks twice a second.
        ///
        /// - Returns: for how many seconds there was rest at the end.
        mutating func pass(_ seconds: Int, perSecond: UInt64) -> UInt64 {
            var rest: UInt64 = 0
            for _ in 0..<2 * seconds {
                rest = look(after: second / 2, perSecond / 2)
            }
            return rest / second
        }

        mutating func look(after nanoseconds: UInt64, _ more: UInt64) -> UInt64 {
            now += nanoseconds
            count += more
            return watch.look(count: count, now: now, countPerSecondMax: 64)
        }
    }

    @Test func `A system at rest that writes its logs counts as one`() {
        var load = Load()
        #expect(load.look(after: 0, 0) == 0)
        #expect(load.pass(20, perSecond: 0) == 20)
        #expect(load.pass(20, perSecond: 60) == 40)
        #expect(load.pass(5, perSecond: 140) < 2)
        #expect(load.pass(12, perSecond: 0) >= 10)
    }

    @Test func `A burst ends it at once`() {
        var load = Load()
        #expect(load.pass(30, perSecond: 0) > 20)
        #expect(load.look(after: second / 100, 65) == 0)
    }

    @Test func `A disk that was not looked at while clients worked has not been at rest`() {
        var load = Load()
        _ = load.pass(1, perSecond: 0)
        #expect(load.look(after: 100 * second, 100 * 1000) == 0)
        // Nobody knows when it was.
        #expect(load.look(after: 1000 * second, 2000) == 0)
    }
}
