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
    ///
    /// One that says itself that it is another disk's counts only if there is no other.
    static func newest(_ store: any BlockStore) throws(DiskError) -> KeySlots {
        let copies = try read(store)
        let volumes = try OpenedContainer.encryptedVolumes(store)
        let slots = copies.compactMap { $0.slots }.max { first, second in
            let (isOwn, isOther) = (volumes.contains(first.volume), volumes.contains(second.volume))
            return isOwn == isOther ? first.generation < second.generation : isOther
        }
        if let slots { return slots }
        throw damage("read key slots", copies)
    }

    /// What to say to somebody without a key: that one is needed, unless none would help.
    static func withoutKey(
        _ store: any BlockStore,
        _ operation: String
    ) throws(DiskError) -> DiskError {
        _ = try newest(store)
        return DiskError.withoutKey(operation)
    }

    /// Why nothing can be said of the slots at all.
    private static func damage(_ operation: String, _ copies: [Copy]) -> DiskError {
        for copy in copies {
            if case .unsupportedVersion = copy.problem {
                return DiskError(operation, copy.problem ?? .notKeySlots)
            }
        }
        return DiskError(
            .corrupt,
            operation,
            "both copies of the key slots are damaged, and no key opens the disk without them; "
                + problems(copies)
        )
    }

    /// What is wrong with the copies that are not intact.
    private static func problems(_ copies: [Copy]) -> String {
        copies.compactMap { copy in copy.problem.map { "copy \(copy.name): \($0)" } }
            .joined(separator: "; ")
    }

    /// Slots that a key has opened, and what they have opened.
    struct Opened: ~Copyable {
        let slots: KeySlots
        let volume: UnlockedVolume
        let keys: VolumeKeys
        /// What the keys prove, and whether a copy of it is not intact; or why they prove none.
        let superblock: Result<(Superblock, isHealed: Bool), DiskError>
        /// Where the copies are that are not this.
        let others: [UInt64]
    }

    /// Opens the disk's slots with a key.
    ///
    /// A copy that somebody without the key changed does not count, whatever it says of itself, nor
    /// one of another disk that the key opens, too, unless there is no other; of two that were
    /// written with the disk's key the later one counts.
    ///
    /// - Throws: kind `locked` for a wrong key, also if the earlier of two good copies has it,
    ///   `corrupt`, or `noMemory`: then another attempt may succeed.
    static func unlock(
        _ store: any BlockStore,
        _ key: DiskKey,
        _ operation: String,
        _ accelerator: any Accelerator = SoftwareAccelerator()
    ) throws(DiskError) -> Opened {
        let copies = try read(store)
        var candidates: [KeySlots] = []
        for case let slots? in copies.map({ $0.slots }) where !candidates.contains(slots) {
            candidates.append(slots)
        }
        if candidates.isEmpty { throw damage(operation, copies) }
        candidates.sort { $0.generation > $1.generation }
        var refusal: KeyError?
        let volumes = try OpenedContainer.encryptedVolumes(store)
        var unproved: Opened?
        var isUnprovedOwn = false
        for (index, slots) in candidates.enumerated() {
            let volume: UnlockedVolume
            do throws(KeyError) {
                volume = try open(slots, key, later: candidates[..<index])
            } catch {
                refusal = .graver(refusal ?? error, error)
                continue
            }
            let keys = try VolumeKeys(volume.key, slots.volume, accelerator)
            let superblock = try proved(store, keys)
            let opened = Opened(
                slots: slots,
                volume: volume,
                keys: keys,
                superblock: superblock,
                others: copies.filter { $0.slots != slots }.map { $0.offset }
            )
            if case .success = superblock { return opened }
            // The disk's own rather than another's, and of those the later one.
            let isOwn = volumes.contains(slots.volume)
            if unproved != nil, isUnprovedOwn || !isOwn { continue }
            unproved = consume opened
            isUnprovedOwn = isOwn
        }
        // While nobody can tell of a copy it may be the right one.
        if let refusal, refusal.mayPass { throw failure(operation, refusal, copies) }
        if let opened = unproved.take() { return opened }
        throw failure(operation, refusal ?? .wrongKey, copies)
    }

    /// The volume that a key opens, unless one of the later copies is its volume's as well.
    private static func open(
        _ slots: KeySlots,
        _ key: DiskKey,
        later: ArraySlice<KeySlots>
    ) throws(KeyError) -> UnlockedVolume {
        let volume = try slots.unlock(key.credential, limit: key.limit)
        for other in later where try other.isSealed(by: volume.key) {
            // The slot was removed since; the power went before this copy was written.
            throw .wrongKey
        }
        return volume
    }

    /// The superblock that the keys prove.
    ///
    /// - Throws: kind `noMemory`: then nobody can tell.
    private static func proved(
        _ store: any BlockStore,
        _ keys: VolumeKeys
    ) throws(DiskError) -> Result<(Superblock, isHealed: Bool), DiskError> {
        do throws(DiskError) {
            return .success(try OpenedContainer.readSuperblock(store, keys))
        } catch {
            if error.kind == .noMemory { throw error }
            if try OpenedContainer.encryptedVolumes(store).contains(keys.identifier) {
                return .failure(error)
            }
            return .failure(DiskError(.corrupt, "open", "the key slots are another disk's"))
        }
    }

    private static func failure(
        _ operation: String,
        _ refusal: KeyError,
        _ copies: [Copy]
    ) -> DiskError {
        let error = DiskError(operation, refusal)
        let problems = problems(copies)
        return problems.isEmpty
            ? error : DiskError(error.kind, operation, "\(error.detail); \(problems)")
    }

    /// Writes copies, one after the other.
    static func write(
        _ slots: KeySlots,
        _ store: any BlockStore,
        at offsets: [UInt64] = Geometry.keySlotsOffsets,
        leavesOut: FeatureRule? = nil
    ) throws(DiskError) {
        let page = AlignedBuffer(count: KeySlots.byteCount)
        unsafe slots.bytes.withUnsafeBytes { unsafe page.copy(from: $0, at: 0) }
        for offset in offsets {
            do throws(Errno) {
                let bytes = unsafe UnsafeRawBufferPointer(page.slice(0..<KeySlots.byteCount))
                try unsafe store.write(at: offset, bytes)
                if leavesOut == .slots, offset != offsets.last { continue }
                try store.synchronize()
            } catch {
                throw DiskError("write key slots", offset: offset, cause: error)
            }
        }
    }
}
