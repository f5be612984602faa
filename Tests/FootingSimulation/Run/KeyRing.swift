import FootingAcceleration
import FootingDisk
import FootingSystem

/// The keys of an encrypted disk in a simulation.
struct KeyRing {
    /// What opens the disk now.
    private(set) var key: DiskKey
    /// What it is used for.
    let ledger: NonceLedger
    /// Times it was changed.
    private(set) var rotationCount = 0
    private var random: SeededRandom
    /// Apart from all else that is drawn: what a seed stands for stays the same.
    private var other: SeededRandom
    private let leavesOut: FeatureRule?
    private let changesOften: Bool

    init(_ profile: Profile, seed: UInt64) {
        let accelerator = profile.options.accelerator
        leavesOut = profile.options.leavesOutOfFeatures
        changesOften = profile.isAboutChanges
        random = SeededRandom(seed: seed)
        other = SeededRandom(seed: ~seed)
        ledger = NonceLedger(accelerator)
        key = Self.makeKey(&random)
    }

    private static func makeKey(_ random: inout SeededRandom) -> DiskKey {
        guard let bytes = try? SecretBytes(randomCount: 64, using: &random),
            let credential = try? Credential.keyFile(bytes)
        else { preconditionFailure("no memory for a key") }
        return DiskKey(credential)
    }

    /// Gives the disk another key now and then, and lets the power go meanwhile.
    mutating func rotate(
        _ store: SimulatedStore,
        _ clock: SimulatedClock
    ) throws(SimulationFailure) {
        guard changesOften || random.oneIn(3) else { return }
        let (new, crash) = (Self.makeKey(&random), random.oneIn(2) ? 1 + random.below(4) : nil)
        try change(to: new, crash, store, clock)
        // Once more, with a copy that may be damaged since.
        while changesOften, !other.oneIn(8) {
            let (new, crash) = (Self.makeKey(&other), other.oneIn(4) ? nil : 1 + other.below(6))
            try change(to: new, crash, store, clock)
        }
    }

    /// - Parameter crash: the write or sync at which the power goes.
    private mutating func change(
        to new: DiskKey,
        _ crash: Int?,
        _ store: SimulatedStore,
        _ clock: SimulatedClock
    ) throws(SimulationFailure) {
        if let crash { store.crash(atCall: crash) }
        do throws(DiskError) {
            try DiskKeyDriver.rotate(
                store,
                from: key,
                to: new,
                unixSeconds: clock.unixSeconds,
                leavesOut: leavesOut,
                using: &random
            )
            rotationCount += 1
            key = new
            // Nothing is left of a crash that did not come.
            store.restart(.all)
        } catch {
            guard store.isDown else { throw SimulationFailure("rotate: \(error)") }
            store.restart(random.oneIn(2) ? .random : .none)
            key = try opening([key, new], store)
        }
    }

    /// The one of several keys that opens the disk.
    private func opening(
        _ keys: [DiskKey],
        _ store: SimulatedStore
    ) throws(SimulationFailure) -> DiskKey {
        var found: [DiskKey] = []
        for key in keys {
            do throws(DiskError) {
                if try DiskKeyDriver.opens(store, key) { found.append(key) }
            } catch {
                throw SimulationFailure("unlock after a crash: \(error)")
            }
        }
        guard found.count == 1 else {
            throw SimulationFailure("\(found.count) of \(keys.count) keys open the disk")
        }
        return found[0]
    }
}
