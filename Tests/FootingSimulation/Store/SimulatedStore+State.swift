import FootingSystem

// What happens inside of the disk.
extension SimulatedStore.State {
    /// Whether something that happens once in `count` times happens now.
    mutating func strikes(_ count: Int) -> Bool {
        count > 0 && random.oneIn(count)
    }

    /// Adds what was done to the trace, so that two runs can be compared.
    mutating func note(_ kind: UInt64, _ offset: UInt64, _ checksum: UInt32) {
        for value in [kind, offset, UInt64(checksum)] {
            trace = (trace ^ value) &* 0x100_0000_01b3
            trace ^= trace >> 29
        }
    }

    /// Counts a write or a sync; from the chosen one on, the power is gone.
    mutating func countCall() throws(Errno) {
        callCount += 1
        if callCount >= crashAtCall { isDown = true }
        if isDown { throw .inputOutput }
    }

    /// Counts a write to what may have no space.
    mutating func noteSpace(_ offset: UInt64, _ count: Int) {
        guard offset >= reservedStart else { return }
        if !hasSpace(offset..<offset + UInt64(count)) { unreservedCount += 1 }
    }

    func hasSpace(_ range: Range<UInt64>) -> Bool {
        (range.lowerBound >> 16..<(range.upperBound + 0xffff) >> 16).allSatisfy {
            spaceUnits.contains($0)
        }
    }

    /// Takes a write into the volatile cache.
    mutating func accept(_ write: SimulatedStore.Write) {
        unsafe write.bytes.withUnsafeBytes { unsafe current.write(at: write.offset, $0) }
        pending.append(write)
        if write.offset == 0, superblocksToCrash > 0 {
            superblocksToCrash -= 1
            if superblocksToCrash == 0 { crashAtCall = callCount + 1 }
        }
    }

    /// Carries out the last sync, now that it is known what comes after it.
    mutating func settle(next offset: UInt64?) {
        let count = deferredCount
        if count == 0 { return }
        deferredCount = 0
        let isSuperblock = offset == 0
        switch sabotage {
        case .syncBeforeSuperblock: if isSuperblock { return }
        case .syncOfFlush: if !isSuperblock && !containsSuperblock(count) { return }
        case .syncAfterSuperblock: if containsSuperblock(count) { return }
        case .none: break
        }
        for write in pending[..<count] { makeDurable(write, sectors: nil) }
        pending.removeSubrange(..<count)
    }

    private func containsSuperblock(_ count: Int) -> Bool {
        pending[..<count].contains { $0.offset < 128 << 10 }
    }

    /// Makes the last write durable, and nothing else but what it overwrites.
    mutating func makeLastDurable() {
        guard let last = pending.popLast() else { preconditionFailure("no write") }
        let end = last.offset + UInt64(last.bytes.count)
        // An older write of the same place must not come after it.
        for write in pending
        where write.offset < end && write.offset + UInt64(write.bytes.count) > last.offset {
            makeDurable(write, sectors: nil)
        }
        pending.removeAll { write in
            write.offset < end && write.offset + UInt64(write.bytes.count) > last.offset
        }
        makeDurable(last, sectors: nil)
    }

    private mutating func makeDurable(_ write: SimulatedStore.Write, sectors: [Bool]?) {
        unsafe write.bytes.withUnsafeBytes { bytes in
            guard let sectors else { return unsafe durable.write(at: write.offset, bytes) }
            for (index, survives) in sectors.enumerated() where survives {
                let part = unsafe UnsafeRawBufferPointer(
                    rebasing: bytes[index * 512..<(index + 1) * 512]
                )
                unsafe durable.write(at: write.offset + UInt64(index * 512), part)
            }
        }
    }

    /// A size that was not synced is there or not.
    mutating func surviveSize(_ survival: Survival) {
        switch survival {
        case .all: break
        case .none: sizeBytes = durableSizeBytes
        case .random, .subset: if random.oneIn(2) { sizeBytes = durableSizeBytes }
        }
        durableSizeBytes = sizeBytes
    }

    /// Makes a part of what was not synced durable, and forgets the rest.
    mutating func survive(_ survival: Survival) {
        settle(next: nil)
        var writes = Array(pending.enumerated())
        pending = []
        if case .random = survival { writes.shuffle(using: &random) }
        let bias = random.below(4)
        for (age, write) in writes {
            switch survival {
            case .none: break
            case .all: makeDurable(write, sectors: nil)
            case .subset(let bits):
                if age < 64, bits >> UInt64(age) & 1 == 1 { makeDurable(write, sectors: nil) }
            case .random:
                switch random.below(4) {
                case 0 where bias != 0: makeDurable(write, sectors: nil)
                case 1 where bias != 1, 2 where bias == 2: break
                default:
                    let count = write.bytes.count / 512
                    makeDurable(write, sectors: (0..<count).map { _ in random.oneIn(2) })
                }
            }
        }
        for (_, write) in writes {
            current.copy(at: write.offset, count: write.bytes.count, from: durable)
        }
    }
}
