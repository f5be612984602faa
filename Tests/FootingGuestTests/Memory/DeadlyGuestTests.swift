import FootingSystem
import Testing

/// The host takes 724 MiB from a guest of 1 GiB without swap, in which a cache holds 600 MiB.
@Suite(.needsMemoryTools, .serialized)
struct DeadlyGuestTests {
    /// What a disk with 600 MiB of blocks needs in all; what is not there to be had is not used.
    private static let budgetMebibytes = 740
    private static let remainingMebibytes = 300

    /// A guest whose cache is full.
    private static func filled(_ options: String) throws -> SqueezedGuest {
        let squeezed = try SqueezedGuest()
        try squeezed.serve("--memory \(budgetMebibytes)M \(options)")
        try squeezed.load("scan \(FilledContainer.filledMebibytes)", limitSeconds: 110)
        let held = try squeezed.serverMebibytes()
        #expect(held > 500 && held <= budgetMebibytes, "\(held) MiB")
        return squeezed
    }

    @Test func `a cache that never gives back is killed, and pressure tells nothing before`()
        throws
    {
        let squeezed = try Self.filled("--fixed-memory")
        let before = try squeezed.stallMicroseconds()
        try squeezed.ask(forMebibytes: Self.remainingMebibytes)
        guard let last = try Self.lastRow(squeezed) else { return }
        let kills = try squeezed.kills()
        #expect(kills.contains { $0.contains("(footing)") }, "\(kills)")
        let stalled = last[4] - before
        #expect(stalled < 300_000, "\(stalled) microseconds")
    }

    /// The guest's own view before the server's end, by a process that needs no other and is
    /// spared itself.
    ///
    /// - Returns: nil if the guest died of it: where the host is slow a killed server takes longer
    ///   to end than the kernel waits for it, and there is nobody else whom it could kill.
    private static func lastRow(_ squeezed: SqueezedGuest) throws -> [Int]? {
        let watched: String
        do {
            watched = try squeezed.guest.shell(
                """
                echo -1000 >/proc/self/oom_score_adj; \
                exec memory watch $(busybox cat /tmp/serve.pid) 20
                """,
                limitSeconds: 60
            )
        } catch {
            guard "\(error)".contains("System is deadlocked on memory") else { throw error }
            print("the guest itself died of it; what pressure told before is not known")
            return nil
        }
        let rows = watched.split(separator: "\n").map { row in
            row.split(separator: " ").map { Int($0) ?? -1 }
        }
        let last: [Int] = try #require(rows.last { $0.count == 5 && $0[1] >= 0 })
        return last
    }

    @Test func `serve gives back what the balloon takes, and the host has it`() throws {
        let squeezed = try Self.filled("")
        let before = try squeezed.guest.emulatorBytes() / SqueezedGuest.mebibyte
        try squeezed.startLoad("mix \(FilledContainer.filledMebibytes) 12")
        try squeezed.startWatch(seconds: 60)
        let end = try squeezed.resize(toMebibytes: Self.remainingMebibytes, limitSeconds: 30)
        #expect(end.mebibytes == Self.remainingMebibytes)
        let load = try squeezed.endedLoad(limitSeconds: 60)
        #expect(load.errors == 0 && load.requests > 0)
        #expect(try squeezed.isServing())
        #expect(try squeezed.kills() == [])
        // The target is known at once, so all is released long before the balloon is there.
        let rows = try squeezed.watched()
        let late = try #require(WatchRow.release(rows), "\(rows.count) rows")
        print("deficit released after \(late.milliseconds) ms, at \(late.part) of the way")
        // Tests beside this one slow the guest down, and its balloon with it.
        let isSoon = late.milliseconds < 1000 || late.part < 0.25
        let decisions = try squeezed.decisions()
        #expect(isSoon, "\(late), \(decisions)")
        let held = try squeezed.serverMebibytes()
        #expect(held < 200, "\(held) MiB")
        let after = try squeezed.guest.emulatorBytes() / SqueezedGuest.mebibyte
        #expect(before - after > 300, "\(before) and \(after) MiB")
    }
}
