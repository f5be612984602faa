import FootingHost
import FootingMemory

/// A guest without swap whose cache fills up to its budget, and whose host takes memory.
///
/// Time goes by steps of a millisecond; the figures are in bytes.
struct SimulatedGuest {
    static let mebibyte: UInt64 = 1 << 20

    var totalBytes = 963 * mebibyte
    /// The kernel and everybody else.
    var othersBytes = 90 * mebibyte
    var cacheBytes: UInt64 = 0
    var budgetBytes: UInt64
    var floorBytes = 8 * mebibyte
    var balloonBytes: UInt64 = 0
    var balloonTargetBytes: UInt64 = 0
    /// In a second.
    var balloonRateBytes = 150 * mebibyte
    var fillRateBytes = 100 * mebibyte
    /// What the kernel needs for itself.
    let watermarkBytes = 4 * mebibyte
    /// How long it takes to give 1 MiB back, in microseconds: slow, as under emulation.
    let releaseMicroseconds: UInt64 = 500
    /// Deflate-on-oom leaves the total as it is.
    var takesFromTotal = true
    /// Whether the device can be asked what the host wants.
    var showsTarget = false
    /// What it answers instead.
    var wrongTargetBytes: UInt64?
    private(set) var hasRunOut = false
    private(set) var milliseconds: UInt64 = 0

    init(budgetBytes: UInt64) { self.budgetBytes = budgetBytes }

    var freeBytes: UInt64 {
        let used = othersBytes + cacheBytes + balloonBytes
        return used < totalBytes ? totalBytes - used : 0
    }

    var use: MemoryUse {
        MemoryUse(budgetBytes: budgetBytes, usedBytes: cacheBytes, floorBytes: floorBytes)
    }

    var reading: MemoryReading {
        let guest = totalBytes - min(balloonBytes, totalBytes)
        let free = freeBytes
        return MemoryReading(
            machine: Headroom(
                sizeBytes: guest,
                availableBytes: free > watermarkBytes ? free - watermarkBytes : 0
            ),
            balloon: BalloonStatus(
                currentBalloonBytes: balloonBytes,
                targetBalloonBytes: showsTarget
                    ? .known(wrongTargetBytes ?? balloonTargetBytes) : .absent("no way"),
                guestMemoryBytes: guest,
                isActive: balloonBytes != balloonTargetBytes
            )
        )
    }

    /// Lets a millisecond pass.
    ///
    /// The balloon never takes the last page, but a cache that wants to
    /// fill up then, or anybody else, finds nothing: that is when the kernel kills.
    mutating func pass() {
        milliseconds += 1
        if balloonBytes < balloonTargetBytes {
            balloonBytes += min(
                balloonRateBytes / 1000,
                balloonTargetBytes - balloonBytes,
                freeBytes
            )
        } else {
            balloonBytes -= min(balloonRateBytes / 1000, balloonBytes - balloonTargetBytes)
        }
        if cacheBytes < budgetBytes {
            cacheBytes += min(fillRateBytes / 1000, budgetBytes - cacheBytes, freeBytes)
        }
        if freeBytes < watermarkBytes { hasRunOut = true }
    }

    /// Takes a new budget, which takes the holder a while.
    mutating func setBudget(_ bytes: UInt64) {
        budgetBytes = max(bytes, floorBytes)
        guard cacheBytes > budgetBytes else { return }
        let microseconds = (cacheBytes - budgetBytes) / Self.mebibyte * releaseMicroseconds
        for _ in 0..<microseconds / 1000 { pass() }
        cacheBytes = min(cacheBytes, budgetBytes)
    }

    /// Runs with a controller that looks as often as the monitor would.
    mutating func run(
        _ controller: inout BalloonController,
        milliseconds duration: UInt64,
        _ each: (SimulatedGuest, Decision) -> Void = { _, _ in }
    ) {
        let end = milliseconds + duration
        var next = milliseconds
        var quickUntil: UInt64 = 0
        var last = reading
        while milliseconds < end {
            pass()
            if milliseconds < next { continue }
            let now = reading
            if now != last { quickUntil = milliseconds + 2000 }
            next = milliseconds + (milliseconds < quickUntil ? 50 : 250)
            last = now
            let decision = controller.step(now, use: use, at: milliseconds * 1_000_000)
            if decision.isChange { setBudget(decision.budgetBytes) }
            each(self, decision)
        }
    }
}
