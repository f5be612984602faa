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
        let (superblock, isHealed) = try readSuperblock(store)
        guard try isEncrypted(store) else {
            if key == nil {
                return Unlocked(
                    superblock: superblock,
                    isHealed: isHealed,
                    cipher: nil,
                    slotsToHeal: nil
                )
            }
            throw DiskError(
                .locked,
                "open",
                "the disk is not encrypted, and a key was given: it is another disk than was meant"
            )
        }
        guard let key else { throw try KeySlotStore.withoutKey(store, "open") }
        let opened = try KeySlotStore.unlock(store, key, "open")
        let (slots, others) = (opened.slots, opened.others)
        let keys = try VolumeKeys(opened.volume.key, slots.volume, accelerator)
        let proved = try readSuperblock(store, keys)
        return Unlocked(
            superblock: proved.0,
            isHealed: proved.isHealed || !others.isEmpty,
            cipher: VolumeCipher(keys, proved.0.geometry),
            slotsToHeal: others.isEmpty ? nil : SlotsToHeal(slots: slots, offsets: others)
        )
    }

    /// Whether one of the superblocks says so: somebody may have changed the other.
    static func isEncrypted(_ store: any BlockStore) throws(DiskError) -> Bool {
        let page = AlignedBuffer(count: 4096)
        for offset in Geometry.superblockOffsets where offset + 4096 <= store.sizeBytes {
            guard (try? unsafe store.read(at: offset, into: page.slice(0..<4096))) != nil,
                let superblock = try? Superblock(page)
            else { continue }
            if superblock.geometry.isEncrypted { return true }
        }
        return false
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
