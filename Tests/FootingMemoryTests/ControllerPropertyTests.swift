import FootingHost
import FootingMemory
import FootingSystem
import Testing

private let mebibyte: UInt64 = 1 << 20

@Suite("The controller, whatever comes")
struct ControllerPropertyTests {
    /// Changes of the budget within any minute; see docs/memory.md for the sum.
    static let changesPerMinuteMaximum = 48

    /// Checks each decision of a run.
    struct Referee {
        let maximumBytes: UInt64
        var changes: [UInt64] = []
        var most = 0

        mutating func check(_ decision: Decision, floor: UInt64, at nanoseconds: UInt64) {
            #expect(decision.budgetBytes <= maximumBytes)
            // A floor may rise above the budget; then the budget stays where it is.
            #expect(decision.budgetBytes >= min(floor, decision.previousBudgetBytes, maximumBytes))
            let isRecovery = decision.cause == .recovery
            #expect(isRecovery == (decision.budgetBytes > decision.previousBudgetBytes))
            guard decision.isChange else { return }
            changes.append(nanoseconds)
            let minute = changes.reversed().prefix { nanoseconds - $0 < 60_000_000_000 }.count
            most = max(most, minute)
        }
    }

    /// A machine whose figures jump and wander, with events, limits and nonsense.
    private func reading(_ random: inout SeededRandom, _ available: inout UInt64) -> MemoryReading {
        let total = 1000 * mebibyte
        if random.oneIn(20) {
            available = UInt64(random.below(1000)) * mebibyte
        } else {
            let step = UInt64(random.below(20)) * mebibyte
            available =
                random.oneIn(2) ? min(total, available + step) : available - min(available, step)
        }
        var reading = MemoryReading(
            machine: Headroom(sizeBytes: total, availableBytes: available)
        )
        if random.oneIn(50) { reading.machine = nil }
        if random.oneIn(100) {
            reading.machine = Headroom(sizeBytes: .max, availableBytes: random.oneIn(2) ? .max : 0)
        }
        if random.oneIn(3) {
            let limit = UInt64(random.below(500)) * mebibyte
            reading.group = Headroom(
                sizeBytes: limit,
                availableBytes: limit / UInt64(1 + random.below(10))
            )
        }
        if random.oneIn(3) {
            let target =
                random.oneIn(3) ? random.next() : UInt64(random.below(1000)) * mebibyte
            reading.balloon = BalloonStatus(
                currentBalloonBytes: random.oneIn(50) ? .max : UInt64(random.below(500)) * mebibyte,
                targetBalloonBytes: random.oneIn(2) ? .absent("no") : .known(target),
                guestMemoryBytes: random.oneIn(50) ? 0 : total,
                isActive: random.oneIn(2)
            )
        }
        if random.oneIn(10) { reading.events = PressureEvents(rawValue: 1 << random.below(9)) }
        if random.oneIn(10) { reading.machineStallPercent = Double(random.below(100)) }
        return reading
    }

    @Test("stays within its bounds, and changes seldom", arguments: UInt64(1)...60)
    func bounds(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let maximum = UInt64(1 + random.below(600)) * mebibyte
        var controller = BalloonController(maximumBytes: maximum)
        var referee = Referee(maximumBytes: maximum)
        let floor = maximum / UInt64(2 + random.below(30))
        let calm = MemoryReading(
            machine: Headroom(sizeBytes: 1000 * mebibyte, availableBytes: 900 * mebibyte)
        )
        var available = 500 * mebibyte
        var now: UInt64 = random.next() >> 8
        var used = UInt64(random.below(Int(maximum)))
        var calmUntil = now
        for _ in 0..<10000 {
            now += UInt64(random.below(200)) * 1_000_000
            // Storms of some seconds, and calm of some minutes, in which memory is taken again.
            if random.oneIn(200) { calmUntil = now + UInt64(random.below(200)) * 1_000_000_000 }
            if now < calmUntil { now += UInt64(random.below(500)) * 1_000_000 }
            // The holder fills what it may, or does not.
            used = min(controller.budgetBytes, used + UInt64(random.below(30)) * mebibyte)
            if random.oneIn(30) { used /= 2 }
            let use = MemoryUse(
                budgetBytes: controller.budgetBytes,
                usedBytes: used,
                floorBytes: floor
            )
            let stormy = reading(&random, &available)
            let decision = controller.step(now < calmUntil ? calm : stormy, use: use, at: now)
            referee.check(decision, floor: floor, at: now)
        }
        #expect(referee.changes.count > 10, "a trace that moves nothing shows nothing")
        #expect(referee.most <= Self.changesPerMinuteMaximum)
        // Calm, with room: it comes back, in steps of six seconds after at most 160 of quiet.
        for _ in 0..<1200 {
            now += 250_000_000
            let use = MemoryUse(
                budgetBytes: controller.budgetBytes,
                usedBytes: controller.budgetBytes,
                floorBytes: floor
            )
            referee.check(controller.step(calm, use: use, at: now), floor: floor, at: now)
        }
        #expect(controller.budgetBytes == maximum)
    }

    @Test("times that go back, and a floor that moves", arguments: UInt64(1)...20)
    func nonsense(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var controller = BalloonController(maximumBytes: 100 * mebibyte)
        var available = 500 * mebibyte
        for _ in 0..<3000 {
            let use = MemoryUse(
                budgetBytes: random.next(),
                usedBytes: random.oneIn(10) ? random.next() : 50 * mebibyte,
                floorBytes: random.oneIn(10) ? random.next() : 0
            )
            let time = random.oneIn(5) ? random.next() : UInt64(random.below(1 << 40))
            let decision = controller.step(reading(&random, &available), use: use, at: time)
            #expect(decision.budgetBytes <= 100 * mebibyte)
        }
    }

    @Test("a group's limit that comes and goes does not make it swing")
    func swinging() {
        var controller = BalloonController(maximumBytes: 400 * mebibyte)
        var referee = Referee(maximumBytes: 400 * mebibyte)
        // A neighbour that takes 300 MiB for five seconds of every fifteen, for an hour.
        for tick in UInt64(0)..<14400 {
            let taken: UInt64 = tick / 20 % 3 == 0 ? 300 : 0
            let used = controller.budgetBytes
            let reading = MemoryReading(
                machine: Headroom(
                    sizeBytes: 1000 * mebibyte,
                    availableBytes: 900 * mebibyte - taken * mebibyte - used
                )
            )
            let use = MemoryUse(budgetBytes: used, usedBytes: used, floorBytes: mebibyte)
            let decision = controller.step(reading, use: use, at: tick * 250_000_000)
            referee.check(decision, floor: mebibyte, at: tick * 250_000_000)
        }
        // Each return is answered by a longer wait.
        #expect(referee.changes.count <= 100)
    }
}
