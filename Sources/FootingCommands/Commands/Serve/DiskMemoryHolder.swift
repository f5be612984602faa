internal import FootingDisk
internal import FootingMemory

/// A disk as the coordinator sees it: memory that can be asked for.
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
