import FootingAcceleration
import FootingDisk
import FootingMemory
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

    /// What opens a disk on a machine that a slot was made on is there on that machine.
    @Test(arguments: [24, 100, 300, 600, 1 << 14] as [UInt64])
    func `a slot asks for what the machine can spare`(_ mebibytes: UInt64) throws {
        let room = MemoryRoom(availableBytes: mebibytes << 20, swapBytes: 0)
        let secret = try SecretBytes(count: 32)
        let cost = KeyOptions.encryption(DiskKey(try .keyFile(secret)), room).cost
        #expect(KeyOptions.limit(room).allows(cost))
        let wanted = ([16, 16, 64, 128, 128] as [UInt64])[
            [24, 100, 300, 600, 1 << 14].firstIndex(of: mebibytes) ?? 0
        ]
        #expect((cost.memoryBytes ?? 0) >> 20 == wanted)
        // A slot from elsewhere that needs more is not tried, unless there is swap.
        #expect(KeyOptions.limit(room).allows(.standard) == (mebibytes > 128))
        let swapped = MemoryRoom(availableBytes: mebibytes << 20, swapBytes: 1 << 30)
        #expect(KeyOptions.limit(swapped).allows(.standard))
        #expect(KeyOptions.limit(nil) == ScryptLimit())
    }

    @Test func `a slot that is easier to guess is told of, and shown`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("disk")
        var options = DiskOptions(sizeBytes: 16 << 20)
        let key = DiskKey(try .passphrase(try SecretBytes(count: 8)))
        let room = MemoryRoom(availableBytes: 100 << 20, swapBytes: 0)
        let encryption = KeyOptions.encryption(key, room)
        #expect(encryption.weakness?.contains("takes 16 MiB instead of 128 MiB") == true)
        #expect(DiskEncryption(key: key).weakness == nil)
        options.encryption = encryption
        try Disk.create(path: path, options)
        let new = DiskEncryption(key: DiskKey(try .keyFile(try SecretBytes(count: 32))))
        #expect(new.weakness == nil)
        _ = try DiskKeys.add(path: path, new, key: key)
        let root = RootCommand.declaration
        let list = Outcome.of("disk", "key", "list", path, root: root).output
        let lines = list.split(separator: "\n")
        try #require(lines.count == 3)
        #expect(lines[1].contains("passphrase         16 MiB"), "\(list)")
        #expect(!lines[2].contains("MiB"))
        let json = Outcome.of("disk", "key", "list", path, "--json", root: root).output
        #expect(json.contains("\"guessBytes\": \(encryption.cost.memoryBytes ?? 0)"), "\(json)")
        #expect(json.contains("\"guessBytes\": null"), "\(json)")
    }

    @Test func `a passphrase that is too long, or none`() throws {
        for (byteCount, problem) in [(0, "empty"), (65537, "File too large")] {
            let outcome = try answer("--passphrase-file", mode: 0o600, byteCount: byteCount)
            #expect(outcome.status == 1 && outcome.error.contains(problem), "\(outcome.error)")
        }
    }
}
