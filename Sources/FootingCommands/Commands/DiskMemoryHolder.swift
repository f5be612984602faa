internal import FootingDisk
internal import FootingMemory

/// A disk's memory, as what gives it back sees it.
struct DiskMemoryHolder: MemoryHolder {
    let disk: Disk

    var memoryUse: MemoryUse {
        let memory = disk.memory
        return MemoryUse(
            budgetBytes: UInt64(memory.budgetBytes),
            usedBytes: UInt64(memory.usedBytes),
            floorBytes: UInt64(memory.floorBytes)
        )
    }

    func setMemoryBudget(_ bytes: UInt64) {
        disk.setMemoryBudget(Int(clamping: bytes))
    }
}
