internal import FootingDeployment
internal import FootingDisk
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
        help: "A built-in profile's name, or a file's path; by default the place decides."
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
            """,
        parameters: [
            path.model, socket.model, port.model, address.model, connections.model, memory.model,
            fixedMemory.model, inputOutput.model, busyPoll.model, profile.model, encryption.model,
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
        let detection = try tuned(try detect(input[path]), input)
        try tellUnheeded(input, console)
        let placement = place(detection, console)
        var options = options(input, detection, placement)
        options.log = { line in console.remark(line) }
        let disk = try open(input, options)
        do throws(CommandError) {
            try serve(disk, detection, placement, input, console, signals)
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
        _ detection: Detection,
        _ placement: DiskPlacement
    ) -> EngineOptions {
        var options = EngineOptions()
        options.apply(detection.profile)
        options.pageSource = placement.source()
        options.inputOutput = input[inputOutput]
        options.requiresEncryption = input[encryption]
        if let memory = input[memory] { options.memoryBudgetBytes = Int(clamping: memory) }
        HeapMemory.bound(keptBytes: options.memoryBudgetBytes / 32)
        return options
    }

    /// The place with the profile that was asked for, if one was.
    static func tuned(
        _ detection: Detection,
        _ input: Invocation
    ) throws(CommandError) -> Detection {
        guard let name = input[profile] else { return detection }
        let profile = try TuneParameters.read(name)
        return detection.with(profile.deployment(at: detection.profile))
    }

    /// Nobody is to believe in a limit that does not hold.
    private static func tellUnheeded(
        _ input: Invocation,
        _ console: Console
    ) throws(CommandError) {
        guard let name = input[profile] else { return }
        let fields = try TuneParameters.read(name).unheeded.joined(separator: ", ")
        if !fields.isEmpty {
            console.remark("the profile '\(name)' asks for what nothing heeds yet: \(fields)")
        }
    }

    /// Clients at a time: what was asked for, else what the profile says.
    private static func clients(_ input: Invocation) throws(CommandError) -> Int {
        guard !input.isGiven(connections.model), let name = input[profile],
            let number = try TuneParameters.read(name)["connections"].number
        else { return input[connections] }
        return Int(clamping: number)
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
        _ detection: Detection,
        _ placement: DiskPlacement,
        _ input: Invocation,
        _ console: Console,
        _ signals: borrowing StopSignals
    ) throws(CommandError) {
        var configuration = Configuration()
        configuration.maximumConnections = try clients(input)
        configuration.busyPollNanoseconds = UInt64(input[busyPoll]) * 1000
        configuration.readerThreads = Int(detection.profile.readWorkers.number)
        configuration.log = { line in
            console.remark(line)
        }
        let keyLockFailure = tellOfKeys(disk, console)
        let name = String(input[path].split(separator: "/").last ?? "disk")
        let server: Server
        let uri: String
        do throws(NBDError) {
            server = try Server(
                export: DiskExport(disk, name: name),
                others: SnapshotSource(disk, diskName: name),
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
            coordinator: input[fixedMemory] ? nil : coordinator(of: disk, console)
        )
        defer { running.stop() }
        do throws(ControlError) { try running.listen(in: .user()) } catch {
            console.remark("'footing status' will not find this disk: \(error)")
        }
        if disk.hasScrubToFinish, !disk.isScrubStopped {
            let rate = disk.scrub.bytesPerSecond
            let some = rate == 0 ? ScrubCommand.defaultBytesPerSecond : rate
            do throws(DiskError) { try disk.startScrub(bytesPerSecond: some) } catch {
                console.remark("scrubbing does not go on: \(error)")
            }
        }
        // The last thing: who waits for "ready" may ask for the status at once.
        ServeReport(disk: disk, detection: detection, placement: placement, uri: uri).print(
            console,
            isJSON: input[SharedParameters.json]
        )
        try wait(running, console, signals)
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

    /// Until a signal comes; then everything is made durable.
    private static func wait(
        _ running: RunningDisk,
        _ console: Console,
        _ signals: borrowing StopSignals
    ) throws(CommandError) {
        let signal: String
        do throws(Errno) { signal = try signals.wait() } catch {
            throw CommandError("cannot wait for", "signals", error)
        }
        console.remark("\(signal): flushing and closing")
        do throws(NBDError) { try running.server.stop(within: .seconds(30)) } catch {
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
