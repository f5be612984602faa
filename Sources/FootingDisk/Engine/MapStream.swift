import FootingAcceleration
import FootingSystem
import Synchronization

/// What a checkpoint writes from, made when a disk is opened.
///
/// A checkpoint may come when there is no memory to be had, and must not fail for that. Between two
/// it is given back, all but its addresses.
final class CheckpointMemory: Sendable {
    static let pageCount = 64

    /// Map pages on their way out.
    let pages: AlignedBuffer
    /// The segment table as it is stored.
    let table: Locked<AlignedBuffer>

    /// - Throws: kind `noMemory`.
    init(_ geometry: Geometry, _ buffers: any BufferSource) throws(DiskError) {
        pages = try buffers.buffer(for: "open", count: Self.pageCount * 4096)
        let count = Int(geometry.tableRegionSizeBytes)
        table = Locked(try buffers.buffer(for: "open", count: count))
    }

    /// Makes room for the table of a larger container; one for a smaller one fits as well.
    ///
    /// - Throws: kind `noMemory`.
    func fit(_ geometry: Geometry, _ buffers: any BufferSource) throws(DiskError) {
        let count = Int(geometry.tableRegionSizeBytes)
        if table.withLock({ $0.count >= count }) { return }
        var larger: AlignedBuffer? = try buffers.buffer(for: "resize", count: count)
        table.withLock { table in
            if let new = larger.take() { table = new }
        }
    }

    /// Gives the pages back to the kernel.
    func discard() {
        pages.discard()
        table.withLock { $0.discard() }
    }
}

/// Appends map pages to segments of their own, a quarter of a megabyte at a time.
final class MapStream: MapUpdate.Output {
    private static let bufferPageCount = CheckpointMemory.pageCount

    private let engine: Engine
    private var buffered = 0
    private var bufferOffset: UInt64 = 0
    private(set) var pageCount = 0
    /// Where the stream was, to go back to.
    private let headBefore: Superblock.Head?
    private var taken: [UInt32] = []
    /// Where pages of encrypted disks are encrypted.
    private let scratch = AlignedBuffer(count: 4096)

    init(engine: Engine) {
        self.engine = engine
        headBefore = engine.state.withLock { $0.mapHead }
    }

    /// Gives back what was taken, as if nothing had been appended.
    func abandon() {
        engine.state.withLock { state in
            for segment in taken {
                state.segments[Int(segment)].state = .free
                state.segments[Int(segment)].pagesWritten = 0
            }
            state.ready.insert(contentsOf: taken, at: 0)
            // In what may have been written no other page goes: its nonce was used.
            let isReused = engine.cipher == nil || engine.options.leavesOutOfEncryption == .abandon
            state.mapHead = isReused ? headBefore : nil
            if let headBefore {
                state.segments[Int(headBefore.segment)].pagesWritten = headBefore.page
            }
        }
    }

    func append(_ page: borrowing AlignedBuffer) throws(DiskError) -> Location {
        let location = try reserve()
        put(page)
        return location
    }

    func append(
        _ page: borrowing AlignedBuffer,
        _ checksum: UInt32
    ) throws(DiskError) -> MapEntry {
        let location = try reserve()
        guard let cipher = engine.cipher else {
            put(page)
            return MapEntry(location: location, checksum: checksum)
        }
        unsafe scratch.copy(from: UnsafeRawBufferPointer(page.slice(0..<4096)), at: 0)
        do throws(AccelerationError) {
            let entry = try cipher.seal(page: scratch, at: location)
            put(scratch)
            return entry
        } catch {
            throw DiskError(
                .noMemory,
                "encrypt map page",
                offset: location.offset,
                error.description
            )
        }
    }

    /// Copies the next page in.
    private func put(_ page: borrowing AlignedBuffer) {
        unsafe engine.checkpointMemory.pages.copy(
            from: UnsafeRawBufferPointer(page.slice(0..<4096)),
            at: buffered * 4096
        )
        buffered += 1
        pageCount += 1
    }

    /// Takes the place for the next page.
    private func reserve() throws(DiskError) -> Location {
        let geometry = engine.geometry
        let (location, isContiguous) = try engine.state.withLock {
            (state) throws(DiskError) -> (Location, Bool) in
            var head = state.mapHead
            let isContiguous = head.map { $0.page < geometry.pagesPerSegment } ?? false
            if !isContiguous {
                guard !state.ready.isEmpty else {
                    throw DiskError(.noSpace, "checkpoint", "no free segment for the map")
                }
                let segment = engine.takeSegment(.map, &state)
                taken.append(segment)
                head = Superblock.Head(
                    sequence: state.segments[Int(segment)].sequence,
                    segment: segment,
                    page: 0,
                    next: segment
                )
            }
            guard var head else { preconditionFailure("no segment for the map") }
            let location = geometry.location(segment: head.segment, page: head.page)
            head.page += 1
            state.segments[Int(head.segment)].pagesWritten = head.page
            state.mapHead = head
            return (location, isContiguous)
        }
        if !isContiguous || buffered == Self.bufferPageCount { try finish() }
        if buffered == 0 { bufferOffset = location.offset }
        return location
    }

    /// Writes what is buffered.
    func finish() throws(DiskError) {
        if buffered == 0 { return }
        defer { buffered = 0 }
        do throws(Errno) {
            try unsafe engine.store.write(
                at: bufferOffset,
                UnsafeRawBufferPointer(
                    engine.checkpointMemory.pages.slice(0..<buffered * 4096)
                )
            )
        } catch {
            throw DiskError("write map pages", offset: bufferOffset, cause: error)
        }
        engine.traffic.mapBytes.wrappingAdd(UInt64(buffered) * 4096, ordering: .relaxed)
    }
}
