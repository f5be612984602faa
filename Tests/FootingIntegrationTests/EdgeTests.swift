import Testing

/// Limits that hold, with the released program and real clients.
@Suite(
    .enabled(if: ReleasedProgram.exists, "bin/footing is missing: run 'make release'"),
    .enabled(if: Script.hasLibnbd, "python3-libnbd is missing: run 'make deps'")
)
struct EdgeTests {
    @Test(.enabled(if: Script.has(.qemuImage), "qemu-img is missing: run 'make deps'"))
    func `one client too many is told why, counted, and logged once`() throws {
        let result = try Script.run(
            """
            create 16M
            serve --socket=$socket --profile edge-raspberry-pi --set connections=2
            python3 - "$uri" <<'END'
            import nbd, subprocess, sys
            clients = [nbd.NBD() for _ in range(2)]
            for client in clients:
                client.connect_uri(sys.argv[1])
            for _ in range(20):
                late = nbd.NBD()
                try:
                    late.connect_uri(sys.argv[1])
                    sys.exit("served")
                except nbd.Error as error:
                    text = str(error)
            # libnbd tells the kind, qemu the words.
            assert "server policy" in text, text
            qemu = subprocess.run(["qemu-img", "info", sys.argv[1]], capture_output=True, text=True)
            assert "2 clients are connected to this disk already" in qemu.stderr, qemu
            clients[0].pwrite(b"x" * 512, 0)
            clients[1].shutdown()
            late = nbd.NBD()
            while True:
                try:
                    late.connect_uri(sys.argv[1])
                    break
                except nbd.Error:
                    late = nbd.NBD()
            assert late.pread(512, 0) == b"x" * 512
            END
            "$footing" status disk.footing --openmetrics >metrics
            grep -q '^footing_connections_limit{.*} 2$' metrics || fail "$(cat metrics)"
            refused=$(sed -n 's/^footing_connections_refused_total{.*} //p' metrics)
            ((refused >= 20)) || fail "$refused refused"
            (($(grep -c 'refused' serve.err) <= 2)) || fail "$(cat serve.err)"
            grep -q '^limits *2 clients, 10 MiB a second, 256 MiB of memory (kept by' serve.log ||
                fail "$(cat serve.log)"
            ! grep -q 'nothing heeds' serve.err || fail "$(cat serve.err)"
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    /// The bar: within 5 % over 10 s, here over TCP, while flushes go their own way.
    @Test func `bandwidth is within 5 % of the limit and does not hold up flushes`() throws {
        let result = try Script.run(
            """
            create 256M
            serve --port=0 --bandwidth=20M
            uri=$(sed -n 's/^ready *//p' serve.log)
            python3 - "$uri" <<'END'
            import nbd, sys, threading, time
            rate, seconds = 20 << 20, 10
            start = time.monotonic() + 0.5
            done = [0, 0, 0]
            def work(index, size, is_write):
                client = nbd.NBD()
                client.connect_uri(sys.argv[1])
                while time.monotonic() < start + seconds:
                    if is_write:
                        client.pwrite(b"x" * size, 0)
                    else:
                        client.pread(size, 0)
                    if time.monotonic() >= start:
                        done[index] += size
            loads = [threading.Thread(target=work, args=words) for words in
                     [(0, 1 << 20, True), (1, 256 << 10, False), (2, 64 << 10, False)]]
            for load in loads:
                load.start()
            client = nbd.NBD()
            client.connect_uri(sys.argv[1])
            longest = 0
            while time.monotonic() < start + seconds:
                before = time.monotonic()
                client.flush()
                client.trim(4096, 128 << 20)
                longest = max(longest, time.monotonic() - before)
                time.sleep(0.05)
            for load in loads:
                load.join()
            share = sum(done) / (rate * seconds)
            print("share", share, "of each", done, "longest flush", longest)
            assert 0.95 <= share <= 1.05, (share, done)
            assert longest < 1, longest
            END
            "$footing" status disk.footing --json >status.json
            python3 -c 'if True:
                import json
                disk = json.load(open("status.json"))["disks"][0]
                assert disk["limits"]["bandwidthBytesPerSecond"] == 20 << 20, disk["limits"]
                assert disk["clients"]["heldRequests"] > 20, disk["clients"]
                assert disk["clients"]["heldNanoseconds"] > 10**9, disk["clients"]'
            stop
            """
        )
        print(result.output)
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `a feature outside the profile is refused wherever it is asked for`() throws {
        let result = try Script.run(
            """
            printf 'format = 1\\nname = plain\\nfeatures = none\\nsegment-size = 1M\\n' >plain
            no="the profile 'plain' does not allow"
            head -c 64 /dev/urandom >key
            chmod 600 key
            expect 1 "$no compression: features = none" "$footing" disk create disk.footing \\
                --size 16M --profile ./plain --compression lz4
            expect 1 "$no encryption" "$footing" disk create disk.footing --size 16M \\
                --profile ./plain --encrypt --key-file key
            expect 1 "$no snapshots" "$footing" disk create disk.footing --size 16M \\
                --profile ./plain --snapshot-reserve 10
            [[ ! -e disk.footing ]] || fail "made all the same"
            create 16M --encrypt --key-file key
            expect 1 "it is encrypted, and $no encryption" "$footing" serve disk.footing \\
                --socket="$socket" --profile ./plain --key-file key
            rm disk.footing
            create 16M --compression lz4
            expect 1 "it compresses what is written, and $no compression" "$footing" serve \\
                disk.footing --socket="$socket" --profile ./plain
            rm disk.footing
            create 16M --profile ./plain
            "$footing" disk info disk.footing | grep -q '^segments .* of 1 MiB$' ||
                fail "$("$footing" disk info disk.footing)"
            "$footing" disk snapshot create disk.footing monday >/dev/null
            serve --socket=$socket --profile ./plain
            expect 1 "$no compression" "$footing" disk set disk.footing --compression lz4
            expect 1 "$no snapshots" "$footing" disk snapshot create disk.footing tuesday
            expect 1 "$no snapshots" "$footing" disk snapshot rollback disk.footing monday
            expect 0 monday "$footing" disk snapshot list disk.footing
            python3 - "$socket" <<'END'
            import nbd, sys
            client = nbd.NBD()
            try:
                client.connect_uri(f"nbd+unix:///disk.footing@monday?socket={sys.argv[1]}")
                sys.exit("a snapshot is served")
            except nbd.Error:
                pass
            END
            expect 0 deleted "$footing" disk snapshot delete disk.footing monday
            stop
            serve --socket=$socket --profile ./plain --set features=snapshots
            expect 0 tuesday "$footing" disk snapshot create disk.footing tuesday
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `what is not flushed is as old as the profile allows`() throws {
        let result = try Script.run(
            """
            create 16M
            printf 'format = 1\\nname = hasty\\nunflushed-age = 50ms\\n' >hasty
            put() {
                python3 - "$uri" "$1" <<'END'
            import nbd, sys
            client = nbd.NBD()
            client.connect_uri(sys.argv[1])
            client.pwrite(sys.argv[2].encode() * 4096, 0)
            END
            }
            first() {
                python3 -c 'if True:
                    import nbd, sys
                    client = nbd.NBD()
                    client.connect_uri(sys.argv[1])
                    print(client.pread(512, 0)[:1].decode())' "$uri"
            }
            serve --socket=$socket --profile ./hasty
            put a
            sleep 1
            kill_server
            serve --socket=$socket --profile ./hasty --set unflushed-age=1h
            [[ $(first) == a ]] || fail "lost: $(first)"
            put b
            sleep 1
            kill_server
            # Nothing had asked for it to be durable, and its time had not come.
            serve
            [[ $(first) == a ]] || fail "committed before its time"
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `a ceiling without room, and a buffer for nothing, are told`() throws {
        let result = try Script.run(
            """
            create 16M
            expect 1 'a memory ceiling of 40 MiB is too low for' "$footing" serve disk.footing \\
                --socket="$socket" --memory-ceiling 40M
            serve --socket=$socket --profile edge-generic --set offline-buffer=1G
            grep -q "'edge-generic' asks for what nothing heeds yet: offline-buffer = 1G" \\
                serve.err || fail "$(cat serve.err)"
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }
}
