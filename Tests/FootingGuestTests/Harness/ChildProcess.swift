import FootingSystem
import Glibc

/// A program that this test started, in a process group of its own.
///
/// It cannot outlive its limit, even where the tests are killed: `timeout(1)` ends it then.
final class ChildProcess {
    private let leader: pid_t
    private var hasEnded = false

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - limitSeconds: after so long it is killed, whoever still waits for it.
    ///   - arguments: the program's path and its arguments.
    ///   - descriptors: this process's numbers, by the numbers that the program knows them by.
    ///   - log: the file that its standard output and error go to.
    init(
        limitSeconds: Int,
        _ arguments: [String],
        descriptors: [Int32: Int32],
        log: String
    ) throws {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT, 0o600)
        unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        for (number, own) in descriptors {
            precondition(own != number, "\(own) would be closed by the start")
            unsafe posix_spawn_file_actions_adddup2(&actions, own, number)
        }
        let words = ["/usr/bin/timeout", "--signal=KILL", "\(limitSeconds)"] + arguments
        var vector = unsafe words.map { unsafe strdup($0) } + [nil]
        defer { unsafe vector.forEach { unsafe free($0) } }
        var started: pid_t = 0
        let status = unsafe posix_spawn(&started, words[0], &actions, nil, &vector, environ)
        guard status == 0 else { throw Errno(rawValue: status) }
        leader = started
    }

    /// What the program has in memory, in bytes (`/proc/PID/statm`); nil once it has ended.
    var residentBytes: Int? {
        guard let sizes = text("statm")?.split(separator: " "), sizes.count > 1 else { return nil }
        return Int(sizes[1]).map { $0 * Int(sysconf(Int32(_SC_PAGESIZE))) }
    }

    /// What the program had of processors, in milliseconds (`/proc/PID/stat`); nil once it has
    /// ended.
    var processorMilliseconds: Int? {
        // The name in parentheses may hold anything; behind it, these are the 12th and the 13th.
        guard let fields = text("stat")?.split(separator: ")").last?.split(separator: " "),
            fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12])
        else { return nil }
        return (user + system) * 1000 / Int(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// A file of the program in `/proc`; the process that was started is `timeout(1)`.
    private func text(_ name: String) -> String? {
        guard let root = try? HostRoot(),
            let program = try? root.text("proc/\(leader)/task/\(leader)/children")
        else { return nil }
        return try? root.text("proc/\(program)/\(name)")
    }

    /// Waits for the end as long as the limit allows, and gives the status; nil after a signal.
    func awaitEnd() -> Int32? {
        precondition(!hasEnded, "it was waited for before")
        var status: Int32 = 0
        while unsafe waitpid(leader, &status, 0) != leader {}
        hasEnded = true
        return status & 0x7f == 0 ? status >> 8 & 0xff : nil
    }

    /// Waits for the end, and kills what has not ended by then.
    func end(withinMilliseconds limit: Int) {
        for _ in 0..<limit / 10 where !hasEnded {
            if waitpid(leader, nil, WNOHANG) == leader { hasEnded = true }
            if !hasEnded { usleep(10_000) }
        }
        if hasEnded { return }
        // timeout(1) leads a group, in which its program is.
        kill(-leader, SIGKILL)
        kill(leader, SIGKILL)
        waitpid(leader, nil, 0)
        hasEnded = true
        // The program is not this process's child: what it holds is free when its group is empty.
        for _ in 0..<200 where kill(-leader, 0) == 0 { usleep(10_000) }
    }

    deinit {
        end(withinMilliseconds: 0)
    }
}
