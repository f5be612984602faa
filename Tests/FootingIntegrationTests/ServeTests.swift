import Testing

/// How `footing serve` starts, ends, and refuses.
@Suite(.enabled(if: ReleasedProgram.exists, "bin/footing is missing: run 'make release'"))
struct ServeTests {
    @Test(.enabled(if: Script.hasLibnbd, "python3-libnbd is missing: run 'make deps'"))
    func `SIGTERM keeps what a connected client wrote and did not flush`() throws {
        let result = try Script.run(
            """
            create 16M
            serve
            mkfifo written
            python3 - "$uri" >written <<'END' &
            import nbd, sys, time
            h = nbd.NBD()
            h.connect_uri(sys.argv[1])
            h.pwrite(b"kept" * 1024, 8192)
            print("written", flush=True)
            try:
                while True:
                    h.pread(512, 0)
                    time.sleep(0.01)
            except nbd.Error:
                pass
            END
            client=$!
            read -r line <written
            stop
            wait "$client" || fail "the client was left hanging"
            [[ ! -e $socket ]] || fail "the socket is still there"
            serve
            grep -q '^recovery *none needed' serve.log || fail "$(cat serve.log)"
            python3 -c 'if True:
                import nbd, sys
                h = nbd.NBD()
                h.connect_uri(sys.argv[1])
                assert h.pread(4096, 8192) == b"kept" * 1024' "$uri"
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.hasLibnbd, "python3-libnbd is missing: run 'make deps'"))
    func `compression changes while a disk is served, and at rest`() throws {
        let result = try Script.run(
            """
            create 16M
            serve
            put() {
                python3 -c 'if True:
                    import nbd, sys
                    h = nbd.NBD()
                    h.connect_uri(sys.argv[1])
                    for offset in range(0, 8 << 20, 1 << 20):
                        h.pwrite(sys.argv[2].encode() * (1 << 18), offset)
                    h.flush()
                    assert h.pread(512, 5120) == sys.argv[2].encode() * 128' "$uri" "$1"
            }
            expect_policy() {
                "$footing" disk info disk.footing | grep -q "^compression *$1$" || fail "not $1"
            }
            put abcd
            expect_policy none
            [[ $("$footing" disk set disk.footing --compression lz4) == 'compression lz4' ]] ||
                fail "not set"
            expect_policy lz4
            put efgh
            "$footing" status disk.footing --json >status.json
            python3 -c 'if True:
                import json
                disk = json.load(open("status.json"))["disks"][0]["disk"]
                assert disk["compression"] == "lz4", disk
                assert disk["compressedBlocks"] == 2048, disk
                assert disk["storedBytes"] == (8 << 20) + 2048 * 512, disk'
            kill_server
            "$footing" disk set disk.footing --compression auto
            expect_policy auto
            serve
            python3 -c 'if True:
                import nbd, sys
                h = nbd.NBD()
                h.connect_uri(sys.argv[1])
                assert h.pread(8 << 20, 0) == b"efgh" * (2 << 20)' "$uri"
            stop
            "$footing" disk check disk.footing | grep -q '^result *nothing wrong' || fail "wrong"
            expect 64 'expected one of none, lz4, deflate, auto' \\
                "$footing" disk set disk.footing --compression zip
            expect_policy auto
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `a name gives no orders to the terminal`() throws {
        let result = try Script.run(
            #"""
            create 16M
            wild=$'\e[2J\nready     x\xc2\x9b0m'
            mkdir "$PWD/$wild.d"
            # The folder of the status has to be its user's own, and is refused with its name.
            export FOOTING_RUNTIME_DIR=$PWD/$wild.d
            chmod 777 "$FOOTING_RUNTIME_DIR"
            serve --socket="$wild"
            [[ -S $wild ]] || fail "the socket is elsewhere"
            grep -q '^footing: .footing status. will not find' serve.err || fail "$(cat serve.err)"
            if LC_ALL=C grep -q $'\e\|\xc2\x9b' serve.log serve.err; then
                fail "$(cat -v serve.log serve.err)"
            fi
            [[ $(grep -c '^ready' serve.log) == 1 ]] || fail "$(cat -v serve.log)"
            stop
            """#
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `a disk is served by one at a time`() throws {
        let result = try Script.run(
            """
            create 16M
            serve
            expect 1 'another process serves or checks it' \\
                "$footing" serve disk.footing --socket other.sock
            [[ ! -e other.sock ]] || fail "the refused server left a socket"
            "$footing" disk info disk.footing | grep -q '^state *in use' || fail "not in use"
            kill -0 "$server" || fail "the first server is gone"
            stop
            serve
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `a stale socket is taken over, a live one and other files are not`() throws {
        let result = try Script.run(
            """
            create 16M
            "$footing" disk create second.footing --size 16M >/dev/null
            serve
            expect 1 'another process serves at' \\
                "$footing" serve second.footing --socket "$socket"
            [[ -S $socket ]] || fail "the live socket was removed"
            kill_server
            [[ -S $socket ]] || fail "a killed server cannot remove its socket"
            serve
            stop
            echo precious >file
            expect 1 'is there and not a socket' "$footing" serve disk.footing --socket file
            [[ $(cat file) == precious ]] || fail "the file was changed"
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.has(.nbdinfo), "nbdinfo is missing: run 'make deps'"))
    func `TCP is served on this machine only`() throws {
        let result = try Script.run(
            """
            create 16M
            serve --port=0
            uri=$(sed -n 's/^ready *//p' serve.log)
            [[ $uri == nbd://127.0.0.1:* ]] || fail "$uri"
            [[ $(nbdinfo --size "$uri") == 16777216 ]] || fail size
            stop
            expect 1 'will not listen on 0.0.0.0' \\
                "$footing" serve disk.footing --port 0 --address 0.0.0.0
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.hasLibnbd, "python3-libnbd is missing: run 'make deps'"))
    func `where io_uring is forbidden that is said, and the disk is served all the same`() throws {
        let result = try Script.run(
            """
            create 16M
            program=$footing
            printf '#!/bin/sh\nexec python3 %s %s "$@"\n' \
                "$clients/forbid_rings.py" "$program" >forbidden
            chmod +x forbidden
            footing=$PWD/forbidden
            serve
            grep -q '^io *threads: io_uring is forbidden' serve.log || fail "$(cat serve.log)"
            "$program" status | grep -q '^io *threads: io_uring is forbidden' ||
                fail "$("$program" status)"
            cat >client.py <<'END'
            import nbd, sys
            h = nbd.NBD()
            h.connect_uri(sys.argv[1])
            data = bytes(range(256)) * 16384
            h.pwrite(data, 0)
            h.flush()
            assert h.pread(len(data), 0) == data
            END
            cat >reader.py <<'END'
            import json, nbd, subprocess, sys
            h = nbd.NBD()
            h.connect_uri(sys.argv[1])
            data = bytes(range(256)) * 16384
            def misses():
                text = subprocess.check_output([sys.argv[2], "status", "disk.footing", "--json"])
                disk, = json.loads(text)["disks"]
                return disk["disk"]["blockCache"]["misses"]
            before = misses()
            assert h.pread(len(data), 0) == data
            assert misses() > before, "nothing was read from the device"
            END
            python3 client.py "$uri"
            stop
            serve
            python3 reader.py "$uri" "$program"
            stop
            expect 1 'EPERM' "$footing" serve disk.footing --io io_uring --socket "$socket"
            footing=$program
            serve --io=threads "--socket=$socket"
            grep -q '^io *threads$' serve.log || fail "$(cat serve.log)"
            python3 reader.py "$uri" "$program"
            stop
            expect 64 'auto, io_uring, threads' "$footing" serve disk.footing --io aio
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }
}

/// Mistakes on the command line: what is said, and with which status.
@Suite(.enabled(if: ReleasedProgram.exists, "bin/footing is missing: run 'make release'"))
struct CommandLineTests {
    @Test(arguments: [
        ("disk info missing", 1, "open missing: No such file or directory (ENOENT)"),
        ("disk info foreign", 1, "open foreign: not a Footing container"),
        ("disk info empty", 1, "open empty: not a Footing container"),
        ("disk info folder", 1, "open folder: "),
        ("disk create foreign --size 16M", 1, "there is a file already; nothing was changed"),
        ("disk create none/new --size 16M", 1, "none/new: No such file or directory (ENOENT)"),
        ("disk create new --size 0", 1, "a size of 0 bytes; it must be a multiple of 512"),
        ("disk create new --size 1000", 1, "it must be a multiple of 512, at most 64 TiB"),
        ("disk create new --size 65T", 1, "at most 64 TiB"),
        ("disk create new --size banana", 64, "expected a size in bytes, such as 4096, 512M"),
        ("disk create new", 64, "Missing expected option '-s, --size <size>'"),
        ("disk create new --size 16M --segment 3M", 1, "a power of two from 64 KiB to 64 MiB"),
        ("detect --no-network --probe-cloud", 64, "--probe-cloud exclude each other"),
        (
            "detect --probe-cloud --root folder", 64,
            "--watch and --probe-cloud need this machine, not another"
        ),
        ("disk frobnicate", 64, "Unknown subcommand 'frobnicate'"),
        ("serve missing", 1, "open missing: No such file or directory (ENOENT)"),
        ("serve foreign", 1, "open foreign: not a Footing container"),
        ("serve folder", 1, "open folder: Is a directory (EISDIR)"),
        ("serve short", 1, "it was cut off"),
        ("serve", 64, "Missing expected argument '<path>'"),
        ("serve disk.footing --port 70000", 64, "expected a whole number from 0 to 65535"),
        ("serve disk.footing --port 1 --socket x", 64, "--socket and --port exclude each other"),
        ("serve disk.footing --socket none/x", 1, "cannot listen at none/x"),
    ])
    func `a mistake is named, and nothing is changed`(
        words: String,
        status: Int,
        text: String
    ) throws {
        let result = try Script.run(
            """
            create 16M
            cp disk.footing short
            truncate -s 64K short
            echo 'not a disk' >foreign
            : >empty
            mkdir folder
            expect \(status) '\(text.replacing("'", with: #"'\''"#))' timeout 10 "$footing" \(words)
            [[ $(cat foreign) == 'not a disk' && ! -s empty && ! -e new ]] || fail "changed"
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }
}
