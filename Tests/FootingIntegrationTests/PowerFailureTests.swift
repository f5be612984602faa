import Testing

/// What a power failure would have left of a disk, at the writes that were recorded beneath it.
///
/// One after the other: each has several processes of its own.
@Suite(
    .serialized,
    .enabled(if: ReleasedProgram.exists, "bin/footing is missing: run 'make release'"),
    .enabled(if: Script.hasLibnbd, "python3-libnbd is missing: run 'make deps'"),
    .enabled(if: Script.has(.storageDaemon, .nbdfuse), "run 'make deps'"),
    .enabled(if: Script.canMountFiles, "it takes root and /dev/fuse")
)
struct PowerFailureTests {
    /// A disk, and what is done with it.
    struct Load: CustomTestStringConvertible, Sendable {
        var testDescription: String
        /// For `disk create`.
        var disk: String
        var operations = 400
        /// How many images are judged, about, or all that there are.
        var images = "60"
        var isEncrypted = false
        /// With snapshots that come and go, and sizes.
        var isManaged = false
    }

    /// Small segments are filled, collected and checkpointed all the time.
    static let loads = [
        Load(testDescription: "plain", disk: "24M", operations: 1200),
        Load(testDescription: "auto", disk: "24M --compression auto", operations: 300),
        Load(testDescription: "LZ4", disk: "8M --compression lz4 --segment 512K"),
        Load(testDescription: "encrypted", disk: "8M --segment 512K", isEncrypted: true),
        Load(
            testDescription: "managed",
            disk: "6M --segment 512K --snapshot-reserve 300",
            images: "90",
            isManaged: true
        ),
        Load(
            testDescription: "managed, encrypted and compressed",
            disk: "4M --segment 64K --snapshot-reserve 300 --compression auto",
            images: "90",
            isEncrypted: true,
            isManaged: true
        ),
    ]

    static let short = [
        Load(testDescription: "plain", disk: "4M --segment 64K", operations: 300, images: "all"),
        Load(
            testDescription: "encrypted",
            disk: "4M --segment 64K",
            operations: 300,
            images: "all",
            isEncrypted: true
        ),
    ]

    @Test(arguments: loads)
    func `at some of many writes it loses nothing that was promised`(load: Load) throws {
        let result = try Self.run(load)
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.contains(" crashes judged, "))
        #expect(result.output.contains(" snapshots made, ") == load.isManaged)
    }

    @Test(arguments: short)
    func `at each write of a short load it loses nothing that was promised`(load: Load) throws {
        let result = try Self.run(load)
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.contains(" crashes judged, "))
    }

    @Test(arguments: loads)
    func `the same check notices a device that forgets what was flushed`(load: Load) throws {
        var load = load
        load.operations = 200
        let result = try Self.run(load, "--forget")
        #expect(result.status == 1)
        #expect(result.output.contains("AssertionError: "), "\(result.output)")
        #expect(result.output.contains(" after entry "), "\(result.output)")
    }

    /// Records the load, and judges what crashes would have left.
    private static func run(
        _ load: Load,
        _ option: String = ""
    ) throws -> (status: Int32, output: String) {
        let encrypt = load.isEncrypted ? " --encrypt --key-file key" : ""
        let key = load.isEncrypted ? " --key-file key" : ""
        // What shows the file cannot make it longer.
        let room = load.isManaged ? "truncate --size 128M disk.footing" : ":"
        let manage = load.isManaged ? " --manage" : ""
        return try Script.run(
            """
            mounted=$PWD/disk.footing.shown
            leave_mount() { mountpoint --quiet "$mounted" || mounted=; leave; }
            trap leave_mount EXIT
            (umask 077; head -c 64 /dev/urandom >key)
            create \(load.disk)\(encrypt)
            \(room)
            python3 "$clients/crash_black_box.py" "$footing" disk.footing "$socket" \
                \(load.operations) \(load.images) 1\(key)\(manage) \(option)
            """
        )
    }
}
