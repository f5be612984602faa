import Testing

/// Snapshots of the released program, with unmodified clients.
@Suite(.enabled(if: ReleasedProgram.exists, "bin/footing is missing: run 'make release'"))
struct SnapshotTests {
    @Test(
        .enabled(if: Script.has(.nbdinfo, .nbdcopy, .qemuImage), "libnbd or qemu is missing"),
        .enabled(if: Script.has(.qemuIO), "qemu-io is missing: run 'make deps'")
    )
    func `clients see a snapshot as an export of its own, read-only`() throws {
        let result = try Script.run(
            """
            head -c 4M /dev/urandom >old
            truncate -s 16M old
            create 16M
            serve
            nbdcopy --flush old "$uri"
            "$footing" disk snapshot create disk.footing 'before the update'
            "$footing" disk snapshot create disk.footing b --json >made
            grep -q '"nanoseconds"' made || fail "no time: $(cat made)"
            qemu-io -f raw "$uri" -c 'write -P 7 0 8M' -c 'discard 8M 1M' -c flush >/dev/null
            nbdinfo --list "$uri" >list
            for name in disk.footing 'disk.footing@before the update' disk.footing@b; do
                grep -qF "export=\\"$name\\"" list || fail "$name: $(cat list)"
            done
            kept="nbd+unix:///disk.footing@b?socket=$socket"
            nbdinfo "$kept" | grep -q 'is_read_only: true' || fail 'not read-only'
            nbdinfo --size "$kept" | grep -qx 16777216 || fail size
            nbdinfo "nbd+unix:///disk.footing@before%20the%20update?socket=$socket" >/dev/null
            nbdcopy "$kept" copy
            cmp copy old || fail 'other bytes'
            qemu-img convert -O raw "$kept" copy2
            cmp copy2 old || fail 'other bytes for qemu-img'
            qemu-io -f raw "$uri" -c 'read -P 7 0 8M' | grep -q 'read 8388608' || fail live
            expect 1 '' qemu-io -f raw "$kept" -c 'write -P 1 0 4k'
            expect 1 '' nbdinfo "nbd+unix:///disk.footing@none?socket=$socket"
            stop
            "$footing" disk check disk.footing | grep -q '^snapshots  *2' || fail check
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.has(.qemuIO), "qemu-io is missing: run 'make deps'"))
    func `commands work on a disk at rest and on one that is served`() throws {
        let result = try Script.run(
            """
            create 16M
            snapshot() { "$footing" disk snapshot "$@"; }
            snapshot list disk.footing | grep -qx 'no snapshots' || fail none
            snapshot create disk.footing rest | grep -q "^snapshot 'rest' made in" || fail rest
            expect 1 "one named 'rest' already" snapshot create disk.footing rest
            expect 1 "no '@', '/'" snapshot create disk.footing a@b
            serve
            qemu-io -f raw "$uri" -c 'write -P 5 0 1M' -c flush >/dev/null
            snapshot create disk.footing live
            expect 1 "one named 'live' already" snapshot create disk.footing live
            qemu-io -f raw "$uri" -c 'write -P 6 0 1M' -c flush >/dev/null
            snapshot list disk.footing --json >list
            grep -q '"exclusiveBytes"' list && grep -q '"referencedBytes"' list || fail list
            "$footing" status disk.footing | grep -q '^snapshots  *2' || fail status
            # Its tree may not be written yet.
            snapshot create disk.footing now
            "$footing" disk clone disk.footing@now clone.footing | grep -q '^copied 1 MiB' \\
                || fail clone
            expect 1 "there is no snapshot 'none'" "$footing" disk clone disk.footing@none x
            [[ ! -e x ]] || fail 'a clone of nothing'
            expect 64 'disk@snapshot' "$footing" disk clone disk.footing y
            expect 1 'a file already' "$footing" disk clone disk.footing@now clone.footing
            snapshot rollback disk.footing live
            qemu-io -f raw "$uri" -c 'read -P 5 0 1M' | grep -q 'read 1048576' || fail rollback
            snapshot delete disk.footing live
            expect 1 "there is no snapshot 'live'" snapshot delete disk.footing live
            stop
            snapshot rollback disk.footing rest
            snapshot delete disk.footing rest
            snapshot list disk.footing | grep -q '^now ' || fail 'list at rest'
            "$footing" disk check disk.footing >/dev/null
            "$footing" disk check clone.footing >/dev/null
            serve
            qemu-io -f raw "$uri" -c 'read -P 0 0 1M' | grep -q 'read 1048576' || fail zeros
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.hasLibnbd, "python3-libnbd is missing: run 'make deps'"))
    func `what a client uses is neither deleted nor rolled back`() throws {
        let result = try Script.run(
            """
            create 16M
            serve
            "$footing" disk snapshot create disk.footing a
            kept="nbd+unix:///disk.footing@a?socket=$socket"
            export footing
            cat >hold.py <<'END'
            import nbd, os, subprocess, sys
            handle = nbd.NBD()
            handle.connect_uri(sys.argv[1])
            for command, text in (("delete", "is being read by 1 clients"),
                                  ("rollback", "clients are connected")):
                words = [os.environ["footing"], "disk", "snapshot", command, "disk.footing", "a"]
                result = subprocess.run(words, capture_output=True, text=True)
                assert result.returncode == 1 and text in result.stderr, result
            assert handle.pread(512, 0) == bytes(512)
            handle.shutdown()
            END
            python3 hold.py "$kept"
            for try in {1..100}; do
                if "$footing" disk snapshot delete disk.footing a 2>/dev/null; then break; fi
                sleep 0.05
            done
            "$footing" disk snapshot list disk.footing | grep -qx 'no snapshots' || fail left
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(
        .enabled(if: Script.hasLibnbd, "python3-libnbd is missing: run 'make deps'"),
        arguments: [1, 2]
    )
    func `kill -9 loses no snapshot that was confirmed, and mixes none`(seed: Int) throws {
        let result = try Script.run(
            """
            "$footing" disk create disk.footing --size 8M --snapshot-reserve 2000 >/dev/null
            python3 "$clients/snapshot_loop.py" "$footing" disk.footing "$socket" 10 \(seed)
            """
        )
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.contains("10 kills, "))
    }

    @Test(.enabled(if: Script.has(.qemuIO), "qemu-io is missing: run 'make deps'"))
    func `a container that snapshots fill says so, and deleting one helps`() throws {
        let result = try Script.run(
            """
            "$footing" disk create disk.footing --size 32M --snapshot-reserve 0 >/dev/null
            serve
            qemu-io -f raw "$uri" -c 'write -P 1 0 32M' -c flush >/dev/null
            "$footing" disk snapshot create disk.footing first
            full=
            for value in {2..9}; do
                qemu-io -f raw "$uri" -c "write -P $value 0 32M" -c flush >log 2>&1 || true
                if grep -q 'No space left' log; then full=1; break; fi
            done
            [[ $full ]] || fail "never full: $(cat log)"
            expect 1 'snapshot delete' "$footing" disk snapshot create disk.footing second
            "$footing" disk snapshot delete disk.footing first
            qemu-io -f raw "$uri" -c 'write -P 77 0 32M' -c flush -c 'read -P 77 0 32M' >log
            grep -q 'read 33554432' log || fail "$(cat log)"
            stop
            "$footing" disk check disk.footing >/dev/null
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }
}
