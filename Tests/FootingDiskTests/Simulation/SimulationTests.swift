import FootingDisk
import FootingSimulation
import FootingSystem
import FootingTestSupport
import Testing

/// The engine on a disk that loses, tears, reorders and fails; see docs/SIMULATION.md.
@Suite struct SimulationTests {
    /// A failure names its seed; `footing-simulate --runs 1 --seed <n>` replays it.
    private func run(_ seeds: Range<UInt64>, _ simulation: Simulation = Simulation()) {
        for seed in seeds {
            do throws(SimulationFailure) {
                try simulation.run(seed: seed)
            } catch {
                Issue.record("footing-simulate --runs 1 --seed \(seed): \(error)")
                return
            }
        }
    }

    @Test(arguments: 0..<Sanitizer.rounds(10, sanitized: 1) as Range<UInt64>)
    func `Thirty seeds of every kind`(_ part: UInt64) {
        run(part * 30 + 1..<part * 30 + 31)
    }

    @Test(arguments: Profile.Trouble.allCases)
    func `Ten seeds of each trouble`(_ trouble: Profile.Trouble) {
        var simulation = Simulation()
        simulation.trouble = trouble
        run(5000..<5010, simulation)
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func `Twenty seeds about snapshots`(_ part: UInt64) {
        var simulation = Simulation()
        simulation.isAboutSnapshots = true
        run(part * 20 + 6000..<part * 20 + 6020, simulation)
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func `Twenty seeds of encrypted disks`(_ part: UInt64) {
        var simulation = Simulation()
        simulation.isEncrypted = true
        run(part * 20 + 7000..<part * 20 + 7020, simulation)
    }

    @Test(arguments: 0..<Sanitizer.rounds(4, sanitized: 1) as Range<UInt64>)
    func `Twenty seeds about changes of the disk itself`(_ part: UInt64) {
        var simulation = Simulation()
        simulation.isAboutChanges = true
        run(part * 20 + 9000..<part * 20 + 9020, simulation)
    }

    @Test func `Encrypted disks are resized, compacted and rolled back, too`() throws {
        var simulation = Simulation()
        simulation.isEncrypted = true
        simulation.isAboutSnapshots = true
        var (resizes, compactions, returned, rollbacks) = (0, 0, 0, 0) as (Int, Int, UInt64, Int)
        // Until all of it has happened: a tenth of the disks has room to give back.
        let isMissing = { resizes == 0 || compactions == 0 || returned == 0 || rollbacks == 0 }
        for seed in 8003..<8060 as Range<UInt64>
        where isMissing() || seed < 8003 + Sanitizer.rounds(12, sanitized: 1) {
            let summary = try simulation.run(seed: seed)
            #expect(summary.nonceCount > 0)
            resizes += summary.resizeCount
            compactions += summary.compactionCount
            returned += summary.returnedBytes
            rollbacks += summary.rollbackCount
        }
        #expect(resizes > 0 && compactions > 0 && returned > 0 && rollbacks > 0)
    }

    @Test(arguments: 1...Sanitizer.rounds(2, sanitized: 1) as ClosedRange<UInt64>)
    func `A crash at every write and every sync of a short trace`(_ seed: UInt64) throws {
        let runCount = try Simulation.runExhaustively(seed: seed)
        #expect(runCount > 100)
    }

    @Test func `Some of the seeds read ahead`() throws {
        var count: UInt64 = 0
        for seed in 1..<41 as Range<UInt64> where count == 0 {
            count += try Simulation().run(seed: seed).readsAhead
        }
        #expect(count > 0)
    }

    /// The open commit was closed for it, and then there was no other place.
    @Test func `A large write that does not fit behind the open commit takes what that has left`() {
        // As it was found: before disks did anything at rest.
        var simulation = Simulation()
        simulation.hasUpkeep = false
        run(3854..<3855, simulation)
    }

    @Test func `Some of the seeds fill several commits while a write arrives`() throws {
        var count: UInt64 = 0
        for seed in 1..<41 as Range<UInt64> where count == 0 {
            count += try Simulation().run(seed: seed).stagedCommits
        }
        #expect(count > 0)
    }

    @Test func `Some of the seeds compress, and some compress again what is cold`() throws {
        var (once, again) = (0, 0) as (UInt64, UInt64)
        for seed in 1..<41 as Range<UInt64> {
            let summary = try Simulation().run(seed: seed)
            once += summary.compressedBlocks
            again += summary.recompressedBlocks
        }
        #expect(once > 0 && again > 0)
    }

    @Test func `A seed gives the same run twice`() throws {
        for seed in 40..<40 + Sanitizer.rounds(12, sanitized: 2) as Range<UInt64> {
            let first = try Simulation().run(seed: seed)
            let second = try Simulation().run(seed: seed)
            #expect(first == second, "seed \(seed)")
        }
    }
}

/// What the simulation is worth: it must fail when something that matters is left out.
@Suite(.disabled(if: Sanitizer.isOn, "it tells of the simulation, not of memory"))
struct SabotageTests {
    /// Whether any of the seeds fails, in the way that is expected if there is only one.
    private func isNoticed(
        _ simulation: Simulation,
        seeds: Range<UInt64>,
        by expected: String = ""
    ) -> Bool {
        for seed in seeds {
            do throws(SimulationFailure) {
                try simulation.run(seed: seed)
            } catch {
                if error.description.contains(expected) || expected.isEmpty { return true }
            }
        }
        return false
    }

    @Test(arguments: Sabotage.allCases.filter { $0 != .none })
    func `A sync that is left out is noticed`(_ sabotage: Sabotage) {
        var simulation = Simulation()
        simulation.trouble = .crashesOnly
        simulation.sabotage = sabotage
        #expect(isNoticed(simulation, seeds: 1..<200))
    }

    @Test(arguments: LyingCodec.Lie.allCases)
    func `A codec that is wrong now and then is noticed`(_ lie: LyingCodec.Lie) {
        var simulation = Simulation()
        simulation.trouble = .crashesOnly
        simulation.accelerator = LyingCodec(lie)
        #expect(isNoticed(simulation, seeds: 1..<200))
    }

    @Test func `A large write that takes effect in part is noticed`() {
        var simulation = Simulation()
        // A crash between two of its commits, of which both are new, is rare.
        #expect(!isNoticed(simulation, seeds: 200..<215))
        simulation.leavesOut = .whole
        #expect(isNoticed(simulation, seeds: 200..<215, by: "in no state it was ever in"))
    }

    @Test(arguments: SnapshotRule.allCases.filter { $0 != .whole })
    func `A broken rule of snapshots is noticed`(_ rule: SnapshotRule) {
        var simulation = Simulation()
        simulation.trouble = rule == .attempt ? .fullHost : .crashesOnly
        simulation.isAboutSnapshots = true
        #expect(!isNoticed(simulation, seeds: 1..<20))
        simulation.leavesOut = rule
        #expect(isNoticed(simulation, seeds: 1..<400))
    }

    @Test(arguments: EncryptionRule.allCases)
    func `A broken rule of encryption is noticed`(_ rule: EncryptionRule) {
        var simulation = Simulation()
        simulation.isEncrypted = true
        simulation.trouble = .fullHost
        simulation.leavesOutOfEncryption = rule
        // A checkpoint that is tried again mostly writes the same pages: few seeds notice.
        let seeds: Range<UInt64> = rule == .abandon ? 250..<260 : 140..<150
        #expect(isNoticed(simulation, seeds: seeds, by: "was used twice"))
    }

    @Test func `Checksums that are not compared are noticed`() {
        var simulation = Simulation()
        simulation.verifiesChecksums = false
        #expect(isNoticed(simulation, seeds: 1..<200))
    }

    @Test func `Checksums that are not compared are noticed when sectors rot`() {
        var simulation = Simulation()
        simulation.trouble = .rot
        simulation.verifiesChecksums = false
        #expect(isNoticed(simulation, seeds: 1..<200))
    }
}
