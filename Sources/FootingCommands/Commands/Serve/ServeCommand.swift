internal import FootingDeployment
internal import FootingDisk
internal import FootingHost
internal import FootingLifecycle
internal import FootingMemory
internal import FootingNBD
internal import FootingSystem
internal import FootingTuning

/// `footing serve`: a disk over NBD, tuned to the place it runs in.
enum ServeCommand {
    static let path = Argument("path", .file, help: "The disk's container: a file or block device.")
    static let socket = Option(
        optional: "socket",
        .file,
        help: "Unix socket to listen on; by default the disk's path with '.sock' behind it."
    )
    static let port = Option(
        optional: "port",
        .integer(0...65535),
        help: "Listen on this TCP port of the loopback interface instead; 0 picks one."
    )
    static let address = Option(
        "address",
        .text,
        default: "127.0.0.1",
        help: "With --port: 127.0.0.1 or ::1. Others are refused: NBD does not encrypt."
    )
    static let connections = Option(
        "connections",
        .integer(1...4096),
        default: 64,
        help: "Clients served at a time."
    )

    static let memory = Option(
        optional: "memory",
        .byteSize,
        help: "What the disk may keep in memory; by default a part of what is free."
    )

    static let profile = Option(
        optional: "profile",
        .text,
        placeholder: "profile",
        help: "A built-in profile's name, or a file's path; without it the place decides how the "
            + "disk works, and nothing else of a profile holds."
    )

    static let fixedMemory = Flag(
        "fixed-memory",
        help: "Keep the budget, whatever happens to the machine's memory."
    )

    static let inputOutput = Option(
        "io",
        .choice(),
        default: InputOutputMode.auto,
        help: "How the disk asks its device; auto is io_uring where the kernel lets it."
    )

    static let encryption = Flag(
        "require-encryption",
        help: "Refuse a disk that is not encrypted, as does a passphrase's file or a key file: "
            + "somebody may have replaced it."
    )

    static let busyPoll = Option(
        "busy-poll",
        .integer(0...10_000),
        placeholder: "microseconds",
        default: 200,
        help: """
            For how long to look for the next request of a client that sends one at a time, \
            before sleeping; only where that pays; 0 for never.
            """
    )

    static let declaration = Command(
        name: "serve",
        overview: "Serve a disk over NBD until SIGTERM or SIGINT.",
        discussion: """
            Looks at the place it runs in, picks the profile, and prints what it decided. Ends \
            with everything flushed; 'kill -9' loses nothing that was flushed. Gives memory back \
            when the machine is short of it or a balloon grows, and takes it again later; 'footing \
            status' tells.

            What the profile that --profile names says of connections, bandwidth, memory and \
            features holds, unless an option or --set says otherwise. A client beyond \
            --connections is refused with the reason. With --bandwidth reads and writes wait for \
            their turn, each client's for an equal share, and flushes do not. --memory-ceiling is \
            kept by budgets; what the kernel enforces is the limit of a control group, which \
            systemd and containers set, or --own-group does.
            """,
        parameters: [
            path.model, socket.model, port.model, address.model, connections.model,
            ServeLimits.bandwidth.model, memory.model, fixedMemory.model,
            ServeLimits.memoryCeiling.model, ServeLimits.ownGroup.model, inputOutput.model,
            busyPoll.model, IdleUpkeep.option.model, profile.model, TuneParameters.set.model,
            encryption.model,
            SharedParameters.json.model,
        ] + KeyOptions.current.models,
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        if input[socket] != nil && input[port] != nil {
            throw CommandError(usage: "--socket and --port exclude each other")
        }
        // Before any thread starts: all of them must leave these signals to the one that waits.
        let signals: StopSignals
        do throws(Errno) { signals = try StopSignals() } catch {
            throw CommandError("cannot handle", "signals", error)
        }
        let limits = try ServeLimits(input)
        // Before anything looks at what limits this process.
        let group = input[ServeLimits.ownGroup] ? try enterOwnGroup(limits, console) : nil
        defer { leave(group, console) }
        let detection = tuned(try detect(input[path]), limits.profile)
        tellUnheeded(limits.profile, console)
        if limits.profile == nil, let unused = ServeLimits.unused(.choose(detection)) {
            console.remark(unused)
        }
        try check(input[path], limits.profile)
        let placement = place(detection, console)
        var options = options(input, limits.profile, detection, placement)
        let isFixed = input[memory] != nil || limits.profile?["memory-budget"].number != nil
        if let ceiling = MemoryCeiling(limits, detection), !isFixed {
            let most = Int(clamping: ceiling.budgetBytesMax)
            options.memoryBudgetBytes = min(options.memoryBudgetBytes, most)
        }
        options.log = { line in console.remark(line) }
        let disk = try open(input, options)
        do throws(CommandError) {
            try serve(disk, limits, detection, placement, input, console, signals)
        } catch {
            try? disk.close()
            throw error
        }
    }

    /// Opens the disk; what opened it is wiped when this returns.
    private static func open(
        _ input: Invocation,
        _ options: EngineOptions
    ) throws(CommandError) -> Disk {
        var options = options
        options.key = try KeyOptions.forDisk(input[path], input)
        do throws(DiskError) {
            return try Disk(path: input[path], options: options)
        } catch {
            throw DiskCommand.failure(error)
        }
    }

    /// What the disk is opened with: as the profile has it, but for what the user asked for.
    static func options(
        _ input: Invocation,
        _ profile: TuningProfile?,
        _ detection: Detection,
        _ placement: DiskPlacement
    ) -> EngineOptions {
        var options = EngineOptions()
        options.apply(detection.profile)
        options.pageSource = placement.source()
        options.inputOutput = input[inputOutput]
        options.requiresEncryption = input[encryption]
        options.upkeep = input[IdleUpkeep.option].options(detection, profile)
        if let memory = input[memory] { options.memoryBudgetBytes = Int(clamping: memory) }
        if let root = try? HostRoot() {
            options.preparesSegments = preparesSegments(profile, detection, root)
        }
        HeapMemory.bound(keptBytes: options.memoryBudgetBytes / 32)
        return options
    }

    /// Whether the hosted optimizer has the engine write segments before their first use.
    ///
    /// - Parameter profile: the one that was asked for; nil for the place's own.
    static func preparesSegments(
        _ profile: TuningProfile?,
        _ detection: Detection,
        _ root: HostRoot
    ) -> Bool {
        // An edge place's own profile has it off.
        HostedOptimizer(detection.report, root: root)
            .with(profile ?? TuningProfile.choose(detection)).preparesSegments
    }

    /// The place with the profile that was asked for, if one was.
    static func tuned(_ detection: Detection, _ profile: TuningProfile?) -> Detection {
        profile.map { detection.with($0.deployment(at: detection.profile)) } ?? detection
    }

    /// Nobody is to believe in a limit that does not hold.
    static func tellUnheeded(_ profile: TuningProfile?, _ console: Console) {
        guard let profile else { return }
        let fields = profile.unheeded.joined(separator: ", ")
        if !fields.isEmpty {
            console.remark(
                "the profile '\(profile.name)' asks for what nothing heeds yet: \(fields)"
            )
        }
    }

    /// Refuses a disk that needs what the profile does not allow, before anybody types its key.
    static func check(_ path: String, _ profile: TuningProfile?) throws(CommandError) {
        if profile == nil { return }
        let information: DiskInformation
        do throws(DiskError) { information = try DiskInformation(path: path) } catch {
            throw DiskCommand.failure(error)
        }
        try ServeLimits.check(information, path, profile)
    }

    private static func enterOwnGroup(
        _ limits: ServeLimits,
        _ console: Console
    ) throws(CommandError) -> CeilingGroup? {
        guard let ceiling = limits.memoryCeilingBytes else { return nil }
        let root: HostRoot
        do throws(Errno) { root = try HostRoot() } catch {
            throw CommandError("cannot open", "/", error)
        }
        do throws(CeilingGroup.Refusal) {
            let group = try CeilingGroup.enter(root, ceilingBytes: ceiling)
            console.remark("moved into the control group '/\(group.folder)', as --own-group asks")
            if !group.boundsSwap {
                console.remark("the group does not bound swap, which this kernel does not count")
            }
            return group
        } catch {
            throw CommandError(
                "there is no control group for --own-group: \(error). Leave it out and set the "
                    + "limit where this process is started, as systemd's MemoryMax= does"
            )
        }
    }

    private static func leave(_ group: CeilingGroup?, _ console: Console) {
        do throws(CeilingGroup.Refusal) { try group?.leave() } catch {
            console.remark("the control groups are not as they were found: \(error)")
        }
    }

    static func detect(_ path: String) throws(CommandError) -> Detection {
        do throws(Errno) {
            return Detection(root: try HostRoot(), path: path)
        } catch {
            throw CommandError("cannot open", "/", error)
        }
    }

    /// Decides where memory belongs, and moves this thread there: all others are started by it.
    ///
    /// Where the threads may not be moved, the disk is served from wherever they are.
    static func place(_ detection: Detection, _ console: Console) -> DiskPlacement {
        let placement = DiskPlacement.decide(detection.report)
        pin(placement, console)
        return placement
    }

    /// Keeps this thread, and those it starts, on the disk's node.
    static func pin(_ placement: DiskPlacement, _ console: Console) {
        do throws(Errno) { try placement.pin() } catch {
            console.remark("threads are not on the disk's node: \(error)")
        }
    }

    private static func serve(
        _ disk: Disk,
        _ limits: ServeLimits,
        _ detection: Detection,
        _ placement: DiskPlacement,
        _ input: Invocation,
        _ console: Console,
        _ signals: borrowing StopSignals
    ) throws(CommandError) {
        let configuration = try configuration(disk, limits, detection, input, console)
        let keyLockFailure = tellOfKeys(disk, console)
        let name = String(input[path].split(separator: "/").last ?? "disk")
        let server: Server
        let uri: String
        do throws(NBDError) {
            server = try Server(
                export: DiskExport(disk, name: name),
                others: limits.allows(.snapshots) ? SnapshotSource(disk, diskName: name) : nil,
                configuration: configuration
            )
            uri = try listen(server, input)
            try server.start()
        } catch {
            throw CommandError(error.description)
        }
        let running = RunningDisk(
            disk: disk,
            server: server,
            path: input[path],
            uri: uri,
            keyLockFailure: keyLockFailure,
            profile: limits.profile,
            limits: limits,
            coordinator: input[fixedMemory] ? nil : coordinator(of: disk, console)
        )
        defer { running.stop() }
        for failure in running.start() { console.remark(failure) }
        // The last thing: who waits for "ready" may ask for the status at once.
        ServeReport(
            disk: disk,
            detection: detection,
            placement: placement,
            limits: limits,
            uri: uri
        ).print(console, isJSON: input[SharedParameters.json])
        try wait(running, server, console, signals)
    }

    /// Locks the disk's keys in memory, and says what is amiss with them.
    ///
    /// - Returns: why they are not locked; nil if they are, or there are none.
    @discardableResult
    static func tellOfKeys(_ disk: Disk, _ console: Console) -> Errno? {
        let failure = disk.lockKeys()
        if let failure {
            console.remark(
                "the disk's keys may be swapped out, as their memory cannot be locked: \(failure); "
                    + "see RLIMIT_MEMLOCK ('ulimit -l', LimitMEMLOCK=)"
            )
        }
        if let failure = disk.recovery.keySlotsFailure {
            console.remark("the disk's key slots have one good copy only: \(failure)")
        }
        return failure
    }

    /// The server's limits beside this disk.
    private static func configuration(
        _ disk: Disk,
        _ limits: ServeLimits,
        _ detection: Detection,
        _ input: Invocation,
        _ console: Console
    ) throws(CommandError) -> Configuration {
        var configuration = Configuration()
        configuration.maximumConnections = limits.connections
        configuration.bandwidthBytesPerSecond = limits.bandwidthBytesPerSecond
        configuration.busyPollNanoseconds = UInt64(input[busyPoll]) * 1000
        configuration.processors = detection.report.limits.processors.value
        configuration.readerThreads = Int(detection.profile.readWorkers.number)
        if let ceiling = MemoryCeiling(limits, detection) {
            let budget = UInt64(disk.memory.budgetBytes)
            configuration.maximumPendingBytes = try ceiling.readBytes(besideBudget: budget)
        }
        configuration.log = { line in
            console.remark(line)
        }
        return configuration
    }

    /// Until a signal comes; then everything is made durable.
    private static func wait(
        _ running: RunningDisk,
        _ server: Server,
        _ console: Console,
        _ signals: borrowing StopSignals
    ) throws(CommandError) {
        let signal: String
        do throws(Errno) { signal = try signals.wait() } catch {
            throw CommandError("cannot wait for", "signals", error)
        }
        console.remark("\(signal): flushing and closing")
        do throws(NBDError) { try server.stop(within: .seconds(30)) } catch {
            throw CommandError(error.description)
        }
        running.stop()
        do throws(DiskError) { try running.disk.close() } catch {
            throw DiskCommand.failure(error)
        }
        console.remark("closed cleanly")
    }

    /// What gives the disk's memory back, running already; nil where nothing can be watched.
    static func coordinator(of disk: Disk, _ console: Console) -> BalloonCoordinator? {
        do throws(Errno) {
            let coordinator = BalloonCoordinator(
                holder: DiskMemoryHolder(disk: disk),
                monitor: try PressureMonitor(root: try HostRoot())
            )
            try coordinator.start()
            return coordinator
        } catch {
            console.remark("cannot watch memory, the budget is fixed: \(error)")
            return nil
        }
    }

    /// Listens as asked.
    ///
    /// - Returns: the URI that clients connect to.
    private static func listen(_ server: Server, _ input: Invocation) throws(NBDError) -> String {
        if let wanted = input[port] {
            let actual = try server.listen(port: UInt16(wanted), address: input[address])
            let host = input[address].contains(":") ? "[\(input[address])]" : input[address]
            return "nbd://\(host):\(actual)"
        }
        let path = input[socket] ?? input[path] + ".sock"
        try server.listen(unixPath: path)
        return "nbd+unix:///?socket=\(path)"
    }
}

extension EngineOptions {
    /// Takes over what a profile decides.
    mutating func apply(_ profile: DeploymentProfile) {
        gatherThresholdNanoseconds = profile.gatherThresholdMicroseconds.number * 1000
        unflushedBytesMax = Int(profile.unflushedBytesMaximum.number)
        unflushedNanosecondsMax = profile.unflushedMillisecondsMaximum.number * 1_000_000
        memoryBudgetBytes = Int(clamping: profile.memoryBudgetBytes.number)
        checkpointLogBytes = Int(profile.checkpointLogBytes.number)
    }
}
