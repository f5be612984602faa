import FootingSystem

/// What a guest says: on one serial port the kernel's log, on another its first process
/// (`Init/init.c`), so that a message of the kernel never falls into a program's output.
final class Console {
    private let channel: LineStream
    private let folder: ScratchFolder

    /// The names of the files with what the kernel and QEMU said.
    static let kernelLog = "console.log"
    static let emulatorLog = "qemu.log"

    init(channel: LineStream, folder: ScratchFolder) {
        self.channel = channel
        self.folder = folder
    }

    /// Waits until the first process is ready.
    func awaitStart(before deadline: Deadline) throws {
        let line = try channel.line(before: deadline)
        guard line == "ready" else { throw GuestError("an unexpected line: \(line)") }
    }

    /// Runs a program in the guest: its status as a shell's, and its standard output.
    func run(_ words: [String], before deadline: Deadline) throws -> (status: Int, output: String) {
        let answer = try request(["run"] + words, before: deadline)
        guard answer.count == 3, answer[0] == "exited", let status = Int(answer[1]),
            let count = Int(answer[2])
        else { throw GuestError("an unexpected answer: \(answer)") }
        let output = try channel.bytes(count, before: deadline)
        return (status, String(decoding: output, as: UTF8.self))
    }

    /// Waits until so many paths fit a pattern of `glob(3)`, and gives how many do in the end.
    func awaitPaths(_ pattern: String, count: Int, limitSeconds: Int) throws -> Int {
        let answer = try request(
            ["await", "\(limitSeconds)", "\(count)", pattern],
            before: .after(seconds: limitSeconds * 2 + 10)
        )
        guard answer.first == "found", let found = answer.last.flatMap({ Int($0) }) else {
            throw GuestError("an unexpected answer: \(answer)")
        }
        return found
    }

    private func request(_ words: [String], before deadline: Deadline) throws -> [String] {
        let line = words.joined(separator: "\t")
        precondition(line.utf8.count < 4096 && !line.contains("\n"), "not a line: \(line)")
        try channel.send(line)
        return try channel.line(before: deadline).split(separator: " ").map { String($0) }
    }

    /// All that the kernel said, and programs on their standard error.
    var kernelText: String { folder.text(Self.kernelLog) }

    /// The end of what QEMU and the kernel said, for a person who looks for a failure's cause.
    var log: String {
        let lines = (folder.text(Self.emulatorLog) + folder.text(Self.kernelLog))
            .split(separator: "\n")
        return lines.suffix(40).joined(separator: "\n")
    }
}
