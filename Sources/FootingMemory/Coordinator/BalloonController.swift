/// Decides how much memory may be used: a function of readings and time, without any of its own.
///
/// It releases what is missing at once and takes again slowly; docs/memory.md tells the rules.
public struct BalloonController: Sendable {
    /// Never more than this, in bytes.
    public let maximumBytes: UInt64
    /// What may be used now, in bytes.
    public private(set) var budgetBytes: UInt64

    private let policy: ControllerPolicy
    private var machine = Trend()
    private var group = Trend()
    private var balloon = BalloonTrend()
    private var lastNanoseconds: UInt64 = 0
    private var lastUsedBytes: UInt64?
    private var pressureNanoseconds: UInt64?
    private var wordNanoseconds: UInt64?
    private var releaseNanoseconds: UInt64?
    private var growthNanoseconds: UInt64?
    private var hasGrown = false
    private var quietNanoseconds: UInt64
    /// Since which look after the last release there is too little for what the balloon is to take.
    private var planShortNanoseconds: UInt64?

    /// Allows all there is.
    ///
    /// - Parameters:
    ///   - maximumBytes: the budget without any pressure.
    ///   - policy: the numbers.
    public init(maximumBytes: UInt64, policy: ControllerPolicy = .standard) {
        self.maximumBytes = maximumBytes
        self.policy = policy
        budgetBytes = maximumBytes
        quietNanoseconds = policy.quietNanoseconds
    }

    /// Looks at a reading, and says what may be used from now on.
    ///
    /// - Parameters:
    ///   - reading: what the machine tells.
    ///   - use: what is used at the same time.
    ///   - nanoseconds: when, by a clock that does not go back; if it does, no time has passed.
    public mutating func step(
        _ reading: MemoryReading,
        use: MemoryUse,
        at nanoseconds: UInt64
    ) -> Decision {
        let now = max(nanoseconds, lastNanoseconds)
        let elapsed = lastUsedBytes == nil ? 0 : now - lastNanoseconds
        // What is used more is not missing because of others; what was given back may come late.
        let ownGrowth = use.usedBytes.less(lastUsedBytes ?? use.usedBytes)
        balloon.step(reading, elapsed, policy)
        let known = ownGrowth.plus(balloon.plannedGrowthBytes)
        machine.step(reading.machine, known, elapsed, policy)
        group.step(reading.group, ownGrowth, elapsed, policy)
        lastNanoseconds = now
        lastUsedBytes = use.usedBytes
        if balloon.hasGrown { pressureNanoseconds = now }

        let floor = min(use.floorBytes, maximumBytes)
        let demand = demand(reading, use, now)
        if let demand {
            noteRelapse(now)
            pressureNanoseconds = now
            let base = min(budgetBytes, use.usedBytes)
            let least = (maximumBytes - floor) / policy.releaseDivisor
            let wanted = min(base.less(demand.bytes), budgetBytes.less(least))
            return settle(max(floor, wanted), demand.cause, demand.reason, now)
        }
        if let lower = promised(reading, use, floor) {
            let reason = "\(sizeText(lower)) is all that is there to be had"
            return settle(lower, .promise, reason, now)
        }
        if let higher = recovered(reading, use, floor, now) {
            let seconds = pressureNanoseconds.map { (now - $0) / 1_000_000_000 } ?? 0
            return settle(higher, .recovery, "no pressure for \(seconds) s, and there is room", now)
        }
        return settle(budgetBytes, .steady, "no pressure", now)
    }

    private mutating func settle(
        _ bytes: UInt64,
        _ cause: Decision.Cause,
        _ reason: String,
        _ now: UInt64
    ) -> Decision {
        // A floor that rises above the budget does not raise it: that is no pressure's business.
        let isGrowth = cause == .recovery
        let next = isGrowth ? min(bytes, maximumBytes) : min(bytes, budgetBytes)
        let decision = Decision(
            budgetBytes: next,
            previousBudgetBytes: budgetBytes,
            cause: cause,
            reason: reason
        )
        if next < budgetBytes {
            releaseNanoseconds = now
            // The release may take longer than the patience: that begins when it is done.
            planShortNanoseconds = nil
        }
        if next > budgetBytes {
            growthNanoseconds = now
            hasGrown = true
        }
        budgetBytes = next
        return decision
    }

    /// Pressure soon after memory was taken again doubles the time until the next attempt.
    private mutating func noteRelapse(_ now: UInt64) {
        guard hasGrown, let growthNanoseconds else { return }
        hasGrown = false
        quietNanoseconds =
            now - growthNanoseconds < policy.relapseNanoseconds
            ? min(quietNanoseconds * 2, policy.quietMaximumNanoseconds) : policy.quietNanoseconds
    }
}

// MARK: - Releasing

extension BalloonController {
    private struct Demand {
        var bytes: UInt64
        var cause: Decision.Cause
        var reason: String
    }

    /// The most that anybody asks for; nil if nobody does.
    private mutating func demand(
        _ reading: MemoryReading,
        _ use: MemoryUse,
        _ now: UInt64
    ) -> Demand? {
        var demands: [Demand] = []
        if let room = reading.machine {
            let growth = balloon.foreseen(room, policy)
            let foreseen = max(machine.foreseen(room, policy), growth)
            let soon = shortfall(room, policy.machine, foreseen)
            let later = plannedShortfall(room, now)
            let missing = max(soon ?? 0, later ?? 0)
            if missing > 0 {
                let isBalloon = growth > 0 || balloon.pendingBytes > 0
                let reason =
                    "\(sizeText(room.availableBytes)) are available, \(sizeText(missing)) too few"
                demands.append(
                    Demand(
                        bytes: missing,
                        cause: isBalloon ? .balloon : .machineShort,
                        reason: isBalloon ? "\(balloonText): \(reason)" : reason
                    )
                )
            }
        }
        if let room = reading.group,
            let missing = shortfall(room, policy.group, group.foreseen(room, policy))
        {
            let left = sizeText(room.availableBytes)
            let reason = "the control group has \(left) left, \(sizeText(missing)) too few"
            demands.append(Demand(bytes: missing, cause: .groupShort, reason: reason))
        }
        if let word = word(reading, use, now) { demands.append(word) }
        return demands.max { $0.bytes < $1.bytes }
    }

    private var balloonText: String {
        balloon.pendingBytes > 0
            ? "the balloon is to grow by \(sizeText(balloon.pendingBytes))" : "the balloon grows"
    }

    /// What is missing to the reserve of the machine that the balloon will leave.
    ///
    /// At once when that is told, and later only where it stays missing: pages that free-page
    /// reporting has in hand are not counted as available for a moment.
    private mutating func plannedShortfall(_ room: Headroom, _ now: UInt64) -> UInt64? {
        guard balloon.pendingBytes > 0,
            let missing = shortfall(balloon.planned(room), policy.machine, 0)
        else {
            planShortNanoseconds = nil
            return nil
        }
        let since = planShortNanoseconds ?? now
        planShortNanoseconds = since
        guard balloon.hasNewPlan || now - since >= policy.planPatienceNanoseconds else {
            return nil
        }
        return missing
    }

    /// What is missing to the upper mark, if less than the lower one is there.
    private func shortfall(
        _ room: Headroom,
        _ reserve: ControllerPolicy.Reserve,
        _ foreseen: UInt64
    ) -> UInt64? {
        let marks = reserve.marks(of: room.sizeBytes)
        // A limit of 0 has marks of 0, and there is never less than that.
        guard room.availableBytes < marks.lower.plus(foreseen) || room.excessBytes > 0 else {
            return nil
        }
        return marks.upper.plus(foreseen).less(room.availableBytes).plus(room.excessBytes)
    }

    /// A share of what is used, where the kernel tells of pressure that the figures do not show.
    private mutating func word(
        _ reading: MemoryReading,
        _ use: MemoryUse,
        _ now: UInt64
    ) -> Demand? {
        let told = ControllerPolicy.words.filter { event, _ in
            guard reading.events.contains(event) else { return false }
            if event == .machineStall || event == .machineFullStall {
                // Tasks that meet the limit of their own group wait, too: that is their affair.
                return isNear(reading.machine, policy.machine, times: 2)
            }
            if event == .groupStall || event == .groupFullStall, isEcho(reading, now) {
                return false
            }
            // A group fills with cached files up to its limit, and that is no pressure yet.
            return event != .groupLimit || isNear(reading.group, policy.group, times: 1)
        }
        guard let most = told.max(by: { $0.percent < $1.percent }) else { return nil }
        if let last = wordNanoseconds, now - last < policy.wordIntervalNanoseconds { return nil }
        wordNanoseconds = now
        let names = told.flatMap { $0.event.names }.joined(separator: ", ")
        return Demand(
            bytes: use.usedBytes / 100 * most.percent,
            cause: .pressure,
            reason: "\(names): \(most.percent) % of what is used"
        )
    }

    /// Whether stalls are those before the last release, which a trigger tells of up to a window of
    /// two seconds later: then there is room now.
    private func isEcho(_ reading: MemoryReading, _ now: UInt64) -> Bool {
        guard let last = releaseNanoseconds, now - last < policy.echoNanoseconds else {
            return false
        }
        return !isNear(reading.machine, policy.machine, times: 1)
            && (reading.group == nil || !isNear(reading.group, policy.group, times: 1))
    }

    private func isNear(
        _ room: Headroom?,
        _ reserve: ControllerPolicy.Reserve,
        times: UInt64
    ) -> Bool {
        guard let room else { return true }
        return room.excessBytes > 0
            || room.availableBytes < reserve.marks(of: room.sizeBytes).upper * times
    }
}

// MARK: - Allowing

extension BalloonController {
    /// A smaller budget where what is not used of it is not there to be had: it costs nothing now,
    /// and what would fill it must not meet a machine without memory.
    private func promised(
        _ reading: MemoryReading,
        _ use: MemoryUse,
        _ floor: UInt64
    ) -> UInt64? {
        let unused = budgetBytes.less(use.usedBytes)
        guard unused > 0, unused > room(reading, \.lower) else { return nil }
        let wanted = max(floor, use.usedBytes.plus(room(reading, \.upper)))
        let least = max(1, (maximumBytes - floor) / policy.releaseDivisor)
        return wanted <= budgetBytes.less(least) ? wanted : nil
    }

    /// What may be used more without touching the reserve, of the machine and of the group.
    private func room(
        _ reading: MemoryReading,
        _ mark: KeyPath<(lower: UInt64, upper: UInt64), UInt64>
    ) -> UInt64 {
        var room = UInt64.max
        if let machine = reading.machine.map({ balloon.planned($0) }) {
            let reserve = policy.machine.marks(of: machine.sizeBytes)[keyPath: mark]
            room = machine.availableBytes.less(reserve)
        }
        if let group = reading.group {
            let reserve = policy.group.marks(of: group.sizeBytes)[keyPath: mark]
            room = min(room, group.availableBytes.less(reserve))
        }
        return room
    }

    /// A larger budget, if it has been quiet for long enough and there is room.
    private func recovered(
        _ reading: MemoryReading,
        _ use: MemoryUse,
        _ floor: UInt64,
        _ now: UInt64
    ) -> UInt64? {
        guard budgetBytes < maximumBytes else { return nil }
        func hasPassed(_ interval: UInt64, since last: UInt64?) -> Bool {
            last.map { now - $0 >= interval } ?? true
        }
        guard hasPassed(quietNanoseconds, since: pressureNanoseconds),
            hasPassed(policy.growthIntervalNanoseconds, since: growthNanoseconds),
            hasPassed(policy.growthIntervalNanoseconds, since: releaseNanoseconds),
            !isStalled(reading)
        else { return nil }
        let step = max(1, (maximumBytes - floor) / policy.growthDivisor)
        let missing = maximumBytes - budgetBytes
        let allowed = use.usedBytes.plus(room(reading, \.upper))
        let next = min(budgetBytes + min(step, missing), allowed)
        // Not by drops: what there is room for now is soon more.
        let least = min(missing, max(1, (maximumBytes - floor) / policy.releaseDivisor))
        return next >= budgetBytes + least ? next : nil
    }

    private func isStalled(_ reading: MemoryReading) -> Bool {
        if let percent = reading.groupStallPercent, percent > policy.stallPercentMaximum {
            return true
        }
        guard let percent = reading.machineStallPercent, percent > policy.stallPercentMaximum else {
            return false
        }
        return isNear(reading.machine, policy.machine, times: 2)
    }
}
