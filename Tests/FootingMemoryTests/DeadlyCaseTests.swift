import FootingMemory
import Testing

private let mebibyte = SimulatedGuest.mebibyte

/// The case that kills a passive cache: the host takes 724 MiB from a guest of 1 GiB without swap
/// whose cache holds 600 MiB, and PSI reads 0 until the end.
@Suite("The host takes more than is free")
struct DeadlyCaseTests {
    private func fullGuest(rate: UInt64) -> SimulatedGuest {
        var guest = SimulatedGuest(budgetBytes: 600 * mebibyte)
        guest.cacheBytes = 600 * mebibyte
        guest.balloonRateBytes = rate * mebibyte
        return guest
    }

    @Test("a passive cache runs out of memory")
    func passive() {
        var guest = fullGuest(rate: 150)
        guest.balloonTargetBytes = 724 * mebibyte
        for _ in 0..<10000 { guest.pass() }
        #expect(guest.hasRunOut)
    }

    @Test(
        "release outruns the balloon, and it reaches its target",
        arguments: [20, 150, 300, 600, 800] as [UInt64],
        [false, true]
    )
    func outrun(rate: UInt64, showsTarget: Bool) {
        var guest = fullGuest(rate: rate)
        guest.showsTarget = showsTarget
        var controller = BalloonController(maximumBytes: 600 * mebibyte)
        guest.run(&controller, milliseconds: 2000)
        #expect(controller.budgetBytes == 600 * mebibyte)
        guest.balloonTargetBytes = 724 * mebibyte
        guest.run(&controller, milliseconds: 45000)
        #expect(!guest.hasRunOut)
        #expect(guest.balloonBytes == guest.balloonTargetBytes)
        #expect(controller.budgetBytes >= guest.floorBytes)
        // The balloon gives back: in time the cache has its memory again.
        guest.balloonTargetBytes = 0
        guest.run(&controller, milliseconds: 240_000)
        #expect(controller.budgetBytes == 600 * mebibyte)
        #expect(!guest.hasRunOut)
    }

    @Test("90 % of what is missing is released within a second of the balloon's first growth")
    func promptness() throws {
        var guest = fullGuest(rate: 400)
        var controller = BalloonController(maximumBytes: 600 * mebibyte)
        guest.run(&controller, milliseconds: 2000)
        let begun = guest.milliseconds
        // All that is above the lower mark, and 100 MiB more.
        guest.balloonTargetBytes = guest.freeBytes - 115 * mebibyte + 100 * mebibyte
        var reached: UInt64?
        guest.run(&controller, milliseconds: 5000) { guest, _ in
            if reached == nil, 600 * mebibyte - guest.cacheBytes >= 90 * mebibyte {
                reached = guest.milliseconds - begun
            }
        }
        #expect(try #require(reached) < 1000)
        #expect(!guest.hasRunOut)
    }

    @Test(
        "where the target is shown, all of it is released at once, and no more",
        arguments: [20, 150, 400] as [UInt64]
    )
    func shownTarget(rate: UInt64) throws {
        var guest = fullGuest(rate: rate)
        guest.showsTarget = true
        var controller = BalloonController(maximumBytes: 600 * mebibyte)
        guest.run(&controller, milliseconds: 2000)
        let begun = guest.milliseconds
        guest.balloonTargetBytes = 724 * mebibyte
        // What is left then, less the others and 18 % of it.
        let left = (guest.totalBytes - 724 * mebibyte) / 100 * 82 - guest.othersBytes
        let missing = 600 * mebibyte - left
        var reached: UInt64?
        var least = guest.cacheBytes
        guest.run(&controller, milliseconds: 8000) { guest, _ in
            least = min(least, guest.cacheBytes)
            if reached == nil, 600 * mebibyte - guest.cacheBytes >= missing / 10 * 9 {
                reached = guest.milliseconds - begun
            }
        }
        #expect(try #require(reached) < 1000)
        #expect(least > left - 20 * mebibyte, "\(least / mebibyte) of \(left / mebibyte) MiB")
        #expect(!guest.hasRunOut)
    }

    @Test("a balloon that outgrows what it was to have is not believed")
    func wrongTarget() {
        var guest = fullGuest(rate: 300)
        var controller = BalloonController(maximumBytes: 600 * mebibyte)
        guest.balloonTargetBytes = 724 * mebibyte
        // The device says 0 all the time, as where nobody answers.
        guest.showsTarget = true
        guest.wrongTargetBytes = 0
        guest.run(&controller, milliseconds: 20000)
        #expect(!guest.hasRunOut)
        #expect(guest.balloonBytes == guest.balloonTargetBytes)
    }

    @Test("a cache that still fills does not run into the balloon")
    func filling() {
        var guest = SimulatedGuest(budgetBytes: 800 * mebibyte)
        guest.fillRateBytes = 700 * mebibyte
        var controller = BalloonController(maximumBytes: 800 * mebibyte)
        guest.balloonTargetBytes = 600 * mebibyte
        guest.run(&controller, milliseconds: 20000)
        #expect(!guest.hasRunOut)
        #expect(guest.balloonBytes == guest.balloonTargetBytes)
    }

    @Test("128 MiB in all: the reserve is kept, and something is left to work with")
    func smallest() {
        var guest = SimulatedGuest(budgetBytes: 64 * mebibyte)
        guest.totalBytes = 93 * mebibyte
        guest.othersBytes = 40 * mebibyte
        guest.floorBytes = 4 * mebibyte
        var controller = BalloonController(maximumBytes: 64 * mebibyte)
        guest.run(&controller, milliseconds: 60000)
        #expect(!guest.hasRunOut)
        #expect(guest.cacheBytes >= 16 * mebibyte)
        #expect(guest.reading.machine?.availableBytes ?? 0 >= 16 * mebibyte)
    }
}
