import FootingAcceleration
import FootingSystem

/// Reads map pages from the store or the cache, and verifies them.
///
/// A class: each read takes it along, and would count references to all of these otherwise.
final class MapReader: Sendable {
    let store: any BlockStore
    let layout: DiskLayout
    let volume: UInt64
    let cache: PageCache
    /// False only in tests that show that the checksums matter.
    let verifies: Bool
    /// Of an encrypted disk.
    let cipher: VolumeCipher?

    init(
        store: any BlockStore,
        layout: DiskLayout,
        volume: UInt64,
        cache: PageCache,
        verifies: Bool,
        cipher: VolumeCipher? = nil
    ) {
        self.store = store
        self.layout = layout
        self.volume = volume
        self.cache = cache
        self.verifies = verifies
        self.cipher = cipher
    }

    var geometry: Geometry { layout.geometry }

    /// The entry of a block in the tree below a root, or the run of blocks that have none.
    struct Answer {
        var entry: MapEntry
        /// Where an unmapped subtree ends; the next block for a mapped one.
        var end: UInt64
    }

    /// Looks a block up.
    ///
    /// - Parameter waits: whether a page may be read from the store.
    /// - Returns: nil if a page would have to be read and `waits` is false.
    func find(
        _ block: UInt64,
        root: MapRoot,
        waits: Bool = true
    ) throws(DiskError) -> Answer? {
        var page = root.entry
        var level = root.levels - 1
        while page.isMapped {
            let span = layout.span(level: level)
            let entries = UInt64(layout.entriesPerPage)
            let slot = Int(block / span % entries)
            let identity = MapPage.Identity(level: level, index: block / (span * entries))
            var entry = cache.entry(of: page, slot: slot, countsMiss: waits)
            if entry == nil {
                if !waits { return nil }
                let buffer = AlignedBuffer(count: 4096)
                try read(page, identity, into: buffer)
                cache.insert(page, buffer)
                entry = MapPage.entry(buffer, slot)
            }
            guard let entry else { preconditionFailure("a page that was just read") }
            if level == 0 { return Answer(entry: entry, end: block + 1) }
            if !entry.isMapped {
                return Answer(entry: .unmapped, end: (block / span + 1) * span)
            }
            page = entry
            level -= 1
        }
        return Answer(entry: .unmapped, end: root.blockCount)
    }

    /// A page that a look-up needs and that is not in the cache.
    struct Missing {
        var page: MapEntry
        var identity: MapPage.Identity
    }

    /// The first page on the way to a block that is not in the cache; nil if all are, by now.
    ///
    /// It counts as a miss, which ``find(_:root:waits:)`` has left to whoever reads the page.
    func missing(_ block: UInt64, root: MapRoot) -> Missing? {
        var page = root.entry
        var level = root.levels - 1
        while page.isMapped {
            let span = layout.span(level: level)
            let entries = UInt64(layout.entriesPerPage)
            let slot = Int(block / span % entries)
            guard let entry = cache.entry(of: page, slot: slot, countsMiss: true) else {
                let identity = MapPage.Identity(level: level, index: block / (span * entries))
                return Missing(page: page, identity: identity)
            }
            if level == 0 { return nil }
            page = entry
            level -= 1
        }
        return nil
    }

    /// Brings a page that will be replaced into a buffer, from the cache or the store.
    func load(
        _ page: MapEntry,
        _ identity: MapPage.Identity,
        into buffer: borrowing AlignedBuffer
    ) throws(DiskError) {
        if cache.copy(page, to: buffer) { return }
        try read(page, identity, into: buffer)
    }

    /// Reads a page from the store and verifies what it is.
    ///
    /// - Parameter fromDevice: whether the device itself is read, where that is possible.
    func read(
        _ page: MapEntry,
        _ identity: MapPage.Identity,
        fromDevice: Bool = false,
        into buffer: borrowing AlignedBuffer
    ) throws(DiskError) {
        try checkLocation(page)
        let offset = page.location.offset
        do throws(Errno) {
            if fromDevice {
                try unsafe store.readFromDevice(at: offset, into: buffer.slice(0..<4096))
            } else {
                try unsafe store.readDirectly(at: offset, into: buffer.slice(0..<4096))
            }
        } catch {
            throw DiskError("read map page", offset: page.location.offset, cause: error)
        }
        try verify(page, identity, buffer)
    }

    /// Whether a page can lie there at all.
    func checkLocation(_ page: MapEntry) throws(DiskError) {
        guard page.isValidPage(in: geometry) else {
            let offset = page.location.offset
            throw DiskError(.corrupt, "read map page", offset: offset, "impossible location")
        }
    }

    /// Makes sure that a buffer holds the page that it should, and decrypts it.
    func verify(
        _ page: MapEntry,
        _ identity: MapPage.Identity,
        _ buffer: borrowing AlignedBuffer
    ) throws(DiskError) {
        guard verifies || cipher != nil else { return }
        let found = MapPage.identity(buffer, volume: volume, isEncrypted: cipher != nil)
        do throws(AccelerationError) {
            guard buffer.checksum(8..<4096) == page.checksum, found == identity else {
                throw .notAuthentic
            }
            try cipher?.open(page: buffer, page)
        } catch {
            throw DiskError(
                "read map page",
                at: page.location,
                error,
                "it is not page \(identity.index) of level \(identity.level) that was written there"
            )
        }
    }
}
