import FootingAcceleration
public import FootingSystem

/// What a new disk is to be.
public struct DiskOptions: Sendable {
    /// What the client sees, in bytes; a multiple of 512, at most 64 TiB.
    public var sizeBytes: UInt64
    /// Room beyond the data, in percent of it: 33 keeps the log at most 75 % full, 11 at most 90 %.
    public var sparePercent = 33
    /// Room for what snapshots keep while the disk is written on, in percent of the data.
    ///
    /// Each keeps what the disk was when it was made, and of every segment that it needs a part of
    /// also what is outdated there. What they keep is on top of the data and its spare room.
    public var snapshotReservePercent = 0
    /// Bytes of a segment, a power of two from 64 KiB to 64 MiB; nil chooses by size.
    ///
    /// Writes are atomic up to 1 MiB, but in segments of less than 2 MiB only up to three pages
    /// less than a segment.
    public var segmentSizeBytes: UInt64?
    /// How writes are compressed.
    public var compression = CompressionPolicy.none
    /// How it is encrypted; nil: not at all, which cannot be changed later.
    public var encryption: DiskEncryption?
    /// Whether btrfs goes on to write each block of the file elsewhere, with a checksum of its own.
    public var keepsCopyOnWrite = false
    /// Bytes of segments to prepare before the first write, so that what is written there changes
    /// no block map of the host's; all that there are, if they are fewer.
    ///
    /// Nil: as many as some thousand small durable writes take, where that is of use.
    public var preparedBytes: UInt64?

    /// Room for snapshots in a file, in percent: half the data, but not more than 128 GiB.
    ///
    /// It costs memory, 84 bytes for each segment: a disk of 1 TiB is to be served with 32 MiB.
    public static func snapshotReservePercent(sizeBytes: UInt64) -> Int {
        Int(min(50, (128 << 30) * 100 / max(sizeBytes, 1)))
    }

    /// Largest room for snapshots.
    public static let snapshotReservePercentMax = 10_000
    /// Smallest room that lets the collector keep up.
    public static let sparePercentMin = 11

    /// A disk with the usual spare room.
    public init(sizeBytes: UInt64) {
        self.sizeBytes = sizeBytes
    }

    func validate() throws(DiskError) {
        guard sizeBytes > 0, sizeBytes <= Geometry.sizeBytesMax, sizeBytes % 512 == 0 else {
            throw DiskError(
                .invalid,
                "create",
                "a size of \(sizeBytes) bytes; it must be a multiple of 512, at most 64 TiB"
            )
        }
        guard (Self.sparePercentMin...1000).contains(sparePercent) else {
            throw DiskError(
                .invalid,
                "create",
                "\(sparePercent) % of spare room; it must be \(Self.sparePercentMin) to 1000"
            )
        }
        guard (0...Self.snapshotReservePercentMax).contains(snapshotReservePercent) else {
            throw DiskError(
                .invalid,
                "create",
                "\(snapshotReservePercent) % of room for snapshots; it must be 0 to "
                    + "\(Self.snapshotReservePercentMax)"
            )
        }
        if let segment = segmentSizeBytes {
            guard segment >= 64 << 10, segment <= 64 << 20, segment & (segment - 1) == 0 else {
                throw DiskError(
                    .invalid,
                    "create",
                    "segments of \(segment) bytes; a power of two from 64 KiB to 64 MiB"
                )
            }
        }
    }

    /// The layout that follows from it.
    public func geometry() throws(DiskError) -> Geometry {
        try validate()
        let geometry = Geometry(
            sizeBytes: sizeBytes,
            sparePercent: sparePercent,
            snapshotReservePercent: snapshotReservePercent,
            segmentSizeBytes: segmentSizeBytes,
            isEncrypted: encryption != nil
        )
        guard geometry.segmentCount <= Geometry.segmentCountMax else {
            throw DiskError(
                .invalid,
                "create",
                "\(geometry.segmentCount) segments; larger ones keep it below "
                    + "\(Geometry.segmentCountMax)"
            )
        }
        guard geometry.containerSizeBytes <= Geometry.containerSizeBytesMax else {
            throw DiskError(
                .invalid,
                "create",
                "the room beyond the data makes the container larger than 512 TiB"
            )
        }
        return geometry
    }
}

extension Disk {
    /// Creates a container on a block device, whose content is given up.
    ///
    /// - Throws: kind `busy` if the device is mounted or otherwise in use; kind `invalid` if it is
    ///   no block device, or too small for the disk and its spare room.
    public static func create(onDevice path: String, _ options: DiskOptions) throws(DiskError) {
        let geometry = try options.geometry()
        let store = try FileStore(path: path, access: .exclusive)
        guard store.isBlockDevice else {
            throw DiskError(.invalid, "create", "it is not a block device").at(path)
        }
        do throws(DiskError) {
            try format(store, geometry, options.compression, options.encryption)
        } catch {
            throw error.at(path)
        }
    }

    private static func format(
        _ store: FileStore,
        _ geometry: Geometry,
        _ compression: CompressionPolicy,
        _ encryption: DiskEncryption?
    ) throws(DiskError) {
        var generator = SystemRandomNumberGenerator()
        try format(
            store,
            geometry,
            identifier: Identifier(using: &generator),
            unixSeconds: SystemClock().unixSeconds,
            compression: compression,
            encryption: encryption,
            using: &generator
        )
    }

    /// Creates a container in a new file.
    ///
    /// - Parameter progress: told how many of the bytes that ``DiskOptions/preparedBytes`` asks
    ///   for are done, and how many there are.
    /// - Throws: kind `invalid` if the file is there already; kind `noSpace` if the host is full. A
    ///   file that could not be finished is removed.
    public static func create(
        path: String,
        _ options: DiskOptions,
        progress: (_ done: UInt64, _ total: UInt64) -> Void = { _, _ in }
    ) throws(DiskError) {
        try create(path: path, try options.geometry(), options, progress)
    }

    /// The same with a layout that does not follow from the options.
    static func create(
        path: String,
        _ geometry: Geometry,
        _ options: DiskOptions,
        _ progress: (_ done: UInt64, _ total: UInt64) -> Void = { _, _ in }
    ) throws(DiskError) {
        let store = try FileStore(
            creating: path,
            sizeBytes: geometry.containerSizeBytes,
            keepsCopyOnWrite: options.keepsCopyOnWrite
        )
        // From here on it is this one's to remove, also where a signal ends the program.
        let mark = UnfinishedFile(path)
        do throws(DiskError) {
            try format(store, geometry, options.compression, options.encryption)
            try SegmentPreparation(store, geometry).run(options.preparedBytes, progress)
            do throws(Errno) {
                try FileDescriptor.synchronizeDirectory(of: path)
            } catch {
                throw DiskError("create", cause: error)
            }
        } catch {
            FileDescriptor.remove(path)
            throw error.at(path)
        }
        _ = consume mark
    }

    /// Writes the structures of an empty disk.
    public static func format(
        _ store: any BlockStore,
        _ geometry: Geometry,
        identifier: Identifier,
        unixSeconds: UInt64,
        compression: CompressionPolicy = .none
    ) throws(DiskError) {
        var generator = SystemRandomNumberGenerator()
        try format(
            store,
            geometry,
            identifier: identifier,
            unixSeconds: unixSeconds,
            compression: compression,
            encryption: nil,
            using: &generator
        )
    }

    /// Writes the structures of an empty disk, which is encrypted if the geometry says so.
    ///
    /// - Parameter generator: a cryptographic one, for the disk's key.
    public static func format(
        _ store: any BlockStore,
        _ geometry: Geometry,
        identifier: Identifier,
        unixSeconds: UInt64,
        compression: CompressionPolicy,
        encryption: DiskEncryption?,
        using generator: inout some RandomNumberGenerator
    ) throws(DiskError) {
        precondition(geometry.isEncrypted == (encryption != nil), "encrypted, or not")
        guard store.sizeBytes >= geometry.containerSizeBytes else {
            throw DiskError(
                .invalid,
                "create",
                "\(geometry.containerSizeBytes) bytes are needed and \(store.sizeBytes) are there"
            )
        }
        var entries = [SegmentEntry](
            repeating: SegmentEntry(),
            count: Int(geometry.segmentCount)
        )
        // Segments 0 and 1 are the clients' stream's, 2 and 3 the collector's.
        for index in 0..<4 {
            entries[index].state = .data
            entries[index].hasSpace = true
            entries[index].sequence = UInt64(index) + 1
        }
        let keys = try encryption.map { (encryption) throws(DiskError) in
            try makeKeys(store, encryption, identifier, unixSeconds, &generator)
        }
        var superblock = Superblock(
            identifier: identifier,
            generation: 1,
            geometry: geometry,
            root: .unmapped,
            lsn: 0,
            lsnChecksum: 0,
            epoch: 0,
            isClean: true,
            tableRegion: 0,
            tableChecksum: 0,
            user: Superblock.Head(sequence: 1, segment: 0, page: 0, next: 1),
            collector: Superblock.Head(sequence: 3, segment: 2, page: 0, next: 3),
            createdUnixSeconds: unixSeconds
        )
        superblock.setCompression(compression)
        if keys != nil { superblock.features |= Superblock.encryptedFeature }
        let tableBytes = Int(geometry.tableRegionSizeBytes)
        let region = try KernelBuffers().buffer(for: "create", count: tableBytes)
        superblock.tableChecksum = SegmentTable.store(
            entries,
            nextSequence: 5,
            volume: superblock.volume,
            generation: 1,
            in: region
        )
        if let keys { superblock.tableTag = try keys.sum(region, 0..<tableBytes) }
        let page = AlignedBuffer(count: 4096)
        try superblock.store(in: page, keys)
        try write(region, page, geometry, store)
    }

    /// Writes what a new disk begins with: both tables, then both superblocks.
    private static func write(
        _ region: borrowing AlignedBuffer,
        _ page: borrowing AlignedBuffer,
        _ geometry: Geometry,
        _ store: any BlockStore
    ) throws(DiskError) {
        let tableBytes = Int(geometry.tableRegionSizeBytes)
        do throws(Errno) {
            try store.allocate(0..<geometry.tableOffset(region: 2))
            for segment in 0..<UInt32(4) {
                try store.allocate(geometry.range(ofSegment: segment))
            }
            for copy in 0..<2 {
                let bytes = unsafe UnsafeRawBufferPointer(region.slice(0..<tableBytes))
                try unsafe store.write(at: geometry.tableOffset(region: copy), bytes)
            }
            try store.synchronize()
            for offset in Geometry.superblockOffsets {
                try unsafe store.write(at: offset, UnsafeRawBufferPointer(page.slice(0..<4096)))
            }
            try store.synchronize()
        } catch {
            throw DiskError("create", cause: error)
        }
    }
}

extension Disk {
    /// Draws the key of a new disk, and writes the slot that opens it.
    private static func makeKeys(
        _ store: any BlockStore,
        _ encryption: DiskEncryption,
        _ identifier: Identifier,
        _ unixSeconds: UInt64,
        _ generator: inout some RandomNumberGenerator
    ) throws(DiskError) -> VolumeKeys {
        var slots = KeySlots(volume: identifier)
        let keys: VolumeKeys
        do throws(KeyError) {
            let key = try VolumeKey(using: &generator)
            try slots.add(
                encryption.key.credential,
                key: key,
                label: encryption.label,
                cost: encryption.cost,
                nowSeconds: unixSeconds,
                using: &generator
            )
            do throws(DiskError) {
                keys = try VolumeKeys(key, identifier, SoftwareAccelerator())
            } catch {
                throw KeyError.unavailable(error.detail)
            }
        } catch {
            throw DiskError("create", error)
        }
        try KeySlotStore.write(slots, store)
        return keys
    }
}

/// What a container says of itself.
public struct DiskInformation: Sendable, Equatable {
    /// Its UUID.
    public let identifier: Identifier
    /// Format version.
    public let formatVersion: UInt32
    /// Where everything is.
    public let geometry: Geometry
    /// Counts checkpoints and openings.
    public let generation: UInt64
    /// How often it was opened for writing.
    public let epoch: UInt32
    /// Whether it was closed cleanly.
    public let isClean: Bool
    /// When it was created, in seconds since 1970.
    public let createdUnixSeconds: UInt64
    /// How writes are compressed.
    public let compression: CompressionPolicy
    /// What opens it if it is encrypted.
    public let keySlots: [DiskKeySlot]
    /// What is wrong with the slots, so that nobody can tell them; nil if nothing is.
    public let keySlotsFailure: DiskError?

    /// Whether it is encrypted.
    public var isEncrypted: Bool { geometry.isEncrypted }

    init(
        _ superblock: Superblock,
        _ keySlots: [DiskKeySlot] = [],
        keySlotsFailure: DiskError? = nil
    ) {
        self.keySlots = keySlots
        self.keySlotsFailure = keySlotsFailure
        identifier = superblock.identifier
        formatVersion = Superblock.version
        geometry = superblock.geometry
        generation = superblock.generation
        epoch = superblock.epoch
        isClean = superblock.isClean
        createdUnixSeconds = superblock.createdUnixSeconds
        compression = superblock.compression
    }

    /// Reads it from a container, which may be in use.
    public init(path: String) throws(DiskError) {
        let store = try FileStore(path: path, access: .readOnly)
        do throws(DiskError) { try self.init(store) } catch { throw error.at(path) }
    }

    init(_ store: any BlockStore) throws(DiskError) {
        let superblock = try OpenedContainer.readSuperblock(store).0
        guard superblock.geometry.isEncrypted else {
            self.init(superblock)
            return
        }
        do throws(DiskError) { self.init(superblock, try DiskKeys.list(store)) } catch {
            // All else can be told.
            self.init(superblock, keySlotsFailure: error)
        }
    }
}

/// What a container takes of its host.
public struct DiskUsage: Sendable, Equatable {
    /// Bytes it takes on the host's file system; the device's size for a block device.
    public let allocatedBytes: UInt64
    /// Whether a process has it open for writing.
    public let isInUse: Bool

    /// Asks the host.
    public init(path: String) throws(DiskError) {
        do throws(Errno) {
            let file = try FileDescriptor.open(path, .readOnly)
            let status = try file.status()
            allocatedBytes =
                status.kind == .blockDevice ? try file.blockDeviceSize() : status.allocatedBytes
            isInUse = try file.isLockedElsewhere()
        } catch {
            throw DiskError("look at", cause: error).at(path)
        }
    }
}
