import FootingSystem

/// What a read has to ask the device for, and what becomes of the answers.
///
/// All runs of a read go out together: by ``perform()``, which waits for them, or by a
/// ``DiskReadQueue``, whose thread does something else meanwhile. As long as it lives, it is a
/// reader that checkpoints wait for.
final class BlockFetch {
    /// Blocks that are neighbours on the disk and in the log.
    struct Run {
        /// The first one's place among the blocks of the read.
        var start: Int
        var count: Int
        /// Where it lies in the store: requests read whole pages.
        var stored: StoredRun
        /// Where it is read to if the client's memory will not do.
        var bounce: Bounce?
        /// Which of the requests reads it.
        var request = 0
    }

    /// Memory that requests read to.
    final class Bounce {
        let buffer: AlignedBuffer

        /// - Throws: kind `noMemory`.
        init(count: Int) throws(DiskError) {
            buffer = try KernelBuffers().buffer(for: "read", count: count)
        }
    }

    /// All memory that requests read to: what must outlive them.
    private final class Memory {
        /// A page of the map.
        var page: Bounce?
        /// Where the blocks between runs go.
        var gap: Bounce?
        var bounces: [Bounce] = []
        /// Who has the client's memory.
        var owner: AnyObject?
    }

    /// Blocks between two runs that are read with them: one request costs a device about what the
    /// transfer of so many does.
    static let bridgedBlockCountMax = 2

    private let engine: Engine
    private let parity: Int
    private let target: ReadTarget
    private let mode: ReadMode
    private let first: UInt64
    private let entries: [MapEntry]
    private var runs: [Run] = []
    /// A page of the map, without which nothing else is known.
    private let page: MapReader.Missing?
    private let reader: MapReader
    private let memory = Memory()

    /// A fetch of blocks; `entries` tells where each lies.
    init(
        _ engine: Engine,
        _ parity: Int,
        _ target: ReadTarget,
        _ mode: ReadMode,
        _ first: UInt64,
        _ entries: UnsafeMutableBufferPointer<MapEntry?>,
        _ runs: [Run]
    ) {
        self.engine = engine
        self.parity = parity
        self.target = target
        self.mode = mode
        self.first = first
        unsafe self.entries = entries.map { $0 ?? .unmapped }
        self.runs = runs
        page = nil
        reader = engine.reader
    }

    /// A fetch of a page of the map, after which the blocks are looked up again.
    init(
        _ engine: Engine,
        _ parity: Int,
        _ target: ReadTarget,
        _ mode: ReadMode,
        page: MapReader.Missing,
        by reader: MapReader
    ) {
        self.engine = engine
        self.parity = parity
        self.target = target
        self.mode = mode
        self.page = page
        self.reader = reader
        first = 0
        entries = []
    }

    deinit { engine.endRead(parity) }

    /// Who has the client's memory, if it may have to outlive the fetch.
    func keep(_ owner: AnyObject?) { memory.owner = owner }

    /// Waits for all of it.
    func perform() throws(DiskError) {
        var requests = try makeRequests()
        engine.store.readDirectly(&requests)
        _ = try complete(requests)
    }

    /// Whether it is a page of the map.
    var isOfMap: Bool { page != nil }

    // MARK: - Requests

    /// What the store is to read.
    ///
    /// - Throws: kind `noMemory` where there is none to read to.
    func makeRequests() throws(DiskError) -> [DirectRead] {
        if let page {
            let bounce = try Bounce(count: 4096)
            memory.page = bounce
            let offset = page.page.location.offset
            return unsafe [
                DirectRead(at: offset, into: bounce.buffer.slice(0..<4096), owner: memory)
            ]
        }
        if runs.count == 1 {
            let bytes = try unsafe memory(ofRun: 0)
            return unsafe [
                DirectRead(at: runs[0].stored.coveringOffset, into: bytes, owner: memory)
            ]
        }
        return try bridged()
    }

    /// One request for runs with little between them in the log.
    private func bridged() throws(DiskError) -> [DirectRead] {
        // Mostly in order already: the log was written in the order of the blocks, or at random.
        runs.sort { $0.stored.coveringOffset < $1.stored.coveringOffset }
        var requests: [DirectRead] = []
        requests.reserveCapacity(runs.count)
        var index = 0
        while index < runs.count {
            let start = index
            var parts = try unsafe [memory(ofRun: index)]
            var end = runs[index].stored.coveringEnd
            runs[index].request = requests.count
            index += 1
            while index < runs.count,
                let between = gapBytes(from: end, to: runs[index].stored.coveringOffset)
            {
                if between > 0 { try unsafe parts.append(gapMemory(between)) }
                try unsafe parts.append(memory(ofRun: index))
                end = runs[index].stored.coveringEnd
                runs[index].request = requests.count
                index += 1
            }
            let request = unsafe DirectRead(
                at: runs[start].stored.coveringOffset,
                into: parts[0],
                parts.count == 1 ? [] : Array(parts[1...]),
                owner: memory
            )
            requests.append(request)
        }
        return requests
    }

    /// The bytes between two runs if they are to be read as one.
    private func gapBytes(from end: UInt64, to start: UInt64) -> Int? {
        // What is compressed may share a page, and a damaged map may say that two blocks lie at the
        // same place; then each is read on its own.
        guard start >= end, start - end <= UInt64(Self.bridgedBlockCountMax) * 4096 else {
            return nil
        }
        return Int(start - end)
    }

    private func gapMemory(_ count: Int) throws(DiskError) -> UnsafeMutableRawBufferPointer {
        if let gap = memory.gap { return unsafe gap.buffer.slice(0..<count) }
        let bounce = try Bounce(count: Self.bridgedBlockCountMax * 4096)
        memory.gap = bounce
        return unsafe bounce.buffer.slice(0..<count)
    }

    /// Where a run is read to: where the client wants it, if that is aligned as direct input needs
    /// it, and the blocks are stored as they are.
    private func memory(ofRun index: Int) throws(DiskError) -> UnsafeMutableRawBufferPointer {
        let run = runs[index]
        let count = run.stored.coveringByteCount
        if let bounce = run.bounce { return unsafe bounce.buffer.slice(0..<count) }
        if run.stored.isPlainPages,
            let bytes = unsafe target.alignedBytes(first + UInt64(run.start), run.count)
        {
            return unsafe bytes
        }
        let bounce = try Bounce(count: count)
        runs[index].bounce = bounce
        memory.bounces.append(bounce)
        return unsafe bounce.buffer.slice(0..<count)
    }

    // MARK: - Answers

    /// Verifies what the store has read, and lets the cache have it.
    ///
    /// - Returns: false if the blocks must be looked up again: this was a page of the map.
    func complete(_ requests: [DirectRead]) throws(DiskError) -> Bool {
        if let page {
            try completePage(page, requests[0].error)
            return false
        }
        if let lost = requests.first(where: \.isLost) {
            // Nothing may be read to that memory again, nor taken from it.
            throw DiskError("read", offset: lost.offset, cause: .inputOutput)
        }
        for index in runs.indices { try complete(run: index, requests[runs[index].request]) }
        return true
    }

    private func completePage(_ missing: MapReader.Missing, _ error: Errno?) throws(DiskError) {
        guard let page = memory.page else { preconditionFailure("a page that was not asked for") }
        if let error {
            let offset = missing.page.location.offset
            throw DiskError("read map page", offset: offset, cause: error)
        }
        try reader.verify(missing.page, missing.identity, page.buffer)
        reader.cache.insert(missing.page, page.buffer)
    }

    private func complete(run index: Int, _ request: DirectRead) throws(DiskError) {
        let run = runs[index]
        let offset = run.stored.coveringOffset
        // It was made for the request.
        let bytes = try unsafe memory(ofRun: index)
        if var error = request.error {
            var isRead = false
            // What cannot be read may lie between the runs.
            if unsafe !request.more.isEmpty {
                do throws(Errno) {
                    try unsafe engine.store.readDirectly(at: offset, into: bytes)
                    isRead = true
                } catch let own {
                    error = own
                }
            }
            if !isRead { throw DiskError("read", offset: offset, cause: error) }
        }
        try unsafe engine.deliver(
            first + UInt64(run.start),
            entries[run.start..<run.start + run.count],
            run.stored,
            bytes,
            run.bounce == nil ? nil : target,
            target.use(mode)
        )
    }
}
