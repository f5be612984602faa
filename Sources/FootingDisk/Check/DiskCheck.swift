import FootingAcceleration
import FootingSystem

/// Verifies every structure and every checksum of a container, and changes nothing.
///
/// It goes on after a finding as far as it can: a damaged page of the map hides what is below it,
/// and nothing else. Memory is bounded by the container's size: one bit for each page in use, the
/// segment table, and the changes since the last checkpoint.
public enum DiskCheck {
    /// Checks a container that nobody has open.
    ///
    /// - Parameters:
    ///   - path: a file or a block device.
    ///   - key: what opens it if it is encrypted.
    ///   - progress: called from time to time.
    /// - Throws: kind `busy` if a process has it open for writing; kind `unsupported` if it is no
    ///   container; kind `inputOutput` if it cannot be opened. What is wrong inside is no error
    ///   here.
    public static func run(
        path: String,
        key: DiskKey? = nil,
        progress: (CheckProgress) -> Void = { _ in }
    ) throws(DiskError) -> CheckReport {
        let store = try FileStore(path: path, access: .unchanging)
        do throws(DiskError) {
            return try run(store: store, key: key, progress: progress)
        } catch {
            throw error.at(path)
        }
    }

    /// Checks a container on any store.
    public static func run(
        store: any BlockStore,
        key: DiskKey? = nil,
        progress: (CheckProgress) -> Void = { _ in }
    ) throws(DiskError) -> CheckReport {
        try run(store: store, key: key, accelerator: SoftwareAccelerator(), progress: progress)
    }

    /// The same, with whatever decrypts.
    static func run(
        store: any BlockStore,
        key: DiskKey?,
        accelerator: any Accelerator,
        progress: (CheckProgress) -> Void = { _ in }
    ) throws(DiskError) -> CheckReport {
        var report = CheckReport()
        let keys = try unlock(store, key, accelerator, &report)
        guard let superblock = try superblock(store, keys, &report) else { return report }
        report.wasClean = superblock.isClean
        let checker = try Checker(
            store: store,
            superblock: superblock,
            report: report,
            cipher: keys.map { VolumeCipher($0, superblock.geometry) }
        )
        try checker.run(progress)
        return checker.report
    }

    /// The keys of an encrypted disk; a copy of the slots that is not intact is a finding.
    private static func unlock(
        _ store: any BlockStore,
        _ key: DiskKey?,
        _ accelerator: any Accelerator,
        _ report: inout CheckReport
    ) throws(DiskError) -> VolumeKeys? {
        guard try OpenedContainer.isEncrypted(store) else {
            // Says why a key does not help, unless nothing can be said at all.
            if key != nil { _ = try OpenedContainer.unlock(store, key, accelerator) }
            return nil
        }
        guard let key else { throw try KeySlotStore.withoutKey(store, "check") }
        let opened = try KeySlotStore.unlock(store, key, "check", accelerator)
        // Whether the other copy is of use to an opening, too.
        let opens =
            switch opened.superblock {
            case .success: true
            case .failure: false
            }
        for copy in try KeySlotStore.read(store) where copy.slots != opened.slots {
            report.add(
                .warning,
                "the key slots, copy \(copy.name): "
                    + (copy.problem?.description ?? "not those of the other copy"),
                at: copy.offset,
                opens
                    ? "the other copy is used; the next opening writes this one anew"
                    : "the other copy is used here, but proves no superblock: the disk cannot be "
                        + "opened"
            )
        }
        return opened.keys
    }

    /// The current superblock; nil if there is none, which is a finding then.
    private static func superblock(
        _ store: any BlockStore,
        _ keys: VolumeKeys?,
        _ report: inout CheckReport
    ) throws(DiskError) -> Superblock? {
        let page = AlignedBuffer(count: 4096)
        var found: [Superblock] = []
        for (offset, name) in zip(Geometry.superblockOffsets, ["A", "B"]) {
            var problem: String
            var superblock: Superblock?
            do throws(Errno) {
                guard offset + 4096 <= store.sizeBytes else { throw .inputOutput }
                try unsafe store.read(at: offset, into: page.slice(0..<4096))
                problem = Superblock.Refusal.forged.text
                do throws(Superblock.Refusal) { superblock = try Superblock(page) } catch {
                    problem = error.text
                }
            } catch {
                problem = "cannot be read (\(error))"
            }
            if let superblock {
                let isOwn = try keys.map { (keys) throws(DiskError) in
                    try OpenedContainer.isOwn(superblock, page, keys)
                }
                if isOwn != false {
                    found.append(superblock)
                    continue
                }
            }
            report.add(
                .warning,
                "superblock \(name) \(problem)",
                at: offset,
                "the other copy is used; the next opening writes this one anew"
            )
        }
        guard let best = found.max(by: { $0.generation < $1.generation }) else {
            // Says what kind of container it is, if it is none.
            do throws(DiskError) {
                _ = try OpenedContainer.readSuperblock(store, keys)
            } catch {
                if error.kind == .unsupported || error.kind == .noMemory { throw error }
            }
            report.add(
                .error,
                "both superblocks are damaged",
                at: 0,
                "the disk cannot be opened"
            )
            return nil
        }
        if let other = found.first(where: { $0 != best }) {
            report.add(
                .note,
                "the superblocks are of generations \(best.generation) and \(other.generation)",
                at: 0,
                "a crash came between writing the two; the newer one is used"
            )
        }
        return best
    }
}

extension Superblock.Refusal {
    /// What is wrong, as the end of a sentence.
    var text: String {
        switch self {
        case .foreign: "is not one"
        case .damaged: "does not have its checksum"
        case .version(let version): "is of format version \(version)"
        case .features(let bits): "has unknown features 0x\(hexadecimal(bits, digits: 1))"
        case .impossible(let what): "is impossible: \(what)"
        case .forged: "was changed by somebody without the key"
        }
    }
}
