import FootingDisk
import FootingSimulation
import FootingTestSupport
import Testing

/// Rules of what changes a disk itself: each must be noticed when it is broken, and is all that is
/// noticed.
@Suite(.disabled(if: Sanitizer.isOn, "it tells of the simulation, not of memory"))
struct FeatureRuleTests {
    /// Seeds of which several notice that a rule is broken, and what they say.
    struct Trial: Sendable {
        let rule: FeatureRule
        let seeds: Range<UInt64>
        /// One of these.
        let expected: [String]

        init(_ rule: FeatureRule, _ seeds: Range<UInt64>, _ expected: String...) {
            self.rule = rule
            self.seeds = seeds
            self.expected = expected
        }

        var simulation: Simulation {
            var simulation = Simulation()
            // Else the run with the rule in force could be another one.
            simulation.hasUpkeep = false
            switch rule {
            case .slots, .healing:
                simulation.isAboutChanges = true
                simulation.isEncrypted = true
            case .rest: simulation.trouble = .rot
            default: simulation.isAboutChanges = true
            }
            return simulation
        }
    }

    static let trials = [
        Trial(.end, 11..<27, "in no state it was ever in", "beyond the disk's end", "set aside"),
        Trial(.tail, 11..<64, "in no state it was ever in"),
        Trial(.lately, 11..<21, "there is data up to byte"),
        Trial(.table, 36..<68, "the segment table is not the one that the superblock names"),
        Trial(.use, 15..<21, "no space is reserved"),
        Trial(
            .copies,
            11..<39,
            "was durable and is damaged or gone",
            "the checksum it was",
            "no space is reserved"
        ),
        Trial(.trim, 11..<24, "in no state it was ever in"),
        Trial(.trimmed, 249..<261, "in no state it was ever in"),
        Trial(.policy, 20..<32, "is where none can be"),
        Trial(.form, 83..<103, "cannot be decompressed"),
        Trial(.slots, 1..<12, "both copies of the key slots are damaged"),
        Trial(.healing, 1..<16, "0 of 2 keys open the disk", "both copies of the key slots"),
        Trial(.tree, 24..<37, "scrub: ScrubDamage"),
        Trial(.rest, 58..<86, "scrubbing did not find it"),
    ]

    @Test(arguments: FeatureRuleTests.trials)
    func `A broken rule of what changes a disk is noticed`(_ trial: Trial) {
        var broken = trial.simulation
        broken.leavesOutOfFeatures = trial.rule
        for seed in trial.seeds {
            let failure = failure(broken, seed)
            guard let failure, trial.expected.contains(where: { failure.contains($0) }) else {
                continue
            }
            // It is the rule that does it.
            #expect(self.failure(trial.simulation, seed) == nil)
            return
        }
        Issue.record("no seed notices")
    }

    private func failure(_ simulation: Simulation, _ seed: UInt64) -> String? {
        do throws(SimulationFailure) {
            try simulation.run(seed: seed)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func `Each rule has a trial`() {
        #expect(Set(Self.trials.map(\.rule)) == Set(FeatureRule.allCases))
    }
}
