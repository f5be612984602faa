import FootingHost
import FootingMemory
import Testing

private let mebibyte: UInt64 = 1 << 20

@Suite("The controller")
struct ControllerTests {
    /// A machine of 1000 MiB: the lower mark is at 120, the upper one at 180 MiB.
    private func machine(available: UInt64) -> MemoryReading {
        MemoryReading(
            machine: Headroom(sizeBytes: 1000 * mebibyte, availableBytes: available * mebibyte)
        )
    }

    private func use(_ used: UInt64, floor: UInt64 = 20) -> MemoryUse {
        MemoryUse(
            budgetBytes: 400 * mebibyte,
            usedBytes: used * mebibyte,
            floorBytes: floor * mebibyte
        )
    }

    private func controller() -> BalloonController {
        BalloonController(maximumBytes: 400 * mebibyte)
    }

    struct First: Sendable, CustomStringConvertible {
        let description: String
        var available: UInt64 = 600
        var used: UInt64 = 400
        var group: (limit: UInt64, available: UInt64)?
        var events: PressureEvents = []
        let budget: UInt64
        let cause: Decision.Cause
    }

    static let firsts: [First] = [
        First(description: "enough for all", budget: 400, cause: .steady),
        First(description: "just enough", available: 120, budget: 400, cause: .steady),
        First(description: "what is missing", available: 100, budget: 320, cause: .machineShort),
        First(
            description: "less than is worth a release",
            available: 119,
            budget: 339,
            cause: .machineShort
        ),
        First(description: "nothing is left", available: 0, budget: 220, cause: .machineShort),
        First(
            description: "of what is used, not of what is allowed",
            available: 100,
            used: 300,
            budget: 220,
            cause: .machineShort
        ),
        First(
            description: "not below the floor",
            available: 0,
            used: 100,
            budget: 20,
            cause: .machineShort
        ),
        First(
            description: "no promise beyond what is there",
            available: 200,
            used: 100,
            budget: 120,
            cause: .promise
        ),
        First(
            description: "a group near its limit",
            group: (500, 40),
            budget: 365,
            cause: .groupShort
        ),
        First(
            description: "the tighter of both",
            available: 100,
            group: (500, 40),
            budget: 320,
            cause: .machineShort
        ),
        First(
            description: "stalls elsewhere, with memory to spare",
            events: .machineStall,
            budget: 400,
            cause: .steady
        ),
        First(
            description: "stalls, with little to spare",
            available: 300,
            events: .machineStall,
            budget: 360,
            cause: .pressure
        ),
        First(
            description: "everybody stalls",
            available: 300,
            events: [.machineStall, .machineFullStall],
            budget: 320,
            cause: .pressure
        ),
        First(
            description: "the own group stalls",
            events: .groupStall,
            budget: 360,
            cause: .pressure
        ),
        First(
            description: "a group full of cached files met its limit",
            group: (500, 400),
            events: .groupLimit,
            budget: 400,
            cause: .steady
        ),
        First(
            description: "a group met its limit for good",
            group: (500, 70),
            events: .groupLimit,
            budget: 360,
            cause: .pressure
        ),
        First(
            description: "a group had nothing left",
            group: (500, 400),
            events: .groupOutOfMemory,
            budget: 300,
            cause: .pressure
        ),
        First(
            description: "the service manager asks",
            events: .serviceManager,
            budget: 360,
            cause: .pressure
        ),
    ]

    @Test("decides on a first reading", arguments: firsts)
    func first(_ test: First) {
        var reading = machine(available: test.available)
        reading.group = test.group.map {
            Headroom(sizeBytes: $0.limit * mebibyte, availableBytes: $0.available * mebibyte)
        }
        reading.events = test.events
        var controller = controller()
        let decision = controller.step(reading, use: use(test.used), at: 1)
        #expect(decision.cause == test.cause)
        // The shares are of hundredths, so that some bytes are lost.
        #expect((decision.budgetBytes + mebibyte - 1) / mebibyte == test.budget)
        #expect(decision.previousBudgetBytes == 400 * mebibyte)
        #expect(controller.budgetBytes == decision.budgetBytes)
        #expect(!decision.reason.isEmpty)
    }

    @Test("a growing balloon is demand before memory is short")
    func growingBalloon() {
        func reading(_ balloon: UInt64, available: UInt64) -> MemoryReading {
            var reading = machine(available: available)
            reading.balloon = BalloonStatus(
                currentBalloonBytes: balloon * mebibyte,
                targetBalloonBytes: .absent("not shown"),
                guestMemoryBytes: 1000 * mebibyte,
                isActive: true
            )
            return reading
        }
        var controller = controller()
        _ = controller.step(reading(0, available: 300), use: use(400), at: 0)
        // 200 MiB a second: 120 + 200 are wanted where 280 are there.
        let decision = controller.step(
            reading(20, available: 280),
            use: use(400),
            at: 100_000_000
        )
        #expect(decision.cause == .balloon)
        #expect(decision.budgetBytes / mebibyte == 400 - (180 + 200 - 280))
        #expect(decision.reason.contains("balloon"))
    }

    @Test("a target that is shown is demand at once", arguments: [(300, true), (5000, false)])
    func shownTarget(targetMebibytes: UInt64, isMeant: Bool) {
        var reading = machine(available: 200)
        reading.balloon = BalloonStatus(
            currentBalloonBytes: 0,
            targetBalloonBytes: .known(targetMebibytes * mebibyte),
            guestMemoryBytes: 1000 * mebibyte,
            isActive: true
        )
        var controller = controller()
        let decision = controller.step(reading, use: use(400), at: 0)
        #expect(decision.cause == (isMeant ? .balloon : .steady))
        // The reserve is that of the 700 MiB that the machine will have.
        if isMeant { #expect(decision.budgetBytes / mebibyte == 400 - (126 + 300 - 200)) }
    }

    @Test(
        "a dip while the balloon is on its way is no demand, one that stays is",
        arguments: [0, 2] as [UInt64]
    )
    func dip(releaseSeconds: UInt64) {
        func reading(_ grown: UInt64, available: UInt64) -> MemoryReading {
            var reading = machine(available: available)
            reading.machine?.sizeBytes -= grown * mebibyte
            reading.balloon = BalloonStatus(
                currentBalloonBytes: grown * mebibyte,
                targetBalloonBytes: .known(500 * mebibyte),
                guestMemoryBytes: (1000 - grown) * mebibyte,
                isActive: true
            )
            return reading
        }
        var controller = controller()
        let first = controller.step(reading(0, available: 400), use: use(400), at: 0)
        // 18 % of the 500 MiB that will be left.
        #expect(first.budgetBytes / mebibyte == 400 - (90 + 500 - 400))
        let used = first.budgetBytes / mebibyte
        var changes: [UInt64] = []
        for look in UInt64(1)...60 {
            // 5 MiB go into the balloon with each look; 40 are away for a moment, later for good.
            let isAway = look < 10 || look >= 30
            let available = 590 - look * 5 - (isAway ? 40 : 0)
            let reading = reading(look * 5, available: available)
            let now = releaseSeconds * 1_000_000_000 + look * 50_000_000
            let decision = controller.step(reading, use: use(used), at: now)
            if decision.isChange { changes.append(look) }
        }
        #expect(changes.first == 50)
    }

    @Test(
        "a target that the balloon is near, or does not go to, is no demand",
        arguments: [(1, 0, false), (300, 29, true), (300, 31, false)]
    )
    func missedTarget(distanceMebibytes: UInt64, seconds: UInt64, isMeant: Bool) {
        var reading = machine(available: 600)
        reading.balloon = BalloonStatus(
            currentBalloonBytes: 10 * mebibyte,
            targetBalloonBytes: .known((10 + distanceMebibytes) * mebibyte),
            guestMemoryBytes: 1000 * mebibyte,
            isActive: true
        )
        var controller = controller()
        for second in 0..<seconds {
            _ = controller.step(reading, use: use(400), at: second * 1_000_000_000)
        }
        // Enough as it is, but not if the balloon takes any of it.
        reading.machine?.availableBytes = 120 * mebibyte
        let decision = controller.step(reading, use: use(400), at: seconds * 1_000_000_000)
        #expect((decision.cause == .balloon) == isMeant)
    }

    @Test("what the holder takes itself is nobody's demand")
    func ownGrowth() {
        var controller = controller()
        _ = controller.step(machine(available: 500), use: use(100), at: 0)
        let decision = controller.step(machine(available: 400), use: use(200), at: 100_000_000)
        #expect(decision.cause == .steady)
        var other = self.controller()
        _ = other.step(machine(available: 300), use: use(400), at: 0)
        let taken = other.step(machine(available: 200), use: use(400), at: 100_000_000)
        #expect(taken.cause == .machineShort)
    }

    @Test("takes again by steps, after it has been quiet")
    func recovery() {
        var controller = controller()
        _ = controller.step(machine(available: 100), use: use(400), at: 0)
        var changes: [(second: UInt64, mebibytes: UInt64)] = []
        for second in UInt64(1)...60 {
            let decision = controller.step(
                machine(available: 600),
                use: use(controller.budgetBytes / mebibyte),
                at: second * 1_000_000_000
            )
            if decision.isChange { changes.append((second, decision.budgetBytes / mebibyte)) }
        }
        #expect(changes.map(\.second) == [10, 16, 22])
        #expect(changes.map(\.mebibytes) == [358, 396, 400])
    }

    @Test("does not take what would be missing")
    func recoveryRoom() {
        var controller = controller()
        _ = controller.step(machine(available: 0), use: use(400), at: 0)
        for second in UInt64(1)...600 {
            let used = controller.budgetBytes / mebibyte
            let decision = controller.step(
                machine(available: 500 - used),
                use: use(used),
                at: second * 1_000_000_000
            )
            #expect(decision.budgetBytes <= 320 * mebibyte)
        }
        #expect(controller.budgetBytes > 280 * mebibyte)
    }

    @Test("waits longer each time when pressure comes back")
    func relapses() {
        var controller = controller()
        var growths: [UInt64] = []
        for second in UInt64(0)..<600 {
            let grew = second == 0 || growths.last == second - 1
            var reading = machine(available: 600)
            if grew { reading.events = .groupStall }
            let used = controller.budgetBytes / mebibyte
            let decision = controller.step(reading, use: use(used), at: second * 1_000_000_000)
            if decision.cause == .recovery { growths.append(second) }
        }
        let waits = zip(growths.dropFirst(), growths).map { $0 - $1 }
        #expect(Array(waits.prefix(4)) == [21, 41, 81, 161])
    }

    @Test("what a group uses beyond its limit is missing, too")
    func excess() {
        var controller = controller()
        var reading = machine(available: 600)
        reading.group = Headroom(
            sizeBytes: 120 * mebibyte,
            availableBytes: 0,
            excessBytes: 200 * mebibyte
        )
        let decision = controller.step(reading, use: use(300), at: 0)
        #expect(decision.cause == .groupShort)
        #expect((decision.budgetBytes + mebibyte - 1) / mebibyte == 300 - 200 - 18 + 1)
    }

    @Test("a limit of 0 has marks of 0: what is used is missing all the same")
    func zeroLimit() {
        func decision(excess: UInt64, _ events: PressureEvents = []) -> Decision {
            var reading = machine(available: 600)
            reading.group = Headroom(sizeBytes: 0, availableBytes: 0, excessBytes: excess)
            reading.events = events
            var controller = controller()
            return controller.step(reading, use: use(400), at: 0)
        }
        let missing = decision(excess: 150 * mebibyte)
        #expect(missing.cause == .groupShort)
        #expect(missing.budgetBytes == 250 * mebibyte)
        // It is near its limit, too: what the kernel tells of it counts.
        #expect(decision(excess: mebibyte, .groupLimit).cause == .pressure)
        #expect(decision(excess: 0).cause == .steady)
    }

    @Test("stalls from before a release are not pressure, if there is room now")
    func echo() {
        var controller = controller()
        _ = controller.step(machine(available: 0), use: use(400), at: 0)
        var reading = machine(available: 600)
        reading.events = .groupStall
        let early = controller.step(reading, use: use(220), at: 2_000_000_000)
        #expect(early.cause == .steady)
        #expect(controller.step(reading, use: use(220), at: 4_000_000_000).cause == .pressure)
        var other = self.controller()
        _ = other.step(machine(available: 0), use: use(400), at: 0)
        reading.machine?.availableBytes = 150 * mebibyte
        let near = other.step(reading, use: use(220), at: 2_000_000_000)
        #expect(near.cause == .pressure)
    }

    @Test("does not grow while tasks wait", arguments: [(0.5, true), (2.0, false)])
    func stalled(percent: Double, grows: Bool) {
        var controller = controller()
        _ = controller.step(machine(available: 100), use: use(400), at: 0)
        var reading = machine(available: 600)
        reading.groupStallPercent = percent
        for second in UInt64(1)...60 {
            let used = controller.budgetBytes / mebibyte
            _ = controller.step(reading, use: use(used), at: second * 1_000_000_000)
        }
        #expect((controller.budgetBytes == 400 * mebibyte) == grows)
    }
}
