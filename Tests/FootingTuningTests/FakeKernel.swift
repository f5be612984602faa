import FootingSystem
import Glibc

@testable import FootingTuning

/// What the kernel does when an attribute is written, on a tree of files.
struct FakeKernel: TuningAccess {
    let root: HostRoot
    /// Paths whose writes are refused.
    var refused: Set<String> = []
    /// Paths that keep their values, whatever is written.
    var stubborn: Set<String> = []
    /// Attributes of containers' files, which no tree can have: their paths.
    var flagged = Flagged()

    /// The containers that have the attribute `+j`, as a file system remembers it.
    final class Flagged: Sendable {
        let paths = Locked<Set<String>>([])
    }

    func read(_ attribute: FileAttribute, of file: FileIdentity) throws(Errno) -> String {
        // That it is the container is looked at as for a real one.
        _ = try ContainerState.open(file, root)
        return flagged.paths.withLock { $0.contains(file.path) }
            ? FileAttribute.set : FileAttribute.clear
    }

    func write(
        _ attribute: FileAttribute,
        of file: FileIdentity,
        _ value: String
    ) throws(Errno) {
        _ = try ContainerState.open(file, root)
        if refused.contains(file.path) { throw .notPermitted }
        _ = flagged.paths.withLock {
            value == FileAttribute.set
                ? $0.insert(file.path).inserted : $0.remove(file.path) != nil
        }
    }

    func read(_ path: String) throws(Errno) -> String { try RootAccess(root).read(path) }

    func write(_ path: String, _ value: String) throws(Errno) {
        let files = RootAccess(root)
        _ = try files.read(path)
        if refused.contains(path) { throw .inputOutput }
        if stubborn.contains(path) { return }
        let name = String(path.split(separator: "/").last ?? "")
        let folder = String(path.dropLast(name.utf8.count))
        switch name {
        case "scheduler":
            let offered = try files.read(path).split { " []".contains($0) }.map(String.init)
            guard offered.contains(value) else { throw .invalidArgument }
            if try QueueAttribute.scheduler.value(files.read(path)) == value { return }
            let text = offered.map { $0 == value ? "[\($0)]" : $0 }.joined(separator: " ")
            try files.write(path, text)
            try renew(folder + "iosched", value)
            // A new scheduler brings its own number of requests.
            try files.write(folder + "nr_requests", value == "none" ? "254" : "256")
            if (try? files.read(folder + "async_depth")) != nil {
                try files.write(folder + "async_depth", value == "none" ? "254" : "256")
            }
        case "nr_requests":
            guard let number = Int(value), (4...2048).contains(number) else {
                throw .invalidArgument
            }
            try scaleDepth(files, folder, number)
            try files.write(path, value)
            if (try? files.read(folder + "iosched/async_depth")) != nil {
                try files.write(folder + "iosched/async_depth", "\(number * 3 / 4)")
            }
        case "async_depth" where folder.hasSuffix("queue/"):
            let scheduler = try QueueAttribute.scheduler.value(files.read(folder + "scheduler"))
            if scheduler == "none" { throw .invalidArgument }
            try files.write(path, value)
        case "dirty_bytes", "dirty_background_bytes":
            guard let number = Int(value), number >= 8192 else { throw .invalidArgument }
            try files.write(path, value)
            let twin = name.dropLast("bytes".count) + "ratio"
            try files.write(folder + twin, "0")
        case "dirty_ratio", "dirty_background_ratio":
            try files.write(path, value)
            let twin = name.dropLast("ratio".count) + "bytes"
            try files.write(folder + twin, "0")
        default:
            try files.write(path, value)
        }
    }
}

extension FakeKernel {
    /// From Linux 7.0 on the queue's own depth keeps its share of the number of requests under a
    /// scheduler, and is that number without one.
    private func scaleDepth(
        _ files: RootAccess,
        _ folder: String,
        _ number: Int
    ) throws(Errno) {
        guard let depth = Int((try? files.read(folder + "async_depth")) ?? "") else { return }
        let scheduler = try QueueAttribute.scheduler.value(files.read(folder + "scheduler"))
        let before = Int(try files.read(folder + "nr_requests")) ?? number
        let scaled = scheduler == "none" ? number : max(1, depth * number / before)
        try files.write(folder + "async_depth", "\(scaled)")
    }

    /// A scheduler takes its own attributes along, and a new one brings its defaults.
    private func renew(_ folder: String, _ scheduler: String) throws(Errno) {
        for name in (try? root.names(folder)) ?? [] {
            _ = unsafe unlink("\(root.path)/\(folder)/\(name)")
        }
        _ = unsafe rmdir("\(root.path)/\(folder)")
        guard scheduler == "mq-deadline" else { return }
        _ = unsafe mkdir("\(root.path)/\(folder)", 0o755)
        for (name, value) in ["read_expire": "500", "async_depth": "192"] {
            let path = "\(root.path)/\(folder)/\(name)"
            try FileDescriptor.open(path, [.writeOnly, .create]).write(value + "\n")
        }
    }
}

/// A process that ends after so many steps, before or after the last of them took effect.
final class Lifetime: Sendable {
    private let state: Locked<(steps: Int, limit: Int, isDead: Bool)>
    private let takesEffect: Bool

    init(_ limit: Int = .max, takesEffect: Bool = false) {
        state = Locked((0, limit, false))
        self.takesEffect = takesEffect
    }

    var isOver: Bool { state.withLock { $0.isDead } }

    /// One step; from its end on, nothing succeeds.
    func step<Result>(_ body: () throws(Errno) -> Result) throws(Errno) -> Result {
        let (isAlive, isLast) = state.withLock { state in
            if state.isDead { return (false, false) }
            state.steps += 1
            state.isDead = state.steps == state.limit
            return (true, state.isDead)
        }
        guard isAlive else { throw .inputOutput }
        if isLast, !takesEffect { throw .inputOutput }
        let result = try body()
        if isLast { throw .inputOutput }
        return result
    }

    /// Something that changes nothing.
    func look<Result>(_ body: () throws(Errno) -> Result) throws(Errno) -> Result {
        if isOver { throw .inputOutput }
        return try body()
    }
}

/// Attributes as a process that may end sees them.
struct MortalAccess: TuningAccess {
    let access: any TuningAccess
    let lifetime: Lifetime

    func read(_ path: String) throws(Errno) -> String {
        try lifetime.look { () throws(Errno) in try access.read(path) }
    }

    func write(_ path: String, _ value: String) throws(Errno) {
        try lifetime.step { () throws(Errno) in try access.write(path, value) }
    }

    func read(_ attribute: FileAttribute, of file: FileIdentity) throws(Errno) -> String {
        try lifetime.look { () throws(Errno) in try access.read(attribute, of: file) }
    }

    func write(
        _ attribute: FileAttribute,
        of file: FileIdentity,
        _ value: String
    ) throws(Errno) {
        try lifetime.step { () throws(Errno) in try access.write(attribute, of: file, value) }
    }
}

/// A journal in memory, which knows what of it a power failure would leave.
final class MemoryStore: JournalStore {
    private struct State {
        var next: [UInt8]?
        var current: [UInt8]?
        var durable: [UInt8]?
    }

    private let state = Locked(State())
    private let lifetime: Lifetime

    init(_ lifetime: Lifetime = Lifetime()) {
        self.lifetime = lifetime
    }

    /// One that begins with a journal.
    init(journal: [UInt8]?) {
        lifetime = Lifetime()
        state.withLock {
            $0.current = journal
            $0.durable = journal
        }
    }

    /// The journal as a process that was killed leaves it.
    var current: [UInt8]? { state.withLock { $0.current } }
    /// The journal as a power failure may leave it.
    var durable: [UInt8]? { state.withLock { $0.durable } }

    func read() throws(Errno) -> [UInt8]? {
        try lifetime.look { () throws(Errno) in state.withLock { $0.current } }
    }

    func prepare(_ bytes: [UInt8]) throws(Errno) {
        try lifetime.step { () throws(Errno) in state.withLock { $0.next = bytes } }
    }

    func replace() throws(Errno) {
        try lifetime.step { () throws(Errno) in
            state.withLock {
                $0.current = $0.next
                $0.next = nil
            }
        }
    }

    func remove() throws(Errno) {
        try lifetime.step { () throws(Errno) in state.withLock { $0.current = nil } }
    }

    func synchronize() throws(Errno) {
        try lifetime.step { () throws(Errno) in state.withLock { $0.durable = $0.current } }
    }
}

extension MemoryStore {
    /// Puts a journal there without a step of the process's life.
    func begin(_ journal: [UInt8]?) {
        state.withLock {
            $0.current = journal
            $0.durable = journal
        }
    }
}

/// Lets others into a folder.
func chmodOpen(_ path: String) -> Int32 { unsafe chmod(path, 0o755) }
