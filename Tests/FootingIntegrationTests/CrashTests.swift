import Testing

/// What is there after the server or the room on the host is gone.
@Suite(.enabled(if: ReleasedProgram.exists, "bin/footing is missing: run 'make release'"))
struct CrashTests {
    @Test(
        .enabled(if: Script.hasLibnbd, "python3-libnbd is missing: run 'make deps'"),
        arguments: [(1, "none"), (2, "none"), (3, "auto")]
    )
    func `kill -9 at any time loses nothing that was flushed`(
        seed: Int,
        compression: String
    ) throws {
        let result = try Script.run(
            """
            create 24M --compression \(compression)
            python3 "$clients/crash_loop.py" "$footing" disk.footing "$socket" 12 \(seed)
            """
        )
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.contains("12 kills, "))
    }

    @Test(.enabled(if: Script.hasLibnbd, "python3-libnbd is missing: run 'make deps'"))
    func `the same check notices a container that is older than the last flush`() throws {
        let result = try Script.run(
            """
            create 24M
            python3 "$clients/crash_loop.py" "$footing" disk.footing "$socket" 1 3 lose
            """
        )
        #expect(result.status == 1)
        #expect(result.output.contains("AssertionError: sector "), "\(result.output)")
    }

    @Test(
        .enabled(if: Script.isRoot, "mounting a small file system takes root"),
        .enabled(if: Script.hasLibnbd, "python3-libnbd is missing: run 'make deps'"),
        arguments: ["tmpfs", "ext4"]
    )
    func `a full host is an error to the client, and passes`(fileSystem: String) throws {
        let result = try Script.run(
            """
            mkdir small
            if [[ \(fileSystem) == tmpfs ]]; then
                mount -t tmpfs -o size=48m tmpfs small || exit 77
            else
                truncate -s 64M image
                mkfs.ext4 -q image
                mount -o loop image small || exit 77
            fi
            mounted=small
            "$footing" disk create small/disk.footing --size 64M
            fallocate -l 16M small/ballast
            python3 "$clients/host_full.py" "$footing" small/disk.footing "$socket" small/ballast
            """
        )
        if result.status == 77 {
            try Test.cancel("\(fileSystem) cannot be mounted here: \(result.output)")
        }
        #expect(result.status == 0, "\(result.output)")
    }
}
