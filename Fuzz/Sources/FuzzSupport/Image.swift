@_spi(Fuzzing) internal import FootingDisk
public import FootingSystem

/// A small container that a fuzzer edits: what it changes gets right checksums again, so that the
/// checks behind them are reached.
public final class Image: @unchecked Sendable {
    // Sendable: a fuzzer has one thread.

    /// What can be edited.
    public enum Part: Sendable {
        case superblock, table, mapPage, commit, snapshots
    }

    /// Where a map page's checksum is repeated.
    private struct Parent {
        let page: Int
        let offset: Int
    }

    private let store: ImageStore
    private let tableOffset: Int
    private let tableEnd: Int
    private var mapPages: [Int] = []
    private var parents: [Int: Parent] = [:]
    /// The snapshots' table: its only page, then the pages of counts by record.
    private var snapshotPages: [Int] = []
    /// Header pages in the order of their LSN.
    private var commits: [Int] = []

    /// A container with a map of three pages; left by a crash, it has a log to replay as well.
    public init(isClosed: Bool) {
        store = Self.make(isClosed: isClosed)
        let segmentCount = Int(store.get(UInt32.self, at: 72))
        let regionBytes = 4096 + (segmentCount * 16 + 4095) / 4096 * 4096
        tableOffset = 128 << 10 + Int(store.get(UInt8.self, at: 113)) * regionBytes
        tableEnd = tableOffset + regionBytes
        findPages()
        store.keep()
    }

    private static func make(isClosed: Bool) -> ImageStore {
        do throws(DiskError) {
            var options = DiskOptions(sizeBytes: 2 << 20)
            options.segmentSizeBytes = 64 << 10
            options.sparePercent = 11
            options.snapshotReservePercent = 100
            let geometry = try options.geometry()
            let store = ImageStore(sizeBytes: geometry.containerSizeBytes)
            try Disk.format(
                store,
                geometry,
                identifier: Identifier(high: 1, low: volume),
                unixSeconds: 0
            )
            let clock = StoppedClock()
            // Writes all over, a checkpoint, then more that only the log has.
            let some: [UInt8] = (0..<16).map { $0 << 4 | 1 } + [3, 0x86, 0x11, 3, 0x8e, 6]
            FormatFuzzing.open(store, clock: clock, commands: some)
            if !isClosed {
                // With one more snapshot that only the log has.
                let more: [UInt8] = [1, 0x49, 3, 0x22, 0x81, 4, 3, 0xc9, 3, 0x96, 0x12, 0xe1, 3]
                FormatFuzzing.open(store, clock: clock, commands: more, closes: false)
            }
            return store
        } catch {
            preconditionFailure("no image: \(error)")
        }
    }

    /// The part of the UUID that every page repeats.
    public static var volume: UInt64 { 0x1122_3344_5566_7788 }

    private func findPages() {
        var found: [(lsn: UInt64, page: Int)] = []
        let checkpointLSN = store.get(UInt64.self, at: 96)
        for page in stride(from: tableEnd, to: Int(store.sizeBytes), by: 4096) {
            switch store.get(UInt32.self, at: page) {
            case 0x504d_5446: mapPages.append(page)
            case 0x4d43_5446: found.append((store.get(UInt64.self, at: page + 16), page))
            default: break
            }
        }
        commits = found.filter { $0.lsn > checkpointLSN }.sorted { $0.lsn < $1.lsn }.map(\.page)
        let snapshots = location(at: 184)
        if snapshots != 0 {
            let count = Int(store.get(UInt32.self, at: 196))
            snapshotPages = [snapshots]
            for record in 0..<count {
                snapshotPages.append(location(at: snapshots + 64 + record * 512 + 56))
            }
        }
        // The current root and its leaves; older pages stay as they are.
        let root = location(at: 80)
        mapPages = root == 0 ? [] : [root]
        for slot in 0..<336 where root != 0 {
            let offset = root + 64 + slot * 12
            let child = location(at: offset)
            guard child != 0, store.get(UInt8.self, at: root + 32) == 1 else { continue }
            mapPages.append(child)
            parents[child] = Parent(page: root, offset: offset + 8)
        }
    }

    private func location(at offset: Int) -> Int {
        Int(store.get(UInt64.self, at: offset) & 0xff_ffff_ffff) * 512
    }

    /// Edits, reseals, opens and uses the image, and puts it back.
    ///
    /// ```
    /// edits:8  (part:8 page:8 offset:16 value:16)…  commands
    /// ```
    public func run(_ input: inout Input, _ parts: [Part]) {
        let count = Int(input.byte() % 12)
        var isRelinked = true
        for _ in 0..<count {
            let choice = input.byte()
            let page = Int(input.byte())
            let offset = Int(input.number(bytes: 2))
            let value = input.number(bytes: 2)
            if choice & 0x80 != 0 { isRelinked = false }
            edit(parts[Int(choice & 0x0f) % parts.count], page, offset, value, choice >> 4 & 7)
        }
        seal(isRelinked)
        FormatFuzzing.open(store, clock: StoppedClock(), commands: input.rest(atMost: 64))
        store.restore()
    }

    private func edit(
        _ part: Part,
        _ page: Int,
        _ offset: Int,
        _ value: UInt64,
        _ form: UInt8
    ) {
        let at: Int
        switch part {
        case .superblock: at = offset % 208
        case .snapshots:
            guard !snapshotPages.isEmpty else { return }
            at = snapshotPages[page % snapshotPages.count] + offset % 4088
        case .table: at = tableOffset + offset % (tableEnd - tableOffset - 8)
        case .mapPage:
            guard !mapPages.isEmpty else { return }
            at = mapPages[page % mapPages.count] + offset % 4088
        case .commit:
            guard !commits.isEmpty else { return }
            at = commits[page % commits.count] + offset % (page & 0x80 == 0 ? 128 : 4088)
        }
        switch form {
        case 0: store.set(UInt8(truncatingIfNeeded: value), at: at)
        case 1: store.set(UInt16(value), at: at)
        case 2: store.set(UInt32(value), at: at)
        case 3: store.set(value, at: at)
        case 4: store.set(UInt64.max - value, at: at)
        case 5: store.set(UInt32.max - UInt32(value), at: at)
        case 6: store.set(store.get(UInt64.self, at: at) &+ value, at: at)
        default: store.set(store.get(UInt64.self, at: at) ^ 1 << (value & 63), at: at)
        }
    }

    /// Makes every checksum right again, from the leaves of what is checked to its root.
    private func seal(_ isRelinked: Bool) {
        for (index, page) in commits.enumerated() {
            if index > 0, isRelinked {
                store.set(store.get(UInt32.self, at: commits[index - 1] + 4), at: page + 32)
            }
            store.set(store.checksum(page + 8..<page + 4096), at: page + 4)
        }
        // The root is the first.
        for page in mapPages.reversed() {
            let checksum = store.checksum(page + 8..<page + 4096)
            store.set(checksum, at: page + 4)
            store.set(checksum, at: parents[page]?.offset ?? 88)
        }
        for (index, page) in snapshotPages.enumerated().reversed() {
            let checksum = store.checksum(page + 8..<page + 4096)
            store.set(checksum, at: page + 4)
            let parent = index == 0 ? 192 : snapshotPages[0] + 64 + (index - 1) * 512 + 64
            store.set(checksum, at: parent)
        }
        let checksum = store.checksum(tableOffset + 8..<tableEnd)
        store.set(checksum, at: tableOffset + 4)
        store.set(checksum, at: 116)
        store.set(store.checksum(12..<4096), at: 8)
        for offset in stride(from: 0, to: 4096, by: 8) {
            store.set(store.get(UInt64.self, at: offset), at: 64 << 10 + offset)
        }
    }
}

/// A clock that stands still: a run must depend on its input only.
public struct StoppedClock: TimeSource {
    /// A clock.
    public init() {}
    /// Always the same.
    public var nanoseconds: UInt64 { 1_000_000_000 }
    /// Long ago.
    public var unixSeconds: UInt64 { 0 }
}
