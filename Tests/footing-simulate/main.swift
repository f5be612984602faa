import FootingDisk
import FootingSimulation
import FootingSystem
import Glibc

// Runs seeds of the simulation until all are done or one fails.
//
//   footing-simulate [--runs N] [--seed S] [--first] [--trouble T] [--snapshots]
//                    [--changes] [--encrypted] [--upkeep] [--without RULE]
//   footing-simulate --cache-policies
//   footing-simulate --memory FOLDER
//   footing-simulate --amplification SCALE
//
// --runs: how many seeds, counting up from --seed; --first: stop at the first failure; --trouble:
// only this kind, as a seed's failure names it, where a test chose it. A failure prints the seed
// and the command that replays it. --snapshots: disks that are full and have some. --changes: disks
// that are resized, compacted, trimmed and scrubbed all the time, compress otherwise and get other
// keys. --encrypted: all disks are. --upkeep: all keep themselves in order while clients work.
// --without: breaks a rule, to see that it is noticed; docs/SIMULATION.md has a list.
// --cache-policies: the hit ratios of the engine's cache and of others on fixed traces. --memory: a
// real disk in a folder under load while its budget changes; fails if the process has more memory
// than that. --amplification: what random overwrites cost on a disk of 1 GiB, divided by 1, 2, 4, 8
// or 16.

func say(_ text: String) {
    print(text)
    fflush(nil)
}

func usage() -> Never {
    say("USAGE: footing-simulate [--runs <n>] [--seed <n>] [--first] [--trouble <kind>]")
    say("                        [--snapshots] [--changes] [--encrypted] [--upkeep]")
    say("                        [--without <rule>]")
    say("       footing-simulate --cache-policies | --memory <folder>")
    say("       footing-simulate --amplification 1|2|4|8|16")
    exit(64)
}

func tellAmplification(scale: Int) -> Int32 {
    do throws(DiskError) {
        say(try AmplificationTable.text(scale: scale))
        return 0
    } catch {
        say("failed: \(error)")
        return 1
    }
}

struct Arguments: Sendable {
    var runCount: UInt64 = 1000
    var firstSeed: UInt64 = 1
    var stopsAtFirst = false
    var simulation = Simulation()

    init(_ arguments: ArraySlice<String>) {
        var rest = arguments
        while let argument = rest.popFirst() {
            switch argument {
            case "--runs":
                guard let value = rest.popFirst().flatMap({ UInt64($0) }) else { usage() }
                runCount = value
            case "--seed":
                guard let value = rest.popFirst().flatMap({ UInt64($0) }) else { usage() }
                firstSeed = value
            case "--first": stopsAtFirst = true
            case "--trouble":
                guard let kind = rest.popFirst().flatMap({ Profile.Trouble(rawValue: $0) }) else {
                    usage()
                }
                simulation.trouble = kind
            case "--snapshots": simulation.isAboutSnapshots = true
            case "--changes": simulation.isAboutChanges = true
            case "--encrypted": simulation.isEncrypted = true
            case "--upkeep": simulation.hasUpkeep = true
            case "--without": leaveOut(rest.popFirst() ?? "")
            case "--cache-policies":
                say(CacheComparison.table(slabCount: 8))
                exit(0)
            case "--memory":
                guard let folder = rest.popFirst() else { usage() }
                exit(MemoryTrial.run(folder: folder, say: say) ? 0 : 1)
            case "--amplification":
                guard let scale = rest.popFirst().flatMap({ Int($0) }),
                    AmplificationTrial.scales.contains(scale)
                else { usage() }
                exit(tellAmplification(scale: scale))
            default: usage()
            }
        }
    }
}

extension Arguments {
    private mutating func leaveOut(_ rule: String) {
        simulation.leavesOut = SnapshotRule(rawValue: rule)
        simulation.leavesOutOfEncryption = EncryptionRule(rawValue: rule)
        simulation.leavesOutOfFeatures = FeatureRule(rawValue: rule)
        if simulation.leavesOut == nil, simulation.leavesOutOfEncryption == nil,
            simulation.leavesOutOfFeatures == nil
        {
            usage()
        }
    }
}

/// What the threads share.
struct Progress {
    var nextSeed: UInt64
    var doneCount: UInt64 = 0
    var failureCount = 0
    var isStopping = false
    var restartCount = 0
    var segmentsCollected: UInt64 = 0
    var readsAhead: UInt64 = 0
    var compressedBlocks: UInt64 = 0
    var recompressedBlocks: UInt64 = 0
    var snapshotCount = 0
    var rollbackCount = 0
    var nonceCount = 0
    var rotationCount = 0
    var resizeCount = 0
    var compactionCount = 0
    var returnedBytes: UInt64 = 0
    var rearrangedBlocks: UInt64 = 0
    var returnedAtRestBytes: UInt64 = 0
    var lateReadCount = 0
    var scrubbedPassCount = 0
    var damageFoundCount = 0
}

/// The seeds in progress, where a signal handler finds them: a broken precondition ends the
/// process.
@safe
struct SeedsInProgress: @unchecked Sendable {
    static let threadCount = 2
    let seeds: UnsafeMutablePointer<UInt64>

    init() {
        unsafe seeds = .allocate(capacity: Self.threadCount)
        unsafe seeds.initialize(repeating: 0, count: Self.threadCount)
    }

    subscript(index: Int) -> UInt64 {
        get { unsafe seeds[index] }
        nonmutating set { unsafe seeds[index] = newValue }
    }
}

let seedsInProgress = SeedsInProgress()

func handleTrap(_ number: Int32) {
    for index in 0..<SeedsInProgress.threadCount {
        print("ended by signal \(number) in --runs 1 --seed \(seedsInProgress[index])")
    }
    fflush(nil)
    _exit(1)
}

let arguments = Arguments(CommandLine.arguments.dropFirst())
for number in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS] { signal(number, handleTrap) }
let progress = Locked(Progress(nextSeed: arguments.firstSeed))
let clock = SystemClock()
let start = clock.nanoseconds

@Sendable func work(_ index: Int) {
    while true {
        let seed = progress.withLock { progress -> UInt64? in
            let isDone = progress.nextSeed >= arguments.firstSeed + arguments.runCount
            if isDone || progress.isStopping { return nil }
            progress.nextSeed += 1
            return progress.nextSeed - 1
        }
        guard let seed else { return }
        seedsInProgress[index] = seed
        do throws(SimulationFailure) {
            let summary = try arguments.simulation.run(seed: seed)
            progress.withLock { progress in
                progress.restartCount += summary.restartCount
                progress.segmentsCollected += summary.segmentsCollected
                progress.readsAhead += summary.readsAhead
                progress.compressedBlocks += summary.compressedBlocks
                progress.recompressedBlocks += summary.recompressedBlocks
                progress.snapshotCount += summary.snapshotCount
                progress.rollbackCount += summary.rollbackCount
                progress.nonceCount += summary.nonceCount
                progress.rotationCount += summary.rotationCount
                progress.resizeCount += summary.resizeCount
                progress.compactionCount += summary.compactionCount
                progress.returnedBytes += summary.returnedBytes
                progress.rearrangedBlocks += summary.rearrangedBlocks
                progress.returnedAtRestBytes += summary.returnedAtRestBytes
                progress.lateReadCount += summary.lateReadCount
                progress.scrubbedPassCount += summary.scrubbedPassCount
                progress.damageFoundCount += summary.damageFoundCount
            }
        } catch {
            progress.withLock { progress in
                progress.failureCount += 1
                if arguments.stopsAtFirst { progress.isStopping = true }
                say("seed \(seed) failed: \(error)\n  footing-simulate --runs 1 --seed \(seed)")
            }
        }
        progress.withLock { progress in
            progress.doneCount += 1
            if progress.doneCount % 1000 == 0 { say("\(progress.doneCount) runs") }
        }
    }
}

do {
    let second = try Thread(name: "simulate") { work(1) }
    work(0)
    second.join()
} catch {
    say("threads: \(error)")
    exit(1)
}
let seconds = Double(clock.nanoseconds - start) / 1e9
progress.withLock { total in
    say(
        """
        \(total.doneCount) runs, \(total.failureCount) failed; \(total.restartCount) restarts, \
        \(total.segmentsCollected) segments collected; \(total.readsAhead) reads ahead; \
        \(total.compressedBlocks) blocks compressed, \(total.recompressedBlocks) once more; \
        \(total.snapshotCount) snapshots, \(total.rollbackCount) rollbacks; \
        \(total.nonceCount) nonces, \(total.rotationCount) keys changed; \
        \(total.resizeCount) resizes, \(total.compactionCount) compactions that gave back \
        \(total.returnedBytes >> 20) MiB; \
        \(total.rearrangedBlocks) blocks put in order, \
        \(total.returnedAtRestBytes >> 20) MiB given back at rest; \
        \(total.lateReadCount) reads beside other steps; \
        \(total.scrubbedPassCount) scrubs, \(total.damageFoundCount) damages found; \
        \(Int(Double(total.doneCount) / seconds)) runs per second
        """
    )
    // What no seed comes upon is not tested.
    if total.doneCount >= 100 {
        for (name, count) in [
            ("read ahead", total.readsAhead), ("compressed", total.compressedBlocks),
            ("compressed once more", total.recompressedBlocks),
            ("rolled back", UInt64(total.rollbackCount)),
            ("encrypted", UInt64(total.nonceCount)),
            ("put in order", total.rearrangedBlocks),
            ("given back at rest", total.returnedAtRestBytes),
            ("resized", UInt64(total.resizeCount)), ("given back", total.returnedBytes),
            ("read beside other steps", UInt64(total.lateReadCount)),
            ("scrubbed", UInt64(total.scrubbedPassCount)),
            ("found to be damaged", UInt64(total.damageFoundCount)),
        ] where count == 0 {
            say("nothing was \(name)")
            exit(1)
        }
    }
    exit(total.failureCount == 0 ? 0 : 1)
}
