import Testing

@testable import FootingNBD

/// When a thread polls for its client's next request, and when it sleeps.
@Suite struct BusyPollTests {
    private static let limit: UInt64 = 200_000

    /// One that has seen only short waits.
    private func trusting() -> BusyPoll {
        var poll = BusyPoll(limitNanoseconds: Self.limit)
        for _ in 0..<100 { poll.slept(30_000) }
        return poll
    }

    @Test
    func `nobody polls for a client that is not known yet`() {
        var poll = BusyPoll(limitNanoseconds: Self.limit)
        for _ in 0..<32 {
            #expect(poll.nanoseconds == nil)
            poll.slept(30_000)
        }
    }

    @Test
    func `a client that always comes soon is polled for`() {
        #expect(trusting().nanoseconds == Self.limit)
    }

    @Test
    func `a client that comes late is not`() {
        var poll = BusyPoll(limitNanoseconds: Self.limit)
        for _ in 0..<1000 { poll.slept(Self.limit + 1) }
        #expect(poll.nanoseconds == nil)
    }

    @Test
    func `one poll in vain ends polling, until many waits were short again`() {
        var poll = trusting()
        poll.polled(didPay: false)
        #expect(poll.nanoseconds == nil)
        var count = 0
        while poll.nanoseconds == nil, count < 1000 {
            poll.slept(30_000)
            count += 1
        }
        #expect((20...100).contains(count))
    }

    @Test
    func `a client that is late once in a hundred times is still polled for`() {
        var poll = trusting()
        var pollCount = 0
        for number in 0..<10_000 {
            let isLate = number % 100 == 0
            if poll.nanoseconds != nil {
                pollCount += 1
                poll.polled(didPay: !isLate)
            } else {
                poll.slept(isLate ? 10_000_000 : 30_000)
            }
        }
        #expect(pollCount > 5000)
    }

    @Test
    func `a client that is late once in ten times costs hardly a poll`() {
        var poll = BusyPoll(limitNanoseconds: Self.limit)
        var vainCount = 0
        for number in 0..<10_000 {
            let isLate = number % 10 == 0
            if poll.nanoseconds != nil {
                if isLate { vainCount += 1 }
                poll.polled(didPay: !isLate)
            } else {
                poll.slept(isLate ? 10_000_000 : 30_000)
            }
        }
        #expect(vainCount < 10)
    }

    @Test
    func `a limit of nothing means never`() {
        var poll = BusyPoll(limitNanoseconds: 0)
        for _ in 0..<1000 { poll.slept(0) }
        #expect(!poll.isEnabled)
    }

    @Test
    func `half of the processors poll at most, and none where there is one`() {
        #expect(!PollingPlaces(processorCount: 1).take())
        let places = PollingPlaces(processorCount: 5)
        #expect(places.take())
        #expect(places.take())
        #expect(!places.take())
        places.giveBack()
        #expect(places.take())
        #expect(!places.take())
    }

    @Test(
        arguments: [
            // Processors, their worth of time, who may poll.
            (16, nil, 8), (16, 1.0, 0), (16, 0.5, 0), (16, 1.99, 0), (16, 2.0, 1), (16, 6.5, 3),
            (4, 64.0, 2), (1, nil, 0), (2, 1e300, 1),
        ] as [(Int, Double?, Int)]
    )
    func `half of what a limit on processor time allows may poll`(
        count: Int,
        processors: Double?,
        places: Int
    ) {
        let polling = PollingPlaces(processorCount: count, processors: processors)
        for _ in 0..<places { #expect(polling.take()) }
        #expect(!polling.take())
    }
}
