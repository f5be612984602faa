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

    /// Reads bytes, only what is in memory if `waits` is false.
    ///
    /// - Parameter view: a snapshot to read instead.
    /// - Returns: false if it would have had to wait; the buffer's content is then undefined.
    func read(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        waits: Bool,
        view: TreeView? = nil
    ) throws(DiskError) -> Bool {
        try checkBounds("read", offset, buffer.count, view?.geometry)
        if view == nil { noteForReadAhead(offset, buffer.count) }
        var tally = ReadTally()
        var done = 0
        while done < buffer.count {
            let start = offset + UInt64(done)
            let pieceEnd = (start / 4096 + UInt64(Self.pieceBlockCount)) * 4096
            let count = min(buffer.count - done, Int(pieceEnd - start))
            let piece = unsafe UnsafeMutableRawBufferPointer(
                rebasing: buffer[done..<done + count]
            )
            let mode = waits ? ReadMode.complete : .fromMemory
            guard try unsafe readPiece(at: start, into: piece, mode, &tally, view) else {
                withdraw(tally)
                return false
            }
            done += count
        }
        return true
    }

    /// Makes an attempt that found too little not count: the read that follows counts all of it.
    ///
    /// What it found of the map stays counted: those pages were looked at, and are again.
    private func withdraw(_ tally: ReadTally) {
        state.withLock { $0.statistics.blocksRead -= UInt64(tally.blocks) }
        if tally.hits > 0 { blocks.withdraw(hits: tally.hits) }
    }

    /// Reads one whole block, also the part of the last one that is beyond the disk's end.
    func readBlock(
        _ block: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(DiskError) {
        var tally = ReadTally()
        _ = try unsafe readPiece(at: block * 4096, into: buffer, .complete, &tally)
    }

    /// Reads at most ``pieceBlockCount`` blocks.
    func readPiece(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        _ mode: ReadMode,
        _ tally: inout ReadTally,
        _ view: TreeView? = nil
    ) throws(DiskError) -> Bool {
        switch try unsafe lookUp(at: offset, into: buffer, mode, &tally, view) {
        case .done: return true
        case .unknown: return false
        case .fetch(let fetch):
            try fetch.perform()
            return true
        }
    }

    /// Begins to read at most ``pieceBlockCount`` blocks, without waiting.
    ///
    /// - Parameters:
    ///   - offset: where it begins.
    ///   - buffer: where it goes; must stay until the fetch has ended.
    ///   - owner: who has the buffer.
    ///   - view: a snapshot to read instead.
    /// - Returns: what the device has to be asked; nil if everything was in memory.
    func startRead(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        owner: AnyObject?,
        _ view: TreeView? = nil
    ) throws(DiskError) -> BlockFetch? {
        var tally = ReadTally()
        switch try unsafe lookUp(at: offset, into: buffer, .started, &tally, view) {
        case .done: return nil
        case .unknown: preconditionFailure("a started read that was given up")
        case .fetch(let fetch):
            // With a page of the map it only begins.
            if fetch.isOfMap { withdraw(tally) }
            fetch.keep(owner)
            return fetch
        }
    }

    private enum Lookup {
        /// All of it was in memory.
        case done
        /// It was not, and it is not to be waited for.
        case unknown
        case fetch(BlockFetch)
    }

    private func lookUp(
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        _ mode: ReadMode,
        _ tally: inout ReadTally,
        _ view: TreeView?
    ) throws(DiskError) -> Lookup {
        let first = offset / 4096
        let count = Int((offset + UInt64(buffer.count) + 4095) / 4096 - first)
        return try unsafe withUnsafeTemporaryAllocation(of: MapEntry?.self, capacity: count) {
            (entries) throws(DiskError) -> Lookup in
            let target = unsafe ReadTarget(offset: offset, buffer: buffer)
            let (parity, root) = try state.withLock {
                (state) throws(DiskError) -> (Int, MapRoot) in
                for index in 0..<count {
                    let block = first + UInt64(index)
                    // A snapshot has no changes, and all of it is written.
                    let entry = view == nil ? overlayEntry(block, state) : nil
                    if let entry, entry.isMapped,
                        let (batch, slot) = memory(of: entry.location, state)
                    {
                        let rest = try take(block, batch, slot, entry, target)
                        unsafe entries.initializeElement(at: index, to: rest)
                    } else {
                        unsafe entries.initializeElement(at: index, to: entry)
                    }
                }
                state.readers[state.readerParity] += 1
                if mode != .ahead { state.statistics.blocksRead += UInt64(count) }
                return (state.readerParity, view?.root ?? state.superblock.mapRoot)
            }
            var fetch: BlockFetch?
            // A fetch ends the read when it is done with.
            defer { if fetch == nil { endRead(parity) } }
            tally.blocks += count
            let reader = view?.reader ?? reader
            while let unknown = try unsafe findInTree(
                first,
                entries,
                in: reader,
                root: root,
                waits: mode.waits
            ) {
                guard mode == .started else { return .unknown }
                // Another thread may have brought it by now.
                guard let page = reader.missing(unknown, root: root) else { continue }
                try reader.checkLocation(page.page)
                let made = BlockFetch(self, parity, target, mode, page: page, by: reader)
                fetch = made
                return .fetch(made)
            }
            guard let runs = try unsafe readEntries(first, entries, target, mode, &tally) else {
                return .unknown
            }
            if runs.isEmpty { return .done }
            if view == nil {
                noteScattered(first..<first + UInt64(count), runCount: runs.count)
            }
            let made = unsafe BlockFetch(self, parity, target, mode, first, entries, runs)
            fetch = made
            return .fetch(made)
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
    ///
    /// - Returns: the first block for which a page would have to be read, if `waits` is false.
    private func findInTree(
        _ first: UInt64,
        _ entries: UnsafeMutableBufferPointer<MapEntry?>,
        in reader: MapReader,
        root: MapRoot,
        waits: Bool
    ) throws(DiskError) -> UInt64? {
        var index = 0
        while index < entries.count {
            if unsafe entries[index] != nil {
                index += 1
                continue
            }
            let block = first + UInt64(index)
            guard let answer = try reader.find(block, root: root, waits: waits) else {
                return block
            }
            // Before it is compared with the marks for what is in place, which no entry can be.
            guard answer.entry.isValid(in: geometry) else {
                let offset = answer.entry.location.offset
                throw DiskError(.corrupt, "read", offset: offset, "impossible location in the map")
            }
            unsafe entries[index] = answer.entry
            index += 1
            while first + UInt64(index) < answer.end, index < entries.count {
                if unsafe entries[index] == nil { unsafe entries[index] = MapEntry.unmapped }
                index += 1
            }
        }
        return nil
    }

    /// Copies what is cached, and finds the runs of the rest: neighbours also in the log.
    ///
    /// - Returns: the runs; nil if there are any and they are not to be read.
    private func readEntries(
        _ first: UInt64,
        _ entries: UnsafeMutableBufferPointer<MapEntry?>,
        _ target: ReadTarget,
        _ mode: ReadMode,
        _ tally: inout ReadTally
    ) throws(DiskError) -> [BlockFetch.Run]? {
        var runs: [BlockFetch.Run] = []
        var index = 0
        while index < entries.count {
            guard let entry = unsafe entries[index] else { preconditionFailure("not looked up") }
            let block = first + UInt64(index)
            index += 1
            if entry == ReadTarget.filled { continue }
            if let entry = ReadTarget.inPlace(entry) {
                try decodeInPlace(block, entry, target)
                continue
            }
            if !entry.isMapped {
                target.fillZeros(block)
                continue
            }
            if isAtHand(block, entry, target, mode) {
                tally.hits += 1
                continue
            }
            if mode == .fromMemory { return nil }
            var run = 1
            var end = entry.end
            while index < entries.count, let next = unsafe entries[index],
                next.isMapped, next.location == end
            {
                index += 1
                end = next.end
                if isAtHand(block + UInt64(run), next, target, mode) { break }
                run += 1
            }
            let start = Int(block - first)
            let part = unsafe UnsafeMutableBufferPointer(rebasing: entries[start..<start + run])
            runs.append(
                .init(start: start, count: run, stored: try unsafe StoredRun(part, geometry))
            )
        }
        return runs
    }

    /// Takes a block from the cache, if it is there.
    private func isAtHand(
        _ block: UInt64,
        _ entry: MapEntry,
        _ target: ReadTarget,
        _ mode: ReadMode
    ) -> Bool {
        if mode == .ahead { return blocks.contains(block, entry) }
        let (bytes, start) = unsafe target.place(of: block)
        return unsafe blocks.copy(
            block,
            entry,
            from: start,
            into: bytes,
            countsMiss: mode != .fromMemory
        )
    }
}

/// What an attempt to read from memory has counted.
struct ReadTally {
    /// Blocks asked for.
    var blocks = 0
    /// Those of them found in the cache; for attempts alone.
    var hits = 0
}

/// How a read goes about it.
enum ReadMode: Sendable {
    /// Waits for the device.
    case complete
    /// Takes what is in memory, or gives up.
    case fromMemory
    /// For the cache alone: nobody asked for it yet.
    case ahead
    /// Takes what is in memory, and waits for the device later.
    case started

    /// Whether pages of the map are read at once.
    var waits: Bool { self == .complete || self == .ahead }
}

/// The client's buffer, seen as blocks.
///
/// Used while the client's call lasts or, by a ``DiskReadQueue``, until it has told of the end.
@safe
struct ReadTarget {
    /// Marks a block whose bytes are already in place; not a location that can be.
    static let filled = MapEntry(word: .max, checksum: .max)

    /// Marks a block whose stored bytes are where the block belongs, to be decoded there; no
    /// encoding has that bit.
    private static let inPlaceMark: UInt64 = 1 << 63

    static func markInPlace(_ entry: MapEntry) -> MapEntry {
        MapEntry(word: entry.word | inPlaceMark, checksum: entry.checksum)
    }

    /// The entry of a block that is marked so; nil for others.
    static func inPlace(_ entry: MapEntry) -> MapEntry? {
        guard entry.word & inPlaceMark != 0 else { return nil }
        return MapEntry(word: entry.word & ~inPlaceMark, checksum: entry.checksum)
    }

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

    /// Where a block's part goes, and where in the block it begins.
    func place(of block: UInt64) -> (bytes: UnsafeMutableRawBufferPointer, start: Int) {
        let (range, start) = part(block)
        return unsafe (UnsafeMutableRawBufferPointer(rebasing: buffer[range]), start)
    }

    /// Where blocks go that the client wants whole, if direct input can go there.
    func alignedBytes(_ block: UInt64, _ count: Int) -> UnsafeMutableRawBufferPointer? {
        let start = block * 4096
        guard start >= offset,
            start + UInt64(count) * 4096 <= offset + UInt64(unsafe buffer.count)
        else { return nil }
        let first = Int(start - offset)
        let bytes = unsafe UnsafeMutableRawBufferPointer(
            rebasing: buffer[first..<first + count * 4096]
        )
        return unsafe Int(bitPattern: bytes.baseAddress) % 4096 == 0 ? bytes : nil
    }

    /// A large read is not worth others' places in the cache.
    func use(_ mode: ReadMode) -> CacheUse {
        if mode == .ahead { return .ahead }
        return unsafe buffer.count >= Self.scanBytesMin ? .scan : .ordinary
    }

    /// What an NBD client's large read comes in, and what a guest's kernel reads ahead at most.
    static let scanBytesMin = 256 << 10
}
