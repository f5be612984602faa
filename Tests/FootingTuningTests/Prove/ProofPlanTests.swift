import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingTuning

@Suite struct ProofPlanTests {
    @Test func `every rule has a figure, or a reason why it has none`() {
        let withoutFigure = TuningPlan.ruleNames.filter { ProofFigure.purpose(of: $0) == nil }
        #expect(
            withoutFigure == [
                "ebs-timeout", "virtio-not-rotating", "ebs-timeout-at-boot",
                "pvscsi-queue-at-boot", "pvscsi-ring-at-boot", "storvsc-ring-at-boot",
                "blkfront-ring-at-boot", "nvme-poll-queues-at-boot", "file-data-journal",
                "data-journal", "no-copy-on-write", "no-access-times",
            ]
        )
    }

    @Test func `candidates are tried, the machine's own settings only if named`() throws {
        let tree = try TuningTree([.virtio()])
        let plan = try tree.plan()
        let proof = ProofPlan(plan, .init())
        #expect(
            proof.groups.flatMap(\.rules) == [
                "paravirtual-scheduler-none", "queue-requests", "read-ahead",
                "no-write-back-throttling", "no-randomness",
            ]
        )
        #expect(proof.groups.first { $0.rules == ["read-ahead"] }?.figure == "cached-read-rate")
        let skipped = proof.skipped.map(\.rule)
        #expect(skipped.contains("dirty-bytes") && skipped.contains("virtio-not-rotating"))
        var wishes = ProofPlan.Wishes()
        wishes.rules = ["dirty-bytes"]
        #expect(ProofPlan(plan, wishes).groups.map(\.rules) == [["dirty-bytes"]])
    }

    @Test func `rules that are tried together are one group`() throws {
        let tree = try TuningTree([.virtio()])
        var wishes = ProofPlan.Wishes()
        wishes.isTogether = true
        let plan = ProofPlan(try tree.plan(), wishes)
        #expect(plan.groups.count == 1)
        #expect(plan.groups.first?.changes.count == 5)
        #expect(plan.groups.first?.figure == "random-read-rate")
        #expect(ProofPlan.measurements(groups: 2, rounds: 5) == 22)
    }
}
