import FootingAcceleration
import FootingSystem
import Synchronization

// From a key to a container whose superblock is proved.
extension OpenedContainer {
    /// What opening a container begins with.
    struct Unlocked {
        let superblock: Superblock
        /// A copy of it, or of the key slots, is not intact.
        let isHealed: Bool
        let cipher: VolumeCipher?
        let slotsToHeal: SlotsToHeal?
    }

    /// Key slots of which not every copy is intact, and where those others are.
    struct SlotsToHeal {
        let slots: KeySlots
        let offsets: [UInt64]
    }

    /// Reads the superblock, and the key slots if the disk is encrypted.
    ///
    /// - Parameter key: nil for a disk that is not encrypted.
    /// - Throws: kind `locked` if there is no key, or it is not the disk's, or the disk has none.
    static func unlock(
        _ store: any BlockStore,
        _ key: DiskKey?,
        _ accelerator: any Accelerator
    ) throws(DiskError) -> Unlocked {
        guard try isEncrypted(store) else {
            let (superblock, isHealed) = try readSuperblock(store)
            if key == nil {
                return Unlocked(
                    superblock: superblock,
                    isHealed: isHealed,
                    cipher: nil,
                    slotsToHeal: nil
                )
            }
            throw DiskError(.locked, "open", "\(notEncrypted), and a key was given: \(another)")
        }
        guard let key else { throw try KeySlotStore.withoutKey(store, "open") }
        let opened = try KeySlotStore.unlock(store, key, "open", accelerator)
        let (slots, others) = (opened.slots, opened.others)
        let (superblock, isHealed) = try opened.superblock.get()
        return Unlocked(
            superblock: superblock,
            isHealed: isHealed || !others.isEmpty,
            cipher: VolumeCipher(opened.keys, superblock.geometry),
            slotsToHeal: others.isEmpty ? nil : SlotsToHeal(slots: slots, offsets: others)
        )
    }

    private static let notEncrypted = "the disk is not encrypted"
    private static let another = "it is another disk than was meant, or somebody has replaced it"

    /// Throws if it is not encrypted.
    func requireEncryption() throws(DiskError) {
        if cipher != nil { return }
        throw DiskError(
            .locked,
            "open",
            "\(Self.notEncrypted), as is required: \(Self.another)"
        )
    }

    /// Whether one of the superblocks says so: somebody may have changed the other.
    static func isEncrypted(_ store: any BlockStore) throws(DiskError) -> Bool {
        try !encryptedVolumes(store).isEmpty
    }

    /// The disks that superblocks say they are of which say that they are encrypted.
    static func encryptedVolumes(_ store: any BlockStore) throws(DiskError) -> [Identifier] {
        let page = AlignedBuffer(count: 4096)
        var volumes: [Identifier] = []
        for offset in Geometry.superblockOffsets where offset + 4096 <= store.sizeBytes {
            guard (try? unsafe store.read(at: offset, into: page.slice(0..<4096))) != nil,
                let superblock = try? Superblock(page)
            else { continue }
            if superblock.geometry.isEncrypted { volumes.append(superblock.identifier) }
        }
        return volumes
    }

    /// Whether a superblock is that of the disk whose keys these are.
    ///
    /// - Throws: kind `noMemory`: then nobody can tell.
    static func isOwn(
        _ superblock: Superblock,
        _ page: borrowing AlignedBuffer,
        _ keys: VolumeKeys
    ) throws(DiskError) -> Bool {
        guard superblock.geometry.isEncrypted, superblock.identifier == keys.identifier else {
            return false
        }
        return try Superblock.isProved(page, keys)
    }

    /// Throws if there are no more nonces for another opening.
    func requireAnotherEpoch() throws(DiskError) {
        guard cipher != nil, superblock.epoch >= VolumeCipher.epochMax else { return }
        throw DiskError(
            .invalid,
            "open",
            "the disk was opened \(superblock.epoch) times, and its key is used up; clone it"
        )
    }
}

extension Engine {
    /// Writes the copies of the key slots anew that are not intact.
    ///
    /// - Returns: why that cannot be done: the disk can be used all the same, as the other copy has
    ///   opened it.
    func heal(_ found: OpenedContainer.SlotsToHeal) -> DiskError? {
        do throws(DiskError) {
            try KeySlotStore.write(found.slots, store, at: found.offsets)
        } catch {
            return error
        }
        let bytes = UInt64(KeySlots.byteCount * found.offsets.count)
        traffic.superblockBytes.wrappingAdd(bytes, ordering: .relaxed)
        return nil
    }
}
