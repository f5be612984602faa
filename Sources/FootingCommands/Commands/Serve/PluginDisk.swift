internal import FootingDeployment
public import FootingDisk
internal import FootingMemory
public import FootingNBD
internal import FootingSystem
internal import FootingTuning

/// A disk as `footing serve` runs it, in the server of another program.
///
/// Opened without a thread, so that the program may fork before ``start()``.
public final class PluginDisk: Sendable {
    /// Why it cannot be opened, started or closed, for people.
    public struct Failure: Error, Sendable {
        /// One sentence without the full stop.
        public let message: String
    }

    /// The disk.
    public let disk: Disk
    /// The name clients may ask for.
    public let name: String
    /// Whether clients may change nothing.
    public let isReadOnly: Bool

    /// Is to be told of the clients.
    public let server = ForeignServer()
    /// The disk's snapshots; nil where the profile forbids them, or a filter may mix them up.
    public let snapshots: SnapshotSource?

    private let keepingFilter: String?
    private let warn: @Sendable (String) -> Void
    private let path: String
    private let profile: TuningProfile?
    private let keepsBudget: Bool
    private let placement: DiskPlacement
    private let console: Console
    private let running = Locked<RunningDisk?>(nil)

    /// Looks at the place it runs in, opens the disk accordingly, and recovers it.
    ///
    /// - Parameters:
    ///   - options: a complete set of them.
    ///   - keepingFilter: the name of one before the disk that may keep blocks by their number,
    ///     whatever the export, and as if nobody but clients changed them; nil if there is none.
    ///   - log: told what was decided, line by line, and remarks later on.
    ///   - warn: told what does not work, line by line.
    public init(
        _ options: PluginOptions,
        keepingFilter: String?,
        log: @escaping @Sendable (String) -> Void,
        warn: @escaping @Sendable (String) -> Void
    ) throws(Failure) {
        self.keepingFilter = keepingFilter
        self.warn = warn
        console = Console(columns: 80, progressColumns: nil) { (_, text) throws(Errno) in
            for line in text.split(separator: "\n") { log(String(line)) }
        }
        let opened: (disk: Disk, placement: DiskPlacement)
        do throws(CommandError) {
            profile = try ServeLimits.profile(options.input)
            opened = try Self.open(options, profile, console)
        } catch {
            throw Failure(message: TerminalText.harmless(error.message, keepsLineFeeds: false))
        }
        disk = opened.disk
        placement = opened.placement
        path = options.path
        name = String(path.split(separator: "/").last ?? "disk")
        let isAllowed = profile?.allows(.snapshots) ?? true && keepingFilter == nil
        snapshots = isAllowed ? SnapshotSource(disk, diskName: name) : nil
        isReadOnly = options.isReadOnly
        keepsBudget = options.input[ServeCommand.fixedMemory]
    }

    private static func open(
        _ options: PluginOptions,
        _ profile: TuningProfile?,
        _ console: Console
    ) throws(CommandError) -> (Disk, DiskPlacement) {
        let detection = ServeCommand.tuned(try ServeCommand.detect(options.path), profile)
        ServeCommand.tellUnheeded(profile, console)
        if let profile { tellLeft(profile, console) }
        try ServeCommand.check(options.path, profile)
        let placement = DiskPlacement.decide(detection.report)
        var engine = ServeCommand.options(options.input, profile, detection, placement)
        engine.log = { line in console.remark(line) }
        engine.key = try KeyOptions.current.given(options.input)
        do throws(DiskError) {
            let disk = try Disk(path: options.path, options: engine, starts: false)
            ServeReport(
                disk: disk,
                detection: detection,
                placement: placement,
                limits: nil,
                uri: "opened"
            ).print(console, isJSON: false)
            return (disk, placement)
        } catch {
            throw DiskCommand.failure(error)
        }
    }

    /// What of a profile is the other program's business: nobody is to believe that it holds.
    private static func tellLeft(_ profile: TuningProfile, _ console: Console) {
        let left = [
            ("connections", "--filter=limit"), ("bandwidth", "--filter=rate"),
            ("memory-ceiling", "a control group"),
        ].compactMap { field, remedy in
            profile[field].number.map { _ in "\(profile.text(of: field)) (\(remedy))" }
        }
        if !left.isEmpty {
            console.remark(
                "the profile '\(profile.name)' asks for what is left to the server: "
                    + left.joined(separator: ", ")
            )
        }
    }

    /// Starts the disk's threads, gives its memory back under pressure from now on, and answers
    /// `footing status` and the like.
    ///
    /// On the disk's node, as are the threads that the caller starts afterwards: not before, since
    /// what nbdkit runs with `--run` is started by then and may run anywhere.
    public func start() throws(Failure) {
        ServeCommand.pin(placement, console)
        // The lock ended with the process that opened the disk, if this one is another.
        let keyLockFailure = ServeCommand.tellOfKeys(disk, console)
        do throws(DiskError) { try disk.start() } catch {
            throw Failure(message: error.description)
        }
        let running = RunningDisk(
            disk: disk,
            server: server,
            path: path,
            uri: nil,
            keyLockFailure: keyLockFailure,
            profile: profile,
            limits: nil,
            coordinator: keepsBudget ? nil : ServeCommand.coordinator(of: disk, console),
            fixedBy: keepingFilter.map { "nbdkit's filter '\($0)'" }
        )
        for failure in running.start() { warn(failure) }
        self.running.withLock { $0 = running }
    }

    /// Why there is no export of a name, in words of ours.
    public func missing(_ name: String) -> String {
        guard let keepingFilter, profile?.allows(.snapshots) ?? true,
            name.hasPrefix("@") || name.hasPrefix(self.name + "@")
        else { return "a client asked for an export that is not there" }
        return "a client asked for a snapshot, which nbdkit's filter '\(keepingFilter)' may mix up "
            + "with the disk: leave the filter out"
    }

    /// Makes everything durable and marks the container clean; idempotent.
    public func close() throws(Failure) {
        running.withLock { $0.take() }?.stop()
        do throws(DiskError) { try disk.close() } catch {
            throw Failure(message: error.description)
        }
    }
}
