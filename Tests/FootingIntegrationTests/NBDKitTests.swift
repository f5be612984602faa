import Testing

/// What clients find where nbdkit has loaded the plugin.
@Suite(
    .disabled(
        if: NBDKit.isMissing,
        "bin/nbdkit-footing-plugin.so or nbdkit is missing: run 'make plugin' and 'make deps'"
    )
)
struct NBDKitTests {
    @Test(.enabled(if: Script.has(.nbdinfo), "nbdinfo is missing: run 'make deps'"))
    func `nbdinfo is told what the plugin can do`() throws {
        let result = try NBDKit.run(
            """
            create 100M
            launch "$plugin" disk.footing
            [[ $(nbdinfo --size "$uri") == 104857600 ]] || fail size
            nbdinfo "$uri" >facts
            for fact in 'export="disk.footing"' 'is_read_only: false' 'can_cache: true' \\
                'can_fast_zero: true' 'can_flush: true' 'can_fua: true' 'can_multi_conn: true' \\
                'can_trim: true' 'can_zero: true' 'block_size_minimum: 512' \\
                'block_size_preferred: 4096' 'block_size_maximum: 33554432' \\
                'is_rotational: false' 'description: Footing disk ' 'base:allocation'; do
                grep -qF "$fact" facts || fail "$fact: $(cat facts)"
            done
            nbdinfo --size "nbd+unix:///disk.footing?socket=$socket"
            # Another name may one day be another disk: it is not this one.
            ! nbdinfo --size "nbd+unix:///other?socket=$socket" || fail "another export"
            end
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.hasLibnbd, "python3-libnbd is missing: run 'make deps'"))
    func `every command and flag does through nbdkit what the protocol says`() throws {
        let result = try NBDKit.run(
            """
            create 64M
            launch "$plugin" disk=disk.footing
            python3 "$clients/protocol.py" "$uri"
            end
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.has(.qemuIO), "qemu-io is missing: run 'make deps'"))
    func `qemu-io finds its patterns in single sectors through nbdkit`() throws {
        let result = try NBDKit.run(
            """
            create 16M
            launch "$plugin" disk.footing
            qemu-io -f raw "$uri" -c 'write -P 1 0 64k' -c 'write -P 2 512 512' \\
                -c 'write -f -P 3 1536 1024' -c 'write -z 4608 512' -c 'discard 8k 8k' -c flush
            qemu-io -f raw "$uri" -c 'read -P 1 0 512' -c 'read -P 2 512 512' \\
                -c 'read -P 1 1k 512' -c 'read -P 3 1536 1k' -c 'read -P 1 2560 2k' \\
                -c 'read -P 0 4608 512' -c 'read -P 1 5k 3k' -c 'read -P 0 8k 8k' \\
                -c 'read -P 1 16k 48k' | tee patterns
            ! grep -i -e failed -e error patterns || fail "$(cat patterns)"
            end
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.has(.nbdcopy), "nbdcopy is missing: run 'make deps'"))
    func `nbdcopy's copy over several connections survives kill -9 of nbdkit`() throws {
        let result = try NBDKit.run(
            """
            head -c 40M /dev/urandom >source
            truncate -s 48M source
            create 48M
            launch "$plugin" disk.footing
            nbdcopy --flush --connections=4 source "$uri"
            nbdcopy --connections=4 "$uri" before
            kill_server
            launch "$plugin" disk.footing
            nbdcopy "$uri" after
            cmp source before && cmp source after
            end
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.hasLibnbd, "python3-libnbd is missing: run 'make deps'"))
    func `FUA alone makes each kind of change durable`() throws {
        let result = try NBDKit.run(
            """
            create 16M
            launch "$plugin" disk.footing
            nbdsh -u "$uri" -c 'h.pwrite(b"a" * 65536, 0, nbd.CMD_FLAG_FUA)' \\
                -c 'h.trim(4096, 4096, nbd.CMD_FLAG_FUA)' \\
                -c 'h.zero(4096, 8192, nbd.CMD_FLAG_FUA)' \\
                -c 'h.zero(4096, 16384, nbd.CMD_FLAG_FUA | nbd.CMD_FLAG_NO_HOLE)'
            kill_server
            launch "$plugin" disk.footing
            nbdsh -u "$uri" -c 'a = lambda count: b"a" * count' \\
                -c 'assert h.pread(4096, 0) == a(4096)' \\
                -c 'assert h.pread(12288, 4096) == bytes(8192) + a(4096)' \\
                -c 'assert h.pread(8192, 16384) == bytes(4096) + a(4096)'
            end
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(
        .enabled(if: Script.hasLibnbd, "python3-libnbd is missing: run 'make deps'"),
        arguments: [1, 2]
    )
    func `kill -9 of nbdkit at any time loses nothing that was flushed`(seed: Int) throws {
        let result = try NBDKit.run(
            """
            create 24M
            python3 "$clients/crash_loop.py" "nbdkit $plugin" disk.footing "$socket" 10 \(seed)
            "$footing" disk check disk.footing
            """
        )
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.contains("10 kills, "))
    }

    @Test(.enabled(if: Script.has(.nbdsh), "nbdsh is missing: run 'make deps'"))
    func `a client that may not write is told so, and cannot`() throws {
        let result = try NBDKit.run(
            """
            create 16M
            for way in 'readonly=true' '--readonly'; do
                launch "$plugin" disk.footing "$way"
                nbdsh -u "$uri" -c 'assert h.is_read_only()' -c 'h.set_strict_mode(0)' -c '
            try:
                h.pwrite(b"x" * 512, 0)
                raise SystemExit("written")
            except nbd.Error as error:
                assert error.errno == "EPERM", error
            assert h.pread(512, 0) == bytes(512)'
                end
            done
            launch "$plugin" disk.footing readonly=off
            nbdsh -u "$uri" -c 'assert not h.is_read_only()' -c 'h.pwrite(b"x" * 512, 0)'
            end
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }
}
