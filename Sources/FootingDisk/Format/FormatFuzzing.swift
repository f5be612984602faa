public import FootingSystem

/// What the fuzzers of `Fuzz/` reach of the format and of the engine.
///
/// Every function must return, whatever it is given: the bytes come from a hostile image.
@_spi(Fuzzing)
public enum FormatFuzzing {
    /// Reads a page as every structure that is one page long.
    public static func page(_ bytes: UnsafeRawBufferPointer, volume: UInt64) {
        let page = AlignedBuffer(count: 4096)
        unsafe page.copy(from: UnsafeRawBufferPointer(rebasing: bytes.prefix(4096)), at: 0)
        superblock(page)
        if let commit = CommitHeader(page, volume: volume) {
            for index in 0..<commit.descriptorCount {
                guard let descriptor = Descriptor.load(index, from: page) else { continue }
                let copy = AlignedBuffer(count: 4096)
                Descriptor.store(descriptor, index, in: copy)
                precondition(Descriptor.load(index, from: copy) == descriptor)
            }
        }
        if MapPage.identity(page, volume: volume) != nil {
            let geometry = Geometry(
                sizeBytes: 1 << 30,
                segmentSizeBytes: 1 << 20,
                segmentCount: 2000
            )
            for slot in 0..<geometry.entriesPerPage {
                let entry = MapPage.entry(page, slot)
                guard entry.isMapped, entry.isValid(in: geometry) else { continue }
                precondition(geometry.segment(of: entry.location) < geometry.segmentCount)
            }
        }
    }

    /// A superblock that is accepted must make sense, and come back the same.
    private static func superblock(_ page: borrowing AlignedBuffer) {
        guard let superblock = try? Superblock(page) else { return }
        let geometry = superblock.geometry
        _ = (geometry.containerSizeBytes, geometry.mapPageCount, geometry.payloadPerSegment)
        _ = (geometry.reservedForMap, geometry.tableOffset(region: 2))
        let copy = AlignedBuffer(count: 4096)
        superblock.store(in: copy)
        let again = try? Superblock(copy)
        precondition(again == superblock, "a superblock changes when it is stored")
    }

    /// Makes, reads, deletes and goes back to snapshots, or makes a checkpoint.
    private static func useSnapshots(
        _ choice: UInt8,
        _ driver: EngineDriver,
        _ buffer: borrowing AlignedBuffer
    ) throws(DiskError) {
        if choice < 16 { return try driver.checkpoint() }
        if choice < 19 { return try driver.createSnapshot("snapshot \(choice)") }
        guard let name = driver.snapshots().last?.name else { return }
        switch choice {
        case ..<22: try driver.deleteSnapshot(name)
        case ..<25: try driver.rollBack(to: name)
        default:
            let snapshot = try driver.openSnapshot(name)
            let count = Int(min(snapshot.sizeBytes, 64 << 10))
            try unsafe snapshot.read(at: 0, into: buffer.slice(0..<count))
            _ = try snapshot.extents(0..<snapshot.sizeBytes, limit: 64)
        }
    }

    /// Opens an image, then reads, writes, collects and closes as the commands say.
    ///
    /// - Parameters:
    ///   - store: the image.
    ///   - clock: what the engine takes for the time.
    ///   - commands: a byte each.
    ///   - closes: false leaves it as a crash does.
    public static func open(
        _ store: any BlockStore,
        clock: any TimeSource,
        commands: [UInt8],
        closes: Bool = true
    ) {
        var options = EngineOptions()
        options.memoryBudgetBytes = 0
        guard let opened = try? EngineDriver.open(store: store, options: options, clock: clock)
        else { return }
        let driver = opened.driver
        let buffer = AlignedBuffer(count: 64 << 10)
        for command in commands {
            // An error of one command is what a hostile image deserves; the next goes on.
            try? run(command, driver, buffer)
        }
        if closes { try? driver.close() }
    }

    private static func run(
        _ command: UInt8,
        _ driver: EngineDriver,
        _ buffer: borrowing AlignedBuffer
    ) throws(DiskError) {
        let sizeBytes = driver.engine.geometry.sizeBytes
        let count = min(sizeBytes, 64 << 10)
        let offset = (sizeBytes - count) / 512 * UInt64(command >> 3) / 31 * 512
        switch command & 7 {
        case 0: try unsafe driver.read(at: offset, into: buffer.slice(0..<Int(count)))
        case 1:
            guard driver.admits(blocks: 18) else { return }
            buffer.clear(0..<buffer.count)
            buffer.set(UInt8(command | 1), at: 700)
            try unsafe driver.write(
                at: offset,
                UnsafeRawBufferPointer(buffer.slice(0..<Int(count)))
            )
        case 2: try driver.trim(offset..<offset + count)
        case 3: try driver.flush()
        case 4: _ = try driver.commitStep()
        case 5: for _ in 0..<8 where try driver.maintenanceStep() {}
        case 6: try useSnapshots(command >> 3, driver, buffer)
        default: _ = try driver.extents(0..<sizeBytes, limit: 64)
        }
    }
}
