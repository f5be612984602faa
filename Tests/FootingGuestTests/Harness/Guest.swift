import FootingSystem
import Glibc

/// A running virtual machine, which ends with its owner.
///
/// ```swift
/// let guest = try Guest(Machine(processor: "max,tcg-cpuid=off"))
/// let report = try guest.detect()
/// #expect(report[path: "virtualization.hypervisor"] == "other")
/// ```
///
/// A ``Machine`` becomes QEMU's command line; ``Console`` runs programs in the guest; ``QMP``
/// turns the emulator's knobs. One that is booted can be saved, and started from there many times.
final class Guest {
    /// Runs programs in the guest.
    let console: Console
    /// Controls the emulator.
    let qmp: QMP
    private let machine: Machine
    private let process: ChildProcess
    private let folder: ScratchFolder
    /// The folder with the initramfs: of the guest that this one was restored from, or its own.
    private let origin: ScratchFolder

    private static let initramfs = "initramfs"
    private static let state = "state"
    /// QEMU's numbers of the channels that this process holds the other ends of.
    private static let qmpNumber: Int32 = 100
    private static let channelNumber: Int32 = 101

    /// Boots a machine, and returns when its first process is ready.
    convenience init(_ machine: Machine) throws {
        let folder = try ScratchFolder()
        let modules = try KernelModules(machine.kernel).order(machine.modules)
        let archive = try Initramfs(
            modules: modules,
            programs: machine.programs,
            files: machine.files
        )
        try folder.write(Self.initramfs, archive.bytes)
        for disk in machine.disks where disk.original == nil {
            try folder.makeSparse(disk.name, sizeBytes: disk.sizeMebibytes << 20)
        }
        try self.init(machine, folder: folder, origin: folder, extra: [])
        try explaining { try console.awaitStart(before: .after(seconds: 60)) }
    }

    /// Starts a machine where another one was saved; takes a fraction of a second.
    convenience init(restoring saved: SavedGuest) throws {
        try self.init(
            saved.machine,
            folder: try ScratchFolder(),
            origin: saved.folder,
            extra: ["-incoming", "exec:cat '\(saved.folder.path)/\(Self.state)'"]
        )
        try explaining { try awaitStatus("query-status", "running") }
    }

    private init(
        _ machine: Machine,
        folder: ScratchFolder,
        origin: ScratchFolder,
        extra: [String]
    ) throws {
        let control = try LineStream.Pair()
        let channel = try LineStream.Pair()
        let console = Console(channel: channel.ours, folder: folder)
        let controlStream = control.ours
        let initramfs = "\(origin.path)/\(Self.initramfs)"
        let channels = [
            "-chardev", "file,id=\(Machine.log),path=\(folder.path)/\(Console.kernelLog)",
            "-chardev", "socket,id=\(Machine.channel),fd=\(Self.channelNumber)",
            "-chardev", "socket,id=qmp,fd=\(Self.qmpNumber)",
            "-mon", "chardev=qmp,mode=control",
        ]
        process = try ChildProcess(
            limitSeconds: 1200,
            [GuestKit.Part.emulator.path]
                + machine.arguments(initramfs: initramfs, folder: folder.path) + channels + extra,
            descriptors: [
                Self.qmpNumber: control.theirs.number, Self.channelNumber: channel.theirs.number,
            ],
            log: "\(folder.path)/\(Console.emulatorLog)"
        )
        // QEMU alone holds these ends from here on, so its end is the end of the stream.
        _ = consume control
        _ = consume channel
        do {
            qmp = try QMP(controlStream, before: .after(seconds: 20))
        } catch {
            throw GuestError("QEMU did not start: \(error)\n\(console.log)")
        }
        self.console = console
        self.machine = machine
        self.folder = folder
        self.origin = origin
    }

    /// Ends it as a power failure would: the emulator flushes nothing.
    func kill() {
        process.end(withinMilliseconds: 0)
    }

    deinit {
        // A guest that hangs, or has ended already, is not worth an error.
        _ = try? qmp.execute("quit", limitSeconds: 2)
        process.end(withinMilliseconds: 2000)
    }

    /// What the emulator has in memory on this machine, in bytes.
    func emulatorBytes() throws -> Int {
        guard let bytes = process.residentBytes else { throw GuestError("QEMU has ended") }
        return bytes
    }

    /// What the emulator had of this machine's processors, in milliseconds.
    func emulatorMilliseconds() throws -> Int {
        guard let milliseconds = process.processorMilliseconds else {
            throw GuestError("QEMU has ended")
        }
        return milliseconds
    }

    /// Runs a program in the guest.
    func run(
        _ words: String...,
        limitSeconds: Int = 30
    ) throws -> (status: Int, output: String) {
        try explaining { try console.run(words, before: .after(seconds: limitSeconds)) }
    }

    /// What the shell makes of a script of one line; a failure is an error.
    @discardableResult
    func shell(_ script: String, limitSeconds: Int = 30) throws -> String {
        let result = try run("/bin/busybox", "sh", "-ec", script, limitSeconds: limitSeconds)
        guard result.status == 0 else {
            throw GuestError("status \(result.status): \(script)\n\(result.output)\n\(console.log)")
        }
        return result.output
    }

    /// Waits until so many paths of the guest fit a pattern of `glob(3)`, as disks appear.
    func awaitPaths(_ pattern: String, count: Int) throws {
        let found = try console.awaitPaths(pattern, count: count, limitSeconds: 60)
        if found >= count { return }
        let paths = try shell("echo \(pattern)")
        let messages = try shell("busybox dmesg | busybox tail -n 60")
        throw GuestError("\(found) of \(count) paths are there: \(paths)\n\(messages)")
    }

    /// The host report of the program in the guest.
    func detect(_ options: String...) throws -> JSONValue {
        let result = try console.run(
            ["/bin/footing", "detect", "--json"] + options,
            before: .after(seconds: 30)
        )
        guard result.status == 0 else {
            throw GuestError("detect: status \(result.status)\n\(console.log)")
        }
        return try JSONValue(result.output)
    }

    /// Stops the guest and gives what it can be started from again, as often as one likes.
    ///
    /// Disks are not saved with it, so there may be none.
    func save() throws -> SavedGuest {
        precondition(machine.disks.isEmpty, "disks would be shared by all that are restored")
        try qmp.execute("migrate", ["uri": .string("exec:cat > '\(origin.path)/\(Self.state)'")])
        try explaining { try awaitStatus("query-migrate", "completed") }
        return SavedGuest(machine: machine, folder: origin)
    }

    private func awaitStatus(_ command: String, _ wanted: String) throws {
        let deadline = Deadline.after(seconds: 20)
        var status = ""
        while deadline.milliseconds > 0 {
            status = try qmp.execute(command)["status"]?.stringValue ?? "none"
            if status == wanted { return }
            if status == "failed" { break }
            usleep(5000)
        }
        throw GuestError("\(command): \(status) instead of \(wanted)")
    }

    /// Adds what the guest's consoles showed to an error.
    private func explaining<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch {
            throw GuestError("\(error)\n\(console.log)")
        }
    }
}

/// A booted machine in files.
final class SavedGuest: Sendable {
    let machine: Machine
    let folder: ScratchFolder

    init(machine: Machine, folder: ScratchFolder) {
        self.machine = machine
        self.folder = folder
    }
}
