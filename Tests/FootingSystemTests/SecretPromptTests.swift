import CFootingTesting
import FootingSystem
import FootingTestSupport
import Glibc
import Testing

/// A passphrase that is asked for on a terminal, and what happens to the terminal.
@Suite struct SecretPromptTests {
    private static let later: Comment =
        "a thread sanitizer keeps signals back from a process that was forked"

    /// A process that asks, and both of its ends.
    private final class Prompt {
        private let terminal: Int32
        private let reports: Int32
        private let leader: pid_t
        let process: pid_t

        init(blocks: Bool, stops: Bool = false) throws {
            var (controller, reports) = (-1, -1) as (Int32, Int32)
            leader = unsafe footing_testing_prompt(
                blocks ? 1 : 0,
                stops ? 1 : 0,
                &controller,
                &reports
            )
            if leader < 0 { throw Errno(rawValue: -leader) }
            terminal = controller
            self.reports = reports
            let line = try Self.read(until: "\n", reports)
            process = try #require(pid_t(String(line.split(separator: " ")[1].dropLast())))
        }

        deinit {
            var status: Int32 = 0
            // Its child ends with its terminal.
            kill(leader, SIGKILL)
            _ = unsafe waitpid(leader, &status, 0)
            close(terminal)
            close(reports)
        }

        private static func read(until end: String, _ number: Int32) throws -> String {
            var bytes: [UInt8] = []
            while !bytes.suffix(end.utf8.count).elementsEqual(end.utf8) {
                let text = String(decoding: bytes, as: UTF8.self)
                var request = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
                let count = unsafe poll(&request, 1, 60_000)
                try #require(count == 1, "got '\(text)'")
                var byte: UInt8 = 0
                let got = unsafe Glibc.read(number, &byte, 1)
                try #require(got == 1, "got '\(text)'")
                bytes.append(byte)
            }
            return String(decoding: bytes, as: UTF8.self)
        }

        /// Waits until it asks; what is typed is not shown then.
        func wait() throws {
            try shows("word: ")
            #expect(try !isShown())
        }

        /// Whether the terminal shows what is typed.
        func isShown() throws -> Bool {
            var state = termios()
            let result = unsafe tcgetattr(terminal, &state)
            try #require(result == 0)
            return state.c_lflag & tcflag_t(ECHO) != 0
        }

        /// Waits until it hides what is typed, and a little more: it is about to ask then.
        func waitUntilHidden() throws {
            for _ in 0..<60_000 {
                if try !isShown() {
                    usleep(50_000)
                    return
                }
                usleep(1000)
            }
            Issue.record("the terminal shows what is typed")
        }

        func type(_ text: String) throws {
            let count = unsafe write(terminal, text, text.utf8.count)
            try #require(count == text.utf8.count)
        }

        func report() throws -> String { String(try Self.read(until: "\n", reports).dropLast()) }

        func shows(_ text: String) throws { _ = try Self.read(until: text, terminal) }
    }

    @Test(arguments: [false, true])
    func `a line is read without being shown`(_ blocks: Bool) throws {
        let prompt = try Prompt(blocks: blocks)
        try prompt.wait()
        try prompt.type("secret\n")
        #expect(try prompt.report() == "exit 0 shown")
        try prompt.shows("\r\n")
    }

    @Test(.disabled(if: Sanitizer.isOn, Self.later), arguments: [SIGINT, SIGQUIT], [false, true])
    func `a key that interrupts ends the process, and the terminal is as before`(
        _ signal: Int32,
        _ blocks: Bool
    ) throws {
        for typed in ["", "half of a wo"] {
            let prompt = try Prompt(blocks: blocks)
            try prompt.wait()
            // Ctrl-C, or Ctrl and a backslash.
            try prompt.type(typed + (signal == SIGINT ? "\u{3}" : "\u{1c}"))
            #expect(try prompt.report() == "signal \(signal) shown")
            try prompt.shows("\r\n")
        }
    }

    @Test(
        .disabled(if: Sanitizer.isOn, Self.later),
        arguments: [SIGINT, SIGTERM, SIGHUP, SIGQUIT],
        [false, true]
    )
    func `a signal ends the process, and the terminal is as before`(
        _ signal: Int32,
        _ blocks: Bool
    ) throws {
        let prompt = try Prompt(blocks: blocks)
        try prompt.wait()
        #expect(kill(prompt.process, signal) == 0)
        #expect(try prompt.report() == "signal \(signal) shown")
    }

    @Test(
        .disabled(if: Sanitizer.isOn, Self.later),
        arguments: [SIGINT, SIGTERM, SIGHUP, SIGQUIT],
        [false, true]
    )
    func `a signal ends it also where the terminal's output is stopped`(
        _ signal: Int32,
        _ blocks: Bool
    ) throws {
        let prompt = try Prompt(blocks: blocks, stops: true)
        try prompt.waitUntilHidden()
        #expect(kill(prompt.process, signal) == 0)
        #expect(try prompt.report() == "signal \(signal) shown")
    }

    @Test func `it asks when the terminal's output goes on`() throws {
        let prompt = try Prompt(blocks: false, stops: true)
        try prompt.waitUntilHidden()
        // Ctrl-Q.
        try prompt.type("\u{11}")
        try prompt.wait()
        try prompt.type("secret\n")
        #expect(try prompt.report() == "exit 0 shown")
        try prompt.shows("\r\n")
    }

    @Test(.disabled(if: Sanitizer.isOn, Self.later))
    func `a process that was stopped asks anew`() throws {
        let prompt = try Prompt(blocks: true)
        try prompt.wait()
        try prompt.type("forgotten\u{1a}")
        #expect(try prompt.report() == "stopped \(SIGTSTP) shown")
        try prompt.wait()
        try prompt.type("secret\n")
        #expect(try prompt.report() == "exit 0 shown")
    }

    @Test func `what is too long is refused`() throws {
        let prompt = try Prompt(blocks: false)
        try prompt.wait()
        try prompt.type("a word of more than sixteen bytes\n")
        #expect(try prompt.report() == "exit 1 shown")
    }
}
