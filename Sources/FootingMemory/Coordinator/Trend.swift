internal import FootingHost

/// How fast others take memory.
struct Trend: Sendable {
    private var lastBytes: UInt64?
    private var bytesPerSecond: UInt64 = 0

    mutating func step(
        _ room: Headroom?,
        _ ownGrowth: UInt64,
        _ elapsed: UInt64,
        _ policy: ControllerPolicy
    ) {
        defer { lastBytes = room?.availableBytes }
        guard let room, let lastBytes, elapsed > 0 else {
            if room == nil { bytesPerSecond = 0 }
            return
        }
        let fall = lastBytes.less(room.availableBytes).less(ownGrowth)
        let seen = fall > room.sizeBytes / policy.noiseDivisor ? fall : 0
        bytesPerSecond = faded(bytesPerSecond, seen: seen, elapsed)
    }

    /// What others will have taken within the foresight.
    func foreseen(_ room: Headroom, _ policy: ControllerPolicy) -> UInt64 {
        foresight(bytesPerSecond, of: room, policy.foresightPercent, policy)
    }
}

/// How fast the balloon grows, and how far it is to go.
struct BalloonTrend: Sendable {
    /// Whether it grew since the reading before.
    private(set) var hasGrown = false
    /// By how much, in bytes, if it is on its way to a target that is shown: nobody else took that.
    private(set) var plannedGrowthBytes: UInt64 = 0
    /// What it is still to take, where its target is shown, in bytes.
    private(set) var pendingBytes: UInt64 = 0
    /// Whether that became more since the reading before.
    private(set) var hasNewPlan = false
    private var lastBytes: UInt64?
    private var bytesPerSecond: UInt64 = 0
    /// Whether the target tells all that is to come.
    private var isPlanned = false
    private var aim = BalloonAim()
    /// The time that passed, in nanoseconds.
    private var nanoseconds: UInt64 = 0

    mutating func step(_ reading: MemoryReading, _ elapsed: UInt64, _ policy: ControllerPolicy) {
        hasGrown = false
        hasNewPlan = false
        plannedGrowthBytes = 0
        nanoseconds = nanoseconds.plus(elapsed)
        defer { lastBytes = reading.balloon?.currentBalloonBytes }
        guard let balloon = reading.balloon else {
            bytesPerSecond = 0
            pendingBytes = 0
            isPlanned = false
            aim = BalloonAim()
            return
        }
        let size = balloon.guestMemoryBytes
        let current = balloon.currentBalloonBytes
        let target = balloon.targetBalloonBytes.value
        let pending = (target ?? 0).less(current)
        let isMeant = aim.isOnItsWay(current, to: target, guestBytes: size, at: nanoseconds)
        // More than there is cannot be meant, and one that outgrows its target does not go by it.
        isPlanned =
            target.map { pending < size && current <= $0.plus(size / policy.noiseDivisor) }
            ?? false
        let before = pendingBytes
        pendingBytes = isMeant && isPlanned ? pending : 0
        hasNewPlan = pendingBytes > before.plus(size / policy.noiseDivisor)
        guard let lastBytes, elapsed > 0 else { return }
        let growth = balloon.currentBalloonBytes.less(lastBytes)
        hasGrown = growth > size / policy.noiseDivisor / 4
        plannedGrowthBytes = isPlanned ? growth : 0
        bytesPerSecond = faded(bytesPerSecond, seen: hasGrown ? growth : 0, elapsed)
    }

    /// What it will have taken within the foresight; no more than its target tells.
    func foreseen(_ room: Headroom, _ policy: ControllerPolicy) -> UInt64 {
        let most = isPlanned ? pendingBytes : .max
        return min(
            most,
            foresight(bytesPerSecond, of: room, policy.balloonForesightPercent, policy)
        )
    }

    /// The machine as it is once the balloon has what it is to have.
    func planned(_ room: Headroom) -> Headroom {
        Headroom(
            sizeBytes: room.sizeBytes.less(pendingBytes),
            availableBytes: room.availableBytes.less(pendingBytes),
            excessBytes: room.excessBytes.plus(pendingBytes.less(room.availableBytes))
        )
    }
}

/// A rate in bytes per second: a faster one counts at once, a slower one half in half a second.
private func faded(_ rate: UInt64, seen bytes: UInt64, _ elapsed: UInt64) -> UInt64 {
    // Readings are never closer than a millisecond as far as this is concerned.
    let milliseconds = max(1, elapsed / 1_000_000)
    let now = bytes.times(1000) / milliseconds
    let halvings = milliseconds / 500
    let rest = milliseconds % 500
    let halved = halvings < 64 ? rate >> halvings : 0
    return max(now, halved - halved / 1000 * rest)
}

private func foresight(
    _ bytesPerSecond: UInt64,
    of room: Headroom,
    _ percentMaximum: UInt64,
    _ policy: ControllerPolicy
) -> UInt64 {
    let most = room.sizeBytes / 100 * percentMaximum
    let taken = bytesPerSecond.times(policy.foresightNanoseconds / 1_000_000) / 1000
    // The last traces of a rate are no reason to hurry.
    return taken > room.sizeBytes / policy.noiseDivisor ? min(taken, most) : 0
}

extension UInt64 {
    /// The difference, or 0.
    func less(_ other: UInt64) -> UInt64 {
        self > other ? self - other : 0
    }

    /// The sum, or the largest number.
    func plus(_ other: UInt64) -> UInt64 {
        let sum = addingReportingOverflow(other)
        return sum.overflow ? .max : sum.partialValue
    }

    /// The product, or the largest number.
    func times(_ other: UInt64) -> UInt64 {
        let product = multipliedReportingOverflow(by: other)
        return product.overflow ? .max : product.partialValue
    }
}
