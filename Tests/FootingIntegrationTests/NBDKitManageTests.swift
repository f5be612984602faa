import Testing

/// What `footing` does to a disk that nbdkit serves: as to one of `footing serve`.
@Suite(
    .disabled(
        if: NBDKit.isMissing,
        "bin/nbdkit-footing-plugin.so or nbdkit is missing: run 'make plugin' and 'make deps'"
    ),
    .enabled(if: Script.has(.nbdinfo, .nbdcopy, .nbdsh), "nbdsh is missing: run 'make deps'")
)
struct NBDKitManageTests {
    /// Runs a script that can wait until nbdkit has answered: it writes its number before that, and
    /// starts the disk last.
    private func run(_ text: String) throws -> (status: Int32, output: String) {
        let prelude = """
            export FOOTING=$footing
            # begin OPTIONS...: nbdkit, once it has answered.
            begin() {
                launch "$plugin" disk.footing "$@"
                nbdinfo --size "$uri" >size
            }
            # alone: waits until nbdkit has told the disk of the last client's end.
            alone() {
                for _ in {1..1000}; do
                    "$footing" status disk.footing | grep -q '^clients *0 now' && return 0
                    sleep 0.01
                done
                fail "clients are left"
            }

            """
        return try NBDKit.run(prelude + text)
    }

    @Test func `a snapshot made through nbdkit is listed, read and protected`() throws {
        let result = try run(
            """
            head -c 8M /dev/urandom >monday
            head -c 8M /dev/urandom >tuesday
            create 8M
            begin
            nbdcopy --flush monday "$uri"
            "$footing" disk snapshot create disk.footing monday
            nbdcopy --flush tuesday "$uri"
            at="nbd+unix:///disk.footing@monday?socket=$socket"
            nbdinfo --list "$uri" >list
            grep -qF 'export="disk.footing"' list || fail "$(cat list)"
            grep -qF 'export="disk.footing@monday"' list || fail "$(cat list)"
            grep -qF 'description: snapshot ' list || fail "$(cat list)"
            nbdcopy "$at" back
            cmp monday back
            nbdcopy "nbd+unix:///@monday?socket=$socket" back
            cmp monday back
            nbdcopy "$uri" back
            cmp tuesday back
            nbdinfo --map "$at" | grep -q data || fail "no map"
            nbdsh -u "$at" -c 'assert h.is_read_only()' -c 'h.set_strict_mode(0)' -c '
            for change in (lambda: h.pwrite(b"x" * 512, 0), lambda: h.zero(512, 0),
                    lambda: h.trim(512, 0)):
                try:
                    change()
                    raise SystemExit("changed")
                except nbd.Error as error:
                    assert error.errno == "EPERM", error
            h.flush()
            h.cache(4096, 0)'
            # Who reads it keeps it.
            nbdsh -u "$at" -c '
            import os, subprocess
            footing = os.environ["FOOTING"]
            command = [footing, "disk", "snapshot", "delete", "disk.footing", "monday"]
            refused = subprocess.run(command, capture_output=True, text=True)
            assert refused.returncode == 1 and "being read" in refused.stderr, refused
            '
            alone
            "$footing" disk snapshot delete disk.footing monday
            ! nbdinfo --size "$at" 2>gone.err || fail "it is still there"
            grep -q "no snapshot 'monday'" nbdkit.log || fail "$(cat nbdkit.log)"
            end
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `what clients would notice is done only without them`() throws {
        let result = try run(
            """
            head -c 8M /dev/urandom >monday
            create 8M
            begin
            nbdcopy --flush monday "$uri"
            "$footing" disk snapshot create disk.footing monday
            nbdsh -u "$uri" -c 'h.pwrite(bytes(65536), 0)' -c '
            import os, subprocess
            footing = os.environ["FOOTING"]
            for words in (["snapshot", "rollback", "disk.footing", "monday"],
                    ["resize", "disk.footing", "--size", "4M"]):
                refused = subprocess.run([footing, "disk"] + words, capture_output=True,
                    text=True)
                assert refused.returncode == 1, refused
                assert "clients are connected" in refused.stderr, refused
            '
            alone
            "$footing" disk snapshot rollback disk.footing monday
            nbdcopy "$uri" back
            cmp monday back
            nbdsh -u "$uri" -c '
            import os, subprocess
            footing = os.environ["FOOTING"]
            grow = ["disk", "resize", "disk.footing", "--size", "16M"]
            subprocess.run([footing] + grow, check=True)
            assert h.get_size() == 8 << 20'
            [[ $(nbdinfo --size "$uri") == $((16 << 20)) ]] || fail "not grown"
            alone
            "$footing" disk resize disk.footing --size 12M
            [[ $(nbdinfo --size "$uri") == $((12 << 20)) ]] || fail "not shrunk"
            end
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `the status tells what nbdkit's clients did`() throws {
        let result = try run(
            """
            create 16M
            begin
            nbdsh -u "$uri" -c '
            h.pwrite(b"x" * 65536, 0, nbd.CMD_FLAG_FUA)
            h.pwrite(b"y" * 4096, 1 << 20)
            h.flush()
            h.pread(8192, 0)
            h.trim(4096, 0)
            h.zero(4096, 4096)
            import json, os, subprocess
            footing = os.environ["FOOTING"]
            text = subprocess.run([footing, "status", "disk.footing", "--json"], check=True,
                capture_output=True, text=True).stdout
            status = json.loads(text)["disks"][0]
            assert status["uri"] is None and status["path"].endswith("/disk.footing"), status
            clients = status["clients"]
            assert clients["active"] == 1 and clients["requests"] == 6, clients
            assert clients["readBytes"] == 8192 and clients["writtenBytes"] == 69632, clients
            counts = {kind: value["count"] for kind, value in status["requests"].items()
                if isinstance(value, dict)}
            assert counts == dict(read=1, write=2, flush=1, trim=1, writeZeroes=1, blockStatus=0,
                cache=0), counts
            write = status["requests"]["write"]
            assert write["bytes"] == 69632 and write["errors"] == 0, write
            assert write["maximumNanoseconds"] > 0, write
            assert status["limits"]["connections"] is None, status["limits"]
            try:
                h.set_strict_mode(0)
                h.pread(100, 0)
                raise SystemExit("read")
            except nbd.Error as error:
                assert error.errno == "EINVAL", error
            try:
                h.zero(4096, 0, nbd.CMD_FLAG_FAST_ZERO | nbd.CMD_FLAG_NO_HOLE)
                raise SystemExit("fast")
            except nbd.Error as error:
                assert error.errno == "ENOTSUP", error
            '
            "$footing" status disk.footing --json >json
            python3 - <<'END' || fail "$(cat json)"
            import json
            requests = json.load(open("json"))["disks"][0]["requests"]
            assert requests["read"]["errors"] == requests["writeZeroes"]["errors"] == 1
            assert requests["write"]["errors"] == 0
            END
            grep -q '"refused": null' json || fail "$(cat json)"
            alone
            "$footing" status disk.footing >status
            grep -q '^uri *as the program that serves it has it' status || fail "$(cat status)"
            grep -q '^limits *those of the program that serves it' status || fail "$(cat status)"
            grep -q '^clients *0 now, 2 in all' status || fail "$(cat status)"
            "$footing" status --openmetrics >metrics
            grep -q '^footing_request_duration_seconds_count{.*kind="write"} 2$' metrics ||
                fail "$(cat metrics)"
            end
            expect 1 'this user serves no such disk' "$footing" status disk.footing
            [[ -z $(ls control) ]] || fail "$(ls control)"
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `a profile's features hold, and what was begun goes on`() throws {
        let result = try run(
            """
            create 64M
            begin profile=hosted-vm set=features=compression
            expect 1 "the profile 'hosted-vm' does not allow" \\
                "$footing" disk snapshot create disk.footing monday
            "$footing" disk set disk.footing --compression lz4
            nbdsh -u "$uri" -c 'import os' -c 'h.pwrite(b"text" * 65536 + os.urandom(4 << 20), 0)'
            "$footing" status disk.footing | grep -q '^compression *lz4; ' || fail "no lz4"
            end
            begin
            # 64 KiB a second: it is not done when nbdkit ends.
            "$footing" disk scrub disk.footing --rate 64K
            while "$footing" status disk.footing | grep -q '^scrub *at 0 B'; do sleep 0.01; done
            end
            begin
            "$footing" status disk.footing --json | grep -A40 '"scrub"' >scrub
            grep -q '"running": true' scrub || fail "$(cat scrub)"
            "$footing" disk scrub disk.footing --stop
            "$footing" disk compact disk.footing
            "$footing" disk snapshot create disk.footing monday
            end
            begin profile=hosted-vm set=features=compression
            nbdinfo --list "$uri" >list
            ! grep -F '@monday' list || fail "listed"
            ! nbdinfo --size "nbd+unix:///@monday?socket=$socket" 2>refused || fail "opened"
            end
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(arguments: ["cache", "cow", "cacheextents", "retry"])
    func `behind a filter that keeps blocks nothing else changes them`(filter: String) throws {
        let result = try run(
            """
            create 8M
            begin
            "$footing" disk snapshot create disk.footing monday
            end
            begin --filter=\(filter)
            nbdinfo --list "$uri" >list
            ! grep -F '@monday' list || fail "listed"
            ! nbdinfo --size "nbd+unix:///@monday?socket=$socket" 2>refused || fail "opened"
            grep -q "nbdkit's filter '\(filter)' may mix up with the disk" nbdkit.log ||
                fail "$(cat nbdkit.log)"
            alone
            expect 1 "nbdkit's filter '\(filter)' may hold blocks or the size of the disk" \\
                "$footing" disk snapshot rollback disk.footing monday
            expect 1 "nbdkit's filter '\(filter)' may hold blocks or the size of the disk" \\
                "$footing" disk resize disk.footing --size 16M
            "$footing" disk snapshot create disk.footing tuesday
            "$footing" disk snapshot list disk.footing | grep -q tuesday || fail "not made"
            end
            # Another one does not matter.
            begin --filter=blocksize --filter=delay --filter=rate
            nbdinfo --size "nbd+unix:///@monday?socket=$socket"
            end
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `what a client calls an export gives no orders to the terminal`() throws {
        let result = try run(
            """
            create 8M
            begin
            cat >client.py <<'END'
            import nbd, sys
            words = "\\x1b[2J\\nforged: line\\x9b"
            for name in ("@" + words, "@" + words + "x" * 3000, words):
                h = nbd.NBD()
                h.set_export_name(name)
                try:
                    h.connect_unix(sys.argv[1])
                    raise SystemExit("connected")
                except nbd.Error:
                    pass
            END
            python3 client.py "$socket"
            grep -q 'no snapshot' nbdkit.log || fail "$(cat nbdkit.log)"
            ! LC_ALL=C grep -qP '\\x1b|\\xc2\\x9b|^forged' nbdkit.log || fail "$(cat -v nbdkit.log)"
            (($(wc -c <nbdkit.log) < 2500)) || fail "$(wc -c <nbdkit.log) bytes"
            end
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `a disk whose status cannot be asked for is served, and nbdkit says so`() throws {
        let result = try run(
            """
            create 8M
            export FOOTING_RUNTIME_DIR=$PWD/nothing/here
            begin
            grep -q "'footing status' will not find this disk" nbdkit.log ||
                fail "$(cat nbdkit.log)"
            nbdsh -u "$uri" -c 'h.pwrite(b"x" * 4096, 0)' -c 'h.flush()'
            end
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `SIGTERM ends it when the last reader of a snapshot has gone`() throws {
        let result = try run(
            """
            create 8M
            begin
            "$footing" disk snapshot create disk.footing monday
            cat >client.py <<'END'
            import nbd, os, sys, time
            h = nbd.NBD()
            h.set_export_name("@monday")
            h.connect_unix(sys.argv[1])
            h.pread(4096, 0)
            open("connected", "w").close()
            while not os.path.exists("told"): time.sleep(0.01)
            time.sleep(0.5)
            END
            python3 client.py "$socket" &
            client=$!
            for _ in {1..1000}; do [[ -e connected ]] && break; sleep 0.01; done
            [[ -e connected ]] || fail "no client"
            kill -TERM "$server"
            sleep 0.2
            kill -0 "$server" || fail "it has not waited"
            touch told
            wait "$server" || fail "nbdkit's status was $?: $(cat nbdkit.log)"
            server=
            is_closed
            wait "$client" || fail "the client failed"
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `a daemon's disk is found by its name from anywhere`() throws {
        let result = try run(
            """
            create 8M
            daemon "$plugin" disk.footing
            nbdinfo --size "$uri"
            (cd / && "$footing" disk snapshot create "$OLDPWD/disk.footing" monday)
            "$footing" disk snapshot list disk.footing | grep -q monday || fail "not there"
            kill -TERM "$server"
            gone
            is_closed
            captive "nbdinfo --size \"\\$uri\"; '$footing' status --json >status" \\
                "$plugin" disk.footing
            grep -q '"uri": null' status || grep -q '"uri":null' status || fail "$(cat status)"
            is_closed
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }
}
