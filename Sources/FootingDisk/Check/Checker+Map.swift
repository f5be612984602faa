import FootingAcceleration
import FootingSystem

// The tree, and the data it points to.
extension Checker {
    /// - Parameter root: the current tree's, or a snapshot's.
    func checkTree(_ root: MapEntry, _ progress: (CheckProgress) -> Void) {
        let identity = MapPage.Identity(level: treeGeometry.levels - 1, index: 0)
        checkPage(root, identity, progress)
    }

    /// Checks a page and everything below it.
    private func checkPage(
        _ entry: MapEntry,
        _ identity: MapPage.Identity,
        _ progress: (CheckProgress) -> Void
    ) {
        if !entry.isMapped || refusal != nil { return }
        let span = geometry.span(level: identity.level + 1)
        let first = identity.index * span
        let last = min(first + span, treeGeometry.blockCount) - 1
        let what = "map page \(identity.index) of level \(identity.level)"
        let consequence = "blocks \(first) to \(last) cannot be read"
        let offset = entry.location.offset
        guard entry.isValidPage(in: geometry) else {
            report.add(.error, "\(what) is said to be where none can be", at: offset, consequence)
            return
        }
        if claim(entry, what) {
            liveUnits[Int(geometry.segment(of: entry.location))] += 8
            isReached[Int(geometry.segment(of: entry.location))] = true
        }
        let page = AlignedBuffer(count: 4096)
        guard read(what, at: offset, count: 4096, into: page, consequence) else { return }
        guard page.checksum(8..<4096) == entry.checksum,
            identity
                == MapPage.identity(page, volume: superblock.volume, isEncrypted: cipher != nil),
            isOpen(page, entry)
        else {
            if refusal != nil { return }
            report.add(.error, "\(what) is damaged or another one", at: offset, consequence)
            return
        }
        let isNew = !isVerified.contains(entry.location)
        if isNew { report.mapPageCount += 1 }
        if identity.level == 0 {
            let isWhole = checkLeaf(page, first, offset, isNew, progress)
            if isWhole { isVerified.insert(entry.location) }
            return
        }
        isVerified.insert(entry.location)
        let entries = geometry.entriesPerPage
        for slot in 0..<entries {
            let child = MapPage.entry(page, slot)
            if !child.isMapped { continue }
            let index = identity.index * UInt64(entries) + UInt64(slot)
            guard index * (span / UInt64(entries)) < treeGeometry.blockCount else {
                report.add(
                    .error,
                    "\(what) has a child \(index) beyond the disk's end",
                    at: offset,
                    "none"
                )
                continue
            }
            checkPage(child, MapPage.Identity(level: identity.level - 1, index: index), progress)
        }
    }

    /// Whether a page could be decrypted, where it has to be.
    private func isOpen(_ page: borrowing AlignedBuffer, _ entry: MapEntry) -> Bool {
        guard let cipher else { return true }
        do throws(AccelerationError) {
            try cipher.open(page: page, entry)
            return true
        } catch {
            note(error)
            return false
        }
    }

    /// - Parameter readsBlocks: false where the blocks were verified already, with another tree.
    /// - Returns: whether no block was left out.
    private func checkLeaf(
        _ page: borrowing AlignedBuffer,
        _ first: UInt64,
        _ offset: UInt64,
        _ readsBlocks: Bool,
        _ progress: (CheckProgress) -> Void
    ) -> Bool {
        var isWhole = true
        var blocks: [(block: UInt64, entry: MapEntry)] = []
        for slot in 0..<geometry.entriesPerPage {
            let entry = MapPage.entry(page, slot)
            let block = first + UInt64(slot)
            if !entry.isMapped { continue }
            guard block < treeGeometry.blockCount else {
                report.add(
                    .error,
                    "the map has an entry for block \(block), beyond the disk's end",
                    at: offset,
                    "none"
                )
                continue
            }
            // What was overwritten, moved or trimmed since is not read by anyone, and something
            // else may be in its place by now; but the table counts it.
            let isHidden = !isOfSnapshot && overlays[0].entry(block) != nil
            if isHidden { isWhole = false }
            guard isPossible(block, entry, at: offset, claims: !isHidden) else { continue }
            liveUnits[Int(geometry.segment(of: entry.location))] += UInt32(entry.storedUnits)
            if isHidden { continue }
            isReached[Int(geometry.segment(of: entry.location))] = true
            if readsBlocks { blocks.append((block, entry)) }
        }
        checkBlocks(&blocks, progress)
        return isWhole
    }

    /// Whether an entry can be, and nothing else is where it points.
    private func isPossible(
        _ block: UInt64,
        _ entry: MapEntry,
        at offset: UInt64,
        claims: Bool = true
    ) -> Bool {
        let isKnown = unitsPerBit == 1 || entry.isValidPage(in: geometry)
        guard entry.isValid(in: geometry), isKnown else {
            report.add(
                .error,
                "the map says that block \(block) is where none can be",
                at: offset,
                "block \(block) cannot be read"
            )
            return false
        }
        return claims ? claim(entry, "block \(block)") : true
    }

    /// Verifies the blocks that were changed since the checkpoint.
    func checkOverlay(_ progress: (CheckProgress) -> Void) {
        var blocks: [(block: UInt64, entry: MapEntry)] = []
        let offset = geometry.offset(segment: superblock.user.segment, page: 0)
        for delta in overlays.flatMap({ $0.deltas.entries() }) where delta.entry.isMapped {
            let (block, entry) = delta
            if !isPossible(block, entry, at: offset) { continue }
            blocks.append((block, entry))
            if blocks.count == geometry.entriesPerPage {
                checkBlocks(&blocks, progress)
                blocks = []
            }
        }
        checkBlocks(&blocks, progress)
    }

    /// Reads blocks, neighbours in one go, and verifies their checksums.
    private func checkBlocks(
        _ blocks: inout [(block: UInt64, entry: MapEntry)],
        _ progress: (CheckProgress) -> Void
    ) {
        blocks.sort { $0.entry.location.units < $1.entry.location.units }
        var start = 0
        while start < blocks.count {
            var count = 1
            while start + count < blocks.count,
                blocks[start + count].entry.location == blocks[start + count - 1].entry.end
            {
                count += 1
            }
            checkRun(blocks[start..<start + count])
            tell(progress)
            start += count
        }
    }

    private func checkRun(_ run: ArraySlice<(block: UInt64, entry: MapEntry)>) {
        guard let first = run.first, let last = run.last else { return }
        let offset = first.entry.location.offset
        let byteCount = Int(last.entry.end.offset - offset)
        let isReadable = run.count > 1 && canRead(at: offset, count: byteCount)
        for item in run {
            report.blockCount += 1
            let place = item.entry.location.offset
            let count = Int(item.entry.end.offset - place)
            let consequence = "block \(item.block) of the disk cannot be read"
            var at = Int(place - offset)
            if !isReadable {
                // One by one: only what cannot be read is lost.
                let what = "block \(item.block)"
                guard read(what, at: place, count: count, into: buffer, consequence) else {
                    continue
                }
                at = 0
            }
            if let problem = problem(item.block, item.entry, at: at) {
                report.add(.error, "block \(item.block) \(problem)", at: place, consequence)
            }
        }
    }

    /// What is wrong with a block whose stored bytes were read.
    private func problem(_ block: UInt64, _ entry: MapEntry, at start: Int) -> String? {
        let range = start..<start + Int(entry.end.offset - entry.location.offset)
        if buffer.checksum(range) != entry.checksum {
            return "does not have the checksum it was written with"
        }
        let stored = unsafe UnsafeRawBufferPointer(buffer.slice(range))
        if let cipher {
            let place = unsafe buffer.slice(range)
            do throws(AccelerationError) {
                try unsafe cipher.open(block, entry, stored, into: place)
            } catch {
                note(error)
                return "is not what was encrypted there"
            }
        }
        return unsafe isDecodable(entry, stored) ? nil : "cannot be decompressed"
    }

    private func canRead(at offset: UInt64, count: Int) -> Bool {
        do throws(Errno) {
            try unsafe store.read(at: offset, into: buffer.slice(0..<count))
            report.bytesVerified += UInt64(count)
            return true
        } catch {
            return false
        }
    }
}
