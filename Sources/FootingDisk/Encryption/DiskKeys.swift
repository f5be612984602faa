import FootingAcceleration
import FootingSystem

/// The key slots of an encrypted disk that nobody has open.
///
/// The key that the disk is encrypted with stays the same whatever changes here: a slot only wraps
/// it.
public enum DiskKeys {
    /// What a slot is changed to.
    enum Change {
        case add(DiskEncryption)
        case remove(Int)
        case replace(Int, DiskEncryption)
    }

    /// The slots of a disk, which may be in use.
    static func list(_ store: any BlockStore) throws(DiskError) -> [DiskKeySlot] {
        let slots = try KeySlotStore.newest(store).slots
        var result: [DiskKeySlot] = []
        for (index, slot) in slots.enumerated() {
            guard let slot else { continue }
            result.append(
                DiskKeySlot(
                    index: index,
                    kind: slot.kind,
                    label: slot.label,
                    createdUnixSeconds: slot.createdSeconds,
                    guessBytes: slot.kind == .passphrase ? slot.cost.memoryBytes : nil
                )
            )
        }
        return result
    }

    /// Adds a way to open a disk.
    ///
    /// - Parameters:
    ///   - path: a file or a block device.
    ///   - new: what will open it, too.
    ///   - key: what opens it now.
    /// - Returns: the number of the slot.
    /// - Throws: kind `locked` for a wrong key, `busy` while a process has the disk open, `invalid`
    ///   if all slots are in use.
    public static func add(
        path: String,
        _ new: DiskEncryption,
        key: DiskKey
    ) throws(DiskError) -> Int {
        try change(path, .add(new), key)
    }

    /// Removes a way to open a disk; the last one stays.
    public static func remove(path: String, slot: Int, key: DiskKey) throws(DiskError) {
        _ = try change(path, .remove(slot), key)
    }

    /// Puts another passphrase or key file in the place of one, in one step.
    public static func rotate(
        path: String,
        slot: Int,
        to new: DiskEncryption,
        key: DiskKey
    ) throws(DiskError) {
        _ = try change(path, .replace(slot, new), key)
    }

    private static func change(
        _ path: String,
        _ change: Change,
        _ key: DiskKey
    ) throws(DiskError) -> Int {
        let store = try FileStore(path: path, access: .exclusive)
        var generator = SystemRandomNumberGenerator()
        do throws(DiskError) {
            return try Self.change(
                store,
                change,
                key,
                unixSeconds: SystemClock().unixSeconds,
                using: &generator
            )
        } catch {
            throw error.at(path)
        }
    }

    /// - Returns: the slot that was changed.
    static func change(
        _ store: any BlockStore,
        _ change: Change,
        _ key: DiskKey,
        unixSeconds: UInt64,
        leavesOut: FeatureRule? = nil,
        using generator: inout some RandomNumberGenerator
    ) throws(DiskError) -> Int {
        guard try OpenedContainer.isEncrypted(store) else {
            throw DiskError(.invalid, "change keys", "the disk is not encrypted")
        }
        let opened = try KeySlotStore.unlock(store, key, "change keys")
        // Nobody's slots but the disk's own, which the superblock is proved with.
        _ = try opened.superblock.get()
        var slots = opened.slots
        let index: Int
        do throws(KeyError) {
            switch change {
            case .add(let new):
                index = try slots.add(
                    new.key.credential,
                    key: opened.volume.key,
                    label: new.label,
                    cost: new.cost,
                    nowSeconds: unixSeconds,
                    using: &generator
                )
            case .remove(let slot):
                try slots.remove(slot, key: opened.volume.key)
                index = slot
            case .replace(let slot, let new):
                try slots.replace(
                    slot,
                    with: new.key.credential,
                    key: opened.volume.key,
                    label: new.label.isEmpty ? nil : new.label,
                    cost: new.cost,
                    nowSeconds: unixSeconds,
                    using: &generator
                )
                index = slot
            }
        } catch {
            throw DiskError("change keys", error)
        }
        // While one copy is written only the other is sure to open the disk: so that one must be
        // intact, and what the key has opened.
        let others = leavesOut == .healing ? [] : opened.others
        try KeySlotStore.write(opened.slots, store, at: others)
        try KeySlotStore.write(slots, store, leavesOut: leavesOut)
        return index
    }
}

/// Changes of keys for a simulation.
package enum DiskKeyDriver {
    /// Whether a key opens a disk.
    package static func opens(_ store: any BlockStore, _ key: DiskKey) throws(DiskError) -> Bool {
        do throws(DiskError) {
            _ = try KeySlotStore.unlock(store, key, "open")
            return true
        } catch {
            if error.kind == .locked { return false }
            throw error
        }
    }

    /// Gives the only slot of a disk another key.
    package static func rotate(
        _ store: any BlockStore,
        from old: DiskKey,
        to new: DiskKey,
        unixSeconds: UInt64,
        leavesOut: FeatureRule?,
        using generator: inout some RandomNumberGenerator
    ) throws(DiskError) {
        _ = try DiskKeys.change(
            store,
            .replace(0, DiskEncryption(key: new)),
            old,
            unixSeconds: unixSeconds,
            leavesOut: leavesOut,
            using: &generator
        )
    }
}
