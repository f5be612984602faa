import Testing

/// A disk on a block device.
@Suite(.enabled(if: ReleasedProgram.exists, "bin/footing is missing: run 'make release'"))
struct DeviceTests {
    /// Exit status of a script that found no loop device.
    private static let hasNoLoopDevice: Int32 = 77

    @Test(
        .enabled(if: Script.isRoot, "only root may attach loop devices"),
        .enabled(if: Script.hasLibnbd, "python3-libnbd is missing: run 'make deps'"),
        .enabled(if: Script.has(.makeFileSystem), "mkfs.ext4 is missing: run 'make deps'")
    )
    func `a block device is used only when that is said, and recovers like a file`() throws {
        let result = try Script.run(
            """
            truncate --size 64M image
            device=$(losetup --find --show image) || { device=; exit 77; }
            expect 64 'with --device the disk is made on it' \\
                "$footing" disk create "$device" --size 16M
            [[ $(tr -d '\\0' <image | wc -c) == 0 ]] || fail "the device was changed"
            expect 1 'bytes are needed' "$footing" disk create "$device" --device --size 1G
            "$footing" disk create "$device" --device --size 16M >/dev/null
            ln -s "$device" disk.footing
            serve
            python3 "$clients/write_pattern.py" "$uri" write
            kill_server
            serve
            expect 1 'another process' "$footing" disk check "$device"
            python3 "$clients/write_pattern.py" "$uri" verify
            stop
            "$footing" disk check "$device" >/dev/null
            mkfs.ext4 -q -F "$device"
            mkdir mount
            mount "$device" mount || exit 77
            mounted=mount
            expect 1 'mounted, or used' "$footing" disk create "$device" --device --size 16M
            """
        )
        if result.status == Self.hasNoLoopDevice { try Test.cancel("no loop device is free") }
        #expect(result.status == 0, "\(result.output)")
    }
}
