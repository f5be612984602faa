import FootingAcceleration
import FootingSystem

/// The two copies of a disk's key slots, each behind a superblock.
///
/// They are written one after the other, each durable before the next: of two that differ the one
/// of the later generation counts.
enum KeySlotStore {
    private static let names = ["A", "B"]

    /// What was found of a copy.
    struct Copy {
        let name: String
        let offset: UInt64
        /// Nil if it is damaged.
        var slots: KeySlots?
        /// What is wrong with it.
        var problem: KeyError?
    }

    static func read(_ store: any BlockStore) throws(DiskError) -> [Copy] {
        let page = AlignedBuffer(count: KeySlots.byteCount)
        var copies: [Copy] = []
        for (offset, name) in zip(Geometry.keySlotsOffsets, names) {
            var copy = Copy(name: name, offset: offset)
            do throws(Errno) {
                guard offset + UInt64(KeySlots.byteCount) <= store.sizeBytes else {
                    throw .inputOutput
                }
                try unsafe store.read(at: offset, into: page.slice(0..<KeySlots.byteCount))
                do throws(KeyError) {
                    copy.slots = try unsafe KeySlots(
                        parsing: Array(UnsafeRawBufferPointer(page.slice(0..<KeySlots.byteCount)))
                    )
                } catch {
                    copy.problem = error
                }
            } catch {
                // The other copy may be readable.
                copy.problem = .damaged("they cannot be read (\(error))")
            }
            copies.append(copy)
        }
        return copies
    }

    /// The intact copy of the latest generation; what anybody can read is not proved.
    static func newest(_ store: any BlockStore) throws(DiskError) -> KeySlots {
        let copies = try read(store)
        let slots = copies.compactMap { $0.slots }.max { $0.generation < $1.generation }
        if let slots { return slots }
        throw DiskError("read key slots", copies[0].problem ?? .notKeySlots)
    }

    /// Slots that a key has opened.
    struct Opened: ~Copyable {
        let slots: KeySlots
        let volume: UnlockedVolume
        /// Both copies are this.
        let isWhole: Bool
    }

    /// Opens the disk's slots with a key; a copy that was tampered with does not count.
    static func unlock(
        _ store: any BlockStore,
        _ key: DiskKey,
        _ operation: String
    ) throws(DiskError) -> Opened {
        let copies = try read(store)
        let candidates = copies.compactMap { $0.slots }.sorted { $0.generation > $1.generation }
        var refusal = copies[0].problem ?? .notKeySlots
        for slots in candidates {
            do throws(KeyError) {
                let volume = try slots.unlock(key.credential)
                let isWhole = copies.allSatisfy { $0.slots == slots }
                return Opened(slots: slots, volume: volume, isWhole: isWhole)
            } catch {
                refusal = error
                // An older copy may have a slot that was removed since.
                if error != .tampered { break }
            }
        }
        throw DiskError(operation, refusal)
    }

    /// Writes both copies.
    static func write(_ slots: KeySlots, _ store: any BlockStore) throws(DiskError) {
        let page = AlignedBuffer(count: KeySlots.byteCount)
        unsafe slots.bytes.withUnsafeBytes { unsafe page.copy(from: $0, at: 0) }
        for offset in Geometry.keySlotsOffsets {
            do throws(Errno) {
                let bytes = unsafe UnsafeRawBufferPointer(page.slice(0..<KeySlots.byteCount))
                try unsafe store.write(at: offset, bytes)
                try store.synchronize()
            } catch {
                throw DiskError("write key slots", offset: offset, cause: error)
            }
        }
    }
}
