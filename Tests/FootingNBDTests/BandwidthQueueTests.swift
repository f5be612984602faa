import FootingSystem
import Testing

@testable import FootingNBD

/// The arithmetic of the limit on the bandwidth: time is a number here.
@Suite struct BandwidthQueueTests {
    private static let second: UInt64 = 1_000_000_000

    /// Serves flows that always want more, each with requests of its own size.
    ///
    /// - Returns: the bytes that each had.
    private func serve(
        _ queue: inout BandwidthQueue,
        sizes: [UInt64],
        from start: UInt64 = Self.second,
        to end: UInt64
    ) -> [UInt64] {
        var served = sizes.map { _ in UInt64(0) }
        var now = start
        for (index, size) in sizes.enumerated() {
            while queue.ask(UInt64(index), bytes: size, now: now) { served[index] += size }
        }
        while let next = queue.nextGrantNanoseconds, next < end {
            now = max(now, next)
            for flow in queue.grant(now) {
                let index = Int(flow)
                served[index] += sizes[index]
                while queue.ask(flow, bytes: sizes[index], now: now) {
                    served[index] += sizes[index]
                }
            }
        }
        return served
    }

    @Test(
        arguments: [64 << 10, 10 << 20, 50 << 20, 1_000_003, 1 << 40] as [UInt64],
        [512, 4096, 100_000, 1 << 20] as [UInt64]
    )
    func `The rate and one burst are served, no more and little less`(rate: UInt64, size: UInt64) {
        // Not a million requests.
        guard rate / size < 100_000 else { return }
        var queue = BandwidthQueue(bytesPerSecond: rate)
        let served = serve(&queue, sizes: [size], to: 11 * Self.second)[0]
        let most = rate * 10 + queue.burstBytes
        #expect(served <= most)
        #expect(served + size + queue.burstBytes >= most)
        #expect(queue.burstBytes == rate / 10)
    }

    @Test func `What the clock rounds off is not lost or won`() {
        // A request takes a third of a nanosecond more than a whole number of them.
        var queue = BandwidthQueue(bytesPerSecond: 3 << 20)
        let served = serve(&queue, sizes: [512], to: 101 * Self.second)[0]
        let most: UInt64 = (3 << 20) * 100 + queue.burstBytes
        #expect(served <= most && served + 2048 >= most)
    }

    @Test func `Flows have equal bytes whatever the size of their requests`() {
        var queue = BandwidthQueue(bytesPerSecond: 10 << 20)
        let served = serve(
            &queue,
            sizes: [4096, 1 << 20, 64 << 10, 32 << 20],
            to: 41 * Self.second
        )
        let share: UInt64 = (10 << 20) * 40 / 4
        for (index, bytes) in served.enumerated() {
            // A request counts once it is complete.
            let slack: UInt64 = index == 3 ? 33 << 20 : 2 << 20
            #expect(bytes + slack >= share && bytes <= share + slack, "\(served)")
        }
    }

    @Test func `Who was idle has saved up nothing and waits for no other's past`() {
        var queue = BandwidthQueue(bytesPerSecond: 10 << 20)
        let alone = serve(&queue, sizes: [1 << 20], to: 11 * Self.second)[0]
        #expect(alone >= 100 << 20)
        queue.remove(0)
        let start = 11 * Self.second
        let both = serve(&queue, sizes: [1 << 20, 1 << 20], from: start, to: 21 * Self.second)
        #expect(both[0].distance(to: both[1]).magnitude <= 2 << 20, "\(both)")
        // The second was alone for a while; the first is not to starve it, nor the other way.
        queue.remove(0)
        queue.remove(1)
        #expect(queue.waitingCount == 0 && queue.nextGrantNanoseconds == nil)
    }

    @Test func `A small request behind a large one of another waits for a piece`() {
        var queue = BandwidthQueue(bytesPerSecond: 1 << 20)
        let start = Self.second
        let isFirstServed = queue.ask(1, bytes: 32 << 20, now: start)
        let isSecondServed = queue.ask(2, bytes: 4096, now: start)
        #expect(!isFirstServed && !isSecondServed)
        var granted: [UInt64] = []
        var now = start
        while granted.isEmpty, let next = queue.nextGrantNanoseconds {
            now = max(now, next)
            granted = queue.grant(now)
        }
        #expect(granted == [2])
        #expect(now - start < Self.second / 10)
    }

    @Test func `Nothing is saved up beyond the burst`() {
        var queue = BandwidthQueue(bytesPerSecond: 10 << 20)
        let late = 1000 * Self.second
        // A tenth of a second fills it, and a nanosecond less does not.
        let later = late + Self.second / 10
        var answers: [Bool] = []
        for (bytes, now) in [
            (queue.burstBytes, late), (1, late), (queue.burstBytes, later - 1),
            (queue.burstBytes, later),
        ] {
            answers.append(queue.ask(1, bytes: bytes, now: now))
            queue.remove(1)
        }
        #expect(answers == [true, false, false, true])
    }
}
