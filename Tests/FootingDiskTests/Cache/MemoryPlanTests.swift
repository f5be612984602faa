import FootingSystem
import Testing

@testable import FootingDisk

@Suite struct MemoryPlanTests {
    private static let sizes: [UInt64] = [1 << 20, 1 << 30, 64 << 30, 1 << 40, 64 << 40]

    private func plan(_ budget: Int, _ geometry: Geometry) -> MemoryPlan {
        MemoryPlan(
            budgetBytes: budget,
            geometry: geometry,
            deltaCountMax: EngineLimits.deltaCountMax
        )
    }

    private func sum(_ plan: MemoryPlan) -> Int {
        plan.tableBytes + MemoryPlan.workBytes + plan.batchBytes + plan.changeBytes
            + (plan.mapSlabCount + plan.cacheSlabCount) * MemoryPlan.slabBytes
    }

    @Test(arguments: sizes)
    func `The parts are never more than the budget, and use nearly all of it`(_ size: UInt64) {
        let geometry = Geometry(sizeBytes: size, sparePercent: 33, segmentSizeBytes: nil)
        let floor = plan(0, geometry).floorBytes
        var last = plan(0, geometry)
        #expect(last.budgetBytes == floor && last.cacheSlabCount == 0 && sum(last) == floor)
        for mebibytes in 1..<600 {
            let plan = plan(floor + mebibytes << 20, geometry)
            #expect(sum(plan) <= plan.budgetBytes)
            #expect(sum(plan) > plan.budgetBytes - MemoryPlan.slabBytes - Batch.sizeBytesMax)
            #expect(plan.userBatchCount >= last.userBatchCount)
            #expect(plan.deltaCountMax >= last.deltaCountMax)
            #expect(plan.mapSlabCount >= last.mapSlabCount)
            last = plan
        }
        #expect(last.userBatchCount == EngineLimits.userBatchCount && last.hasHugeBatches)
        #expect(last.deltaCountMax == EngineLimits.deltaCountMax)
    }

    @Test func `A disk of 1 TiB gets along with 32 MiB`() {
        let geometry = Geometry(sizeBytes: 1 << 40, sparePercent: 33, segmentSizeBytes: nil)
        #expect(plan(0, geometry).floorBytes <= 32 << 20)
        #expect(plan(32 << 20, geometry).budgetBytes == 32 << 20)
    }

    @Test func `What is still there of a larger budget is taken from the cache`() {
        let geometry = Geometry(sizeBytes: 1 << 30, sparePercent: 33, segmentSizeBytes: nil)
        let plan = plan(64 << 20, geometry)
        let (batches, changes) = (plan.batchBytes, plan.changeBytes)
        let same = plan.cacheSlabs(batchBytes: batches, changeBytes: changes)
        #expect(same == plan.cacheSlabCount)
        #expect(plan.cacheSlabs(batchBytes: 0, changeBytes: 0) == same)
        let less = plan.cacheSlabs(batchBytes: batches + 1, changeBytes: changes + (4 << 20))
        #expect(less == same - 2)
        #expect(plan.cacheSlabs(batchBytes: batches + 1 << 30, changeBytes: 0) == 0)
    }
}
