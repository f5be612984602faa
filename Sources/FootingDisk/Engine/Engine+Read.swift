import FootingSystem

// What clients see.
extension Engine {
    /// Blocks read under one look at the map.
    private static let pieceBlockCount = 256

    /// Reads bytes: any multiple of 512 bytes at any sector.
    func read(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(DiskError) {
        _ = try unsafe read(at: offset, into: buffer, waits: true)
    }

    /// Reads bytes, from memory and from what the host has cached only if `waits` is false.
    ///
    /// - Returns: false if it would have had to wait; the buffer's content is then undefined.
    func read(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        waits: Bool
    ) throws(DiskError) -> Bool {
        try checkBounds("read", offset, buffer.count)
        var done = 0
        while done < buffer.count {
            let start = offset + UInt64(done)
            let pieceEnd = (start / 4096 + UInt64(Self.pieceBlockCount)) * 4096
            let count = min(buffer.count - done, Int(pieceEnd - start))
            let piece = unsafe UnsafeMutableRawBufferPointer(
                rebasing: buffer[done..<done + count]
            )
            guard try unsafe readPiece(at: start, into: piece, waits: waits) else {
                return false
            }
            done += count
        }
        return true
    }

    /// Reads one whole block, also the part of the last one that is beyond the disk's end.
    func readBlock(
        _ block: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(DiskError) {
        _ = try unsafe readPiece(at: block * 4096, into: buffer, waits: true)
    }

    private func readPiece(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        waits: Bool
    ) throws(DiskError) -> Bool {
        let first = offset / 4096
        let count = Int((offset + UInt64(buffer.count) + 4095) / 4096 - first)
        return try unsafe withUnsafeTemporaryAllocation(of: MapEntry?.self, capacity: count) {
            (entries) throws(DiskError) -> Bool in
            var target = unsafe ReadTarget(offset: offset, buffer: buffer)
            let (parity, root) = state.withLock { state in
                for index in 0..<count {
                    let block = first + UInt64(index)
                    let entry = overlayEntry(block, state)
                    if let entry, entry.isMapped,
                        let (batch, slot) = memory(of: entry.location, state)
                    {
                        unsafe target.fill(block, from: UnsafeRawBufferPointer(batch.block(slot)))
                        // Nothing left to do for it: as if it were a hole, but not filled again.
                        unsafe entries.initializeElement(at: index, to: ReadTarget.filled)
                    } else {
                        unsafe entries.initializeElement(at: index, to: entry)
                    }
                }
                state.readers[state.readerParity] += 1
                state.statistics.blocksRead += UInt64(count)
                return (state.readerParity, state.superblock.root)
            }
            defer { endRead(parity) }
            guard try unsafe findInTree(first, entries, root: root, waits: waits) else {
                return false
            }
            return try unsafe readEntries(first, entries, &target, waits: waits)
        }
    }

    /// Lets a checkpoint know that this reader no longer needs an older root.
    func endRead(_ parity: Int) {
        let isAwaited = state.withLock { state in
            state.readers[parity] -= 1
            return state.readers[parity] == 0 && parity != state.readerParity
        }
        if isAwaited { state.wakeAll(on: Condition.progress) }
    }

    /// Looks up what the overlays do not know.
    private func findInTree(
        _ first: UInt64,
        _ entries: UnsafeMutableBufferPointer<MapEntry?>,
        root: MapEntry,
        waits: Bool
    ) throws(DiskError) -> Bool {
        var index = 0
        while index < entries.count {
            if unsafe entries[index] != nil {
                index += 1
                continue
            }
            guard let answer = try reader.find(first + UInt64(index), root: root, waits: waits)
            else { return false }
            unsafe entries[index] = answer.entry
            index += 1
            while first + UInt64(index) < answer.end, index < entries.count {
                if unsafe entries[index] == nil { unsafe entries[index] = MapEntry.unmapped }
                index += 1
            }
        }
        return true
    }

    /// Reads the blocks, neighbours in the log in one call.
    private func readEntries(
        _ first: UInt64,
        _ entries: UnsafeMutableBufferPointer<MapEntry?>,
        _ target: inout ReadTarget,
        waits: Bool
    ) throws(DiskError) -> Bool {
        var index = 0
        while index < entries.count {
            guard let entry = unsafe entries[index] else { preconditionFailure("not looked up") }
            let block = first + UInt64(index)
            if entry == ReadTarget.filled {
                index += 1
            } else if !entry.isMapped {
                target.fillZeros(block)
                index += 1
            } else {
                var run = 1
                while index + run < entries.count, let next = unsafe entries[index + run],
                    next.word
                        == MapEntry(
                            location: entry.location.advanced(byBlocks: run),
                            checksum: 0
                        ).word
                {
                    run += 1
                }
                let part = unsafe UnsafeMutableBufferPointer(
                    rebasing: entries[index..<index + run]
                )
                guard try unsafe readRun(block, part, &target, waits: waits) else { return false }
                index += run
            }
        }
        return true
    }

    /// Reads blocks that are neighbours in the log, and verifies each.
    private func readRun(
        _ block: UInt64,
        _ entries: UnsafeMutableBufferPointer<MapEntry?>,
        _ target: inout ReadTarget,
        waits: Bool
    ) throws(DiskError) -> Bool {
        // Blocks of which the client wants a part go through a buffer: the checksum is of the
        // whole.
        let whole = target.wholeBlocks(block, entries.count)
        if whole.isEmpty || whole.count < entries.count {
            let bounce = AlignedBuffer(count: 4096)
            for index in 0..<entries.count {
                guard let entry = unsafe entries[index] else { continue }
                let bytes = unsafe bounce.slice(0..<4096)
                guard try unsafe fetch(entry, 1, into: bytes, waits: waits) else { return false }
                try unsafe verify(block + UInt64(index), entry, UnsafeRawBufferPointer(bytes))
                unsafe target.fill(block + UInt64(index), from: UnsafeRawBufferPointer(bytes))
            }
            return true
        }
        guard let entry = unsafe entries[0] else { return true }
        let bytes = unsafe target.bytes(block, entries.count)
        guard try unsafe fetch(entry, entries.count, into: bytes, waits: waits) else {
            return false
        }
        for index in 0..<entries.count {
            guard let entry = unsafe entries[index] else { continue }
            let part = unsafe UnsafeRawBufferPointer(
                rebasing: bytes[index * 4096..<(index + 1) * 4096]
            )
            try unsafe verify(block + UInt64(index), entry, part)
        }
        return true
    }

    private func fetch(
        _ entry: MapEntry,
        _ count: Int,
        into bytes: UnsafeMutableRawBufferPointer,
        waits: Bool
    ) throws(DiskError) -> Bool {
        let offset = entry.location.offset
        guard entry.isValid(in: geometry) else {
            throw DiskError(.corrupt, "read", offset: offset, "impossible location in the map")
        }
        do throws(Errno) {
            if !waits { return try unsafe store.readWithoutWaiting(at: offset, into: bytes) }
            try unsafe store.read(at: offset, into: bytes)
            return true
        } catch {
            throw DiskError("read", offset: offset, cause: error)
        }
    }

    private func verify(
        _ block: UInt64,
        _ entry: MapEntry,
        _ bytes: UnsafeRawBufferPointer
    ) throws(DiskError) {
        guard options.verifiesChecksums else { return }
        if unsafe Checksum.crc32c(bytes) != entry.checksum {
            throw DiskError(
                .corrupt,
                "read",
                offset: entry.location.offset,
                "block \(block) does not have the checksum it was written with"
            )
        }
    }
}

/// The client's buffer, seen as blocks; used only while the client's call lasts.
@safe
struct ReadTarget {
    /// Marks a block whose bytes are already in place; not a location that can be.
    static let filled = MapEntry(word: .max, checksum: .max)

    private let offset: UInt64
    private let buffer: UnsafeMutableRawBufferPointer

    init(offset: UInt64, buffer: UnsafeMutableRawBufferPointer) {
        self.offset = offset
        unsafe self.buffer = buffer
    }

    /// The part of the buffer that belongs to a block, and where in the block it begins.
    private func part(_ block: UInt64) -> (range: Range<Int>, start: Int) {
        let begin = block * 4096
        let low = max(begin, offset)
        let high = min(begin + 4096, offset + UInt64(unsafe buffer.count))
        return (Int(low - offset)..<Int(high - offset), Int(low - begin))
    }

    func fill(_ block: UInt64, from bytes: UnsafeRawBufferPointer) {
        let (range, start) = part(block)
        let source = unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<start + range.count])
        unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[range]).copyMemory(from: source)
    }

    func fillZeros(_ block: UInt64) {
        let range = part(block).range
        unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[range])
            .initializeMemory(as: UInt8.self, repeating: 0)
    }

    /// The blocks of a run that the client wants whole.
    func wholeBlocks(_ block: UInt64, _ count: Int) -> Range<UInt64> {
        let first = part(block).range.count == 4096 ? block : block + 1
        let last = block + UInt64(count)
        let end = part(last - 1).range.count == 4096 ? last : last - 1
        return first..<max(first, end)
    }

    /// The bytes of whole blocks.
    func bytes(_ block: UInt64, _ count: Int) -> UnsafeMutableRawBufferPointer {
        let start = Int(block * 4096 - offset)
        return unsafe UnsafeMutableRawBufferPointer(
            rebasing: buffer[start..<start + count * 4096]
        )
    }
}
