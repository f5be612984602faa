import FootingTestSupport
import Glibc
import Testing

@testable import FootingCommands

/// Files with keys that are refused, before anything is made with them.
@Suite struct KeyFileTests {
    /// What `disk create` says to a file.
    private func answer(_ option: String, mode: mode_t, byteCount: Int) throws -> Outcome {
        let directory = try TemporaryDirectory()
        try directory.file("key", String(repeating: "k", count: byteCount))
        try #require(unsafe chmod(directory.path("key"), mode) == 0)
        let disk = directory.path("disk")
        let outcome = Outcome.of(
            [
                "disk", "create", disk, "--size", "16M", "--encrypt", option,
                directory.path("key"),
            ],
            root: RootCommand.declaration
        )
        #expect(unsafe access(disk, F_OK) != 0, "a disk was made")
        return outcome
    }

    @Test(arguments: [0o604, 0o644, 0o444, 0o602, 0o666, 0o777] as [mode_t])
    func `one that everybody can read or change`(_ mode: mode_t) throws {
        for option in ["--key-file", "--passphrase-file"] {
            let outcome = try answer(option, mode: mode, byteCount: 64)
            #expect(outcome.status == 1)
            let verb = mode & 0o002 == 0 ? "read" : "change"
            #expect(
                outcome.error.contains("everybody can \(verb) it (mode \(String(mode, radix: 8)))")
            )
            #expect(outcome.error.contains("chmod o-rw"))
        }
    }

    @Test(arguments: [0o400, 0o600, 0o440, 0o660, 0o601] as [mode_t])
    func `a key file of another length, whose mode is right`(_ mode: mode_t) throws {
        for (byteCount, problem) in [
            (0, "32 at least"), (31, "32 at least"), ((1 << 20) + 1, "File too large"),
        ] {
            let outcome = try answer("--key-file", mode: mode, byteCount: byteCount)
            #expect(outcome.status == 1 && outcome.error.contains(problem), "\(outcome.error)")
        }
    }

    @Test func `a passphrase that is too long, or none`() throws {
        for (byteCount, problem) in [(0, "empty"), (65537, "File too large")] {
            let outcome = try answer("--passphrase-file", mode: 0o600, byteCount: byteCount)
            #expect(outcome.status == 1 && outcome.error.contains(problem), "\(outcome.error)")
        }
    }
}
