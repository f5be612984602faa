import FootingSystem

/// Follows the log from a checkpoint to its end.
///
/// The next commit is at one of four places: where either stream goes on, or at the start of the
/// segment that it named as its next. It is the next one only if its LSN and the checksum of the
/// commit before say so.
struct LogReplay: ~Copyable {
    /// How a replay ended.
    struct Result {
        var lsn: UInt64
        var checksum: UInt32
        var user: Superblock.Head
        var collector: Superblock.Head
        var commitCount = 0
        var blockCount = 0
        var byteCount: UInt64 = 0
        /// Commits at the end that were left out because the write they belong to is not all there.
        var discardedCount = 0
    }

    /// A commit that follows.
    private struct Candidate {
        var header: CommitHeader
        var head: Superblock.Head
    }

    private let store: any BlockStore
    private let superblock: Superblock
    private let geometry: Geometry
    private let verifies: Bool
    private let limits: ReplayLimits
    private let header = AlignedBuffer(count: 4096)
    private let payload: AlignedBuffer
    private let buffers: any BufferSource
    private let cipher: VolumeCipher?
    private var lastEpoch: UInt32 = 0
    /// The highest LSN that a later commit was found to call durable: each search goes on from what
    /// the ones before it found, so that a log of damaged commits does not take for ever.
    private var provenLSN: UInt64 = 0
    private var searchedPageCount = 0

    init(
        _ store: any BlockStore,
        _ superblock: Superblock,
        verifies: Bool,
        limits: ReplayLimits = ReplayLimits(),
        buffers: any BufferSource = KernelBuffers(),
        cipher: VolumeCipher? = nil
    ) throws(DiskError) {
        self.cipher = cipher
        payload = try buffers.buffer(
            for: "recover",
            count: superblock.geometry.descriptorsPerCommit * 4096
        )
        self.buffers = buffers
        self.limits = limits
        self.store = store
        self.superblock = superblock
        geometry = superblock.geometry
        self.verifies = verifies
    }

    /// Replays; `apply` is called for each commit that counts, with its descriptors' page.
    ///
    /// - Throws: kind `corrupt` if a commit that was durable once is not there any more.
    mutating func run(
        _ apply: (CommitHeader, borrowing AlignedBuffer) throws(DiskError) -> Void
    ) throws(DiskError) -> Result {
        if geometry.isEncrypted, cipher == nil { throw DiskError.withoutKey("recover") }
        var result = Result(
            lsn: superblock.lsn,
            checksum: superblock.lsnChecksum,
            user: superblock.user,
            collector: superblock.collector
        )
        var tentative = result
        // Header pages of a write that goes on: applied when its last commit is there.
        var group: [(CommitHeader, [UInt8])] = []
        while let candidate = try findNext(tentative) {
            let commit = candidate.header
            if try !isPayloadIntact(commit) {
                // Torn, unless a later commit proves that this one was durable: then it is damage,
                // and the blocks' checksums will say so when they are read.
                if try !isProvenDurable(commit.lsn, tentative, after: candidate) { break }
            }
            if commit.stream == .user {
                tentative.user = candidate.head
            } else {
                tentative.collector = candidate.head
            }
            tentative.lsn = commit.lsn
            tentative.checksum = CommitHeader.checksum(of: header)
            tentative.commitCount += 1
            tentative.blockCount += blockCount(of: commit)
            tentative.byteCount += UInt64(commit.pageCount) * 4096
            lastEpoch = commit.epoch
            // The collector's commits may stand between those of one write.
            if commit.continues || !group.isEmpty { group.append((commit, copyOfHeader())) }
            if group.count > limits.groupCountMax {
                throw Self.impossible("a write without an end")
            }
            if commit.continues || (!group.isEmpty && commit.stream == .collector) { continue }
            if group.isEmpty {
                try apply(commit, header)
            } else {
                try applyGroup(group, apply)
                group = []
            }
            result = tentative
        }
        let isClosed = superblock.isClean && tentative.commitCount == 0
        var isLost = result.lsn < superblock.durableLSN
        if !isClosed && !isLost {
            isLost = try isProvenDurable(result.lsn + 1, tentative, after: nil)
        }
        if isLost {
            throw DiskError(
                .corrupt,
                "recover",
                "commit \(result.lsn + 1) or one soon after it was durable and is damaged or gone; "
                    + "what was written after it cannot be trusted"
            )
        }
        result.discardedCount = tentative.commitCount - result.commitCount
        return result
    }

    /// A log that no crash and no rot makes: a forged one must not take all memory, nor for ever.
    static func impossible(_ what: String) -> DiskError {
        DiskError(.corrupt, "recover", "the log holds \(what): no engine leaves such a one")
    }

    private func copyOfHeader() -> [UInt8] {
        unsafe Array(UnsafeRawBufferPointer(header.slice(0..<4096)))
    }

    private func applyGroup(
        _ group: [(CommitHeader, [UInt8])],
        _ apply: (CommitHeader, borrowing AlignedBuffer) throws(DiskError) -> Void
    ) throws(DiskError) {
        let page = AlignedBuffer(count: 4096)
        for (commit, bytes) in group {
            unsafe bytes.withUnsafeBytes { unsafe page.copy(from: $0, at: 0) }
            try apply(commit, page)
        }
    }

    private func read(
        _ segment: UInt32,
        _ page: Int,
        _ count: Int,
        into buffer: borrowing AlignedBuffer
    ) throws(DiskError) {
        let offset = geometry.offset(segment: segment, page: page)
        do throws(Errno) {
            try unsafe store.read(at: offset, into: buffer.slice(0..<count * 4096))
        } catch {
            throw DiskError("recover", offset: offset, cause: error)
        }
    }

    /// The commit that follows, its header page left in `header`.
    private func findNext(_ last: Result) throws(DiskError) -> Candidate? {
        // An earlier recovery may have left out a commit that is still there, of the other stream
        // or in another place; what was written in its stead follows the same commit, in a later
        // epoch.
        var newest: CommitHeader?
        for (head, stream) in [
            (last.user, CommitHeader.Stream.user), (last.collector, .collector),
        ] {
            if head.page + 2 <= geometry.pagesPerSegment,
                let commit = try follower(head.segment, head.page, stream, last),
                commit.sequence == head.sequence || head.page == 0,
                commit.epoch >= newest?.epoch ?? 0
            {
                newest = commit
            }
            if let commit = try follower(head.next, 0, stream, last),
                commit.epoch >= newest?.epoch ?? 0
            {
                newest = commit
            }
        }
        guard let newest else { return nil }
        try read(newest.segment, newest.page, 1, into: header)
        // Once more, as that decrypts it.
        if cipher != nil, try readHeader(header) != newest { return nil }
        return candidate(newest)
    }

    /// A header page whose descriptors are decrypted in place; nil if it is none.
    private func readHeader(
        _ page: borrowing AlignedBuffer
    ) throws(DiskError) -> CommitHeader? {
        try CommitHeader.read(page, volume: superblock.volume, cipher, for: "recover")
    }

    private func candidate(_ commit: CommitHeader) -> Candidate {
        Candidate(
            header: commit,
            head: Superblock.Head(
                sequence: commit.sequence,
                segment: commit.segment,
                page: commit.page + commit.pageCount,
                next: commit.nextSegment
            )
        )
    }

    private func follower(
        _ segment: UInt32,
        _ page: Int,
        _ stream: CommitHeader.Stream,
        _ last: Result
    ) throws(DiskError) -> CommitHeader? {
        try read(segment, page, 1, into: header)
        guard let commit = try readHeader(header),
            commit.lsn == last.lsn + 1, commit.previousChecksum == last.checksum,
            commit.stream == stream, commit.segment == segment, commit.page == page,
            commit.epoch >= lastEpoch, commit.epoch <= superblock.epoch, !wasLeftOut(commit),
            commit.nextSegment < geometry.segmentCount, commit.sequence <= Geometry.counterMax,
            page + commit.pageCount <= geometry.pagesPerSegment
        else { return nil }
        return commit
    }

    /// Whether the last opening found the end of the log before a commit.
    ///
    /// Whoever recorded a commit that a crash has torn could bring it back later, in place of what
    /// was written in its stead. On a disk that is not encrypted anybody can write a commit anyway.
    private func wasLeftOut(_ commit: CommitHeader) -> Bool {
        geometry.isEncrypted && commit.epoch < superblock.epoch
            && commit.lsn > superblock.durableLSN
    }

    private func isPayloadIntact(_ commit: CommitHeader) throws(DiskError) -> Bool {
        if commit.payloadCount == 0 || !verifies { return true }
        try read(commit.segment, commit.page + 1, commit.payloadCount, into: payload)
        let unit = Int(Geometry.unitSizeBytes)
        var end = 0
        for index in 0..<commit.descriptorCount {
            guard let descriptor = Descriptor.load(index, from: header) else { return false }
            let start = end
            end += descriptor.units * unit
            guard end <= commit.payloadCount * 4096 else { return false }
            if descriptor.kind == .data, payload.checksum(start..<end) != descriptor.value {
                return false
            }
        }
        return (end + 4095) / 4096 == commit.payloadCount
    }

    /// Blocks of the commit whose header was read last.
    private func blockCount(of commit: CommitHeader) -> Int {
        (0..<commit.descriptorCount).count { index in
            Descriptor.load(index, from: header)?.kind == .data
        }
    }

    /// Whether a later commit says that `lsn` was durable when it was sealed.
    ///
    /// Looks at every page where a later commit can be: the rest of both streams' segments, the
    /// ones they named next, and those that the commits found there name.
    private mutating func isProvenDurable(
        _ lsn: UInt64,
        _ last: Result,
        after candidate: Candidate?
    ) throws(DiskError) -> Bool {
        if provenLSN >= lsn { return true }
        var places: [(segment: UInt32, page: Int)] = []
        var heads = [last.user, last.collector]
        if let candidate { heads.append(candidate.head) }
        for head in heads { places.append((head.segment, head.page)) }
        for head in heads { places.append((head.next, 0)) }
        var seen = Set(heads.map { $0.next })
        let chunk = try buffers.buffer(for: "recover", count: 256 * 4096)
        let page = AlignedBuffer(count: 4096)
        while !places.isEmpty {
            let place = places.removeFirst()
            var index = place.page
            while index < geometry.pagesPerSegment {
                let count = min(256, geometry.pagesPerSegment - index)
                searchedPageCount += count
                if searchedPageCount > limits.searchedPageCountMax {
                    throw Self.impossible("damaged commits without an end")
                }
                try read(place.segment, index, count, into: chunk)
                for offset in 0..<count
                where chunk.get(UInt32.self, at: offset * 4096) == CommitHeader.magic {
                    let bytes = unsafe UnsafeRawBufferPointer(
                        chunk.slice(offset * 4096..<(offset + 1) * 4096)
                    )
                    unsafe page.copy(from: bytes, at: 0)
                    guard let commit = try readHeader(page) else { continue }
                    guard commit.lsn > lsn, commit.epoch <= superblock.epoch else { continue }
                    provenLSN = max(provenLSN, commit.durableLSN)
                    if provenLSN >= lsn { return true }
                    let next = commit.nextSegment
                    if next < geometry.segmentCount, seen.insert(next).inserted {
                        places.append((next, 0))
                    }
                }
                index += count
            }
        }
        return false
    }
}

extension ReplayLimits {
    /// Throws if the log holds more changes than any engine leaves in it.
    func requirePossible(_ overlays: [Overlay]) throws(DiskError) {
        let deltas = overlays.reduce(0) { $0 + $1.deltas.count }
        if deltas > deltaCountMax { throw LogReplay.impossible("\(deltas) changed blocks") }
        let trims = overlays.reduce(0) { $0 + $1.trims.ranges.count }
        if trims > trimRangeCountMax { throw LogReplay.impossible("\(trims) trimmed ranges") }
    }
}
