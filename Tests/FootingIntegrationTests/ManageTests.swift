import Testing

/// Sizes, images and space of disks, with the released program and unmodified clients.
@Suite(.enabled(if: ReleasedProgram.exists, "bin/footing is missing: run 'make release'"))
struct ManageTests {
    @Test(.enabled(if: Script.has(.nbdinfo, .qemuIO), "libnbd or qemu is missing: run 'make deps'"))
    func `a disk grows under a client, and others see it when they connect`() throws {
        let result = try Script.run(
            """
            create 16M
            serve
            qemu-io -f raw "$uri" -c 'write -P 3 0 16M' -c flush >/dev/null
            # A client that stays, with the size that it knows.
            mkfifo commands
            qemu-io -f raw "$uri" <commands >client.log 2>&1 &
            client=$!
            exec 7>commands
            echo 'write -P 4 1M 64k' >&7
            "$footing" disk resize disk.footing --size 600M >out
            grep -qx '16 MiB before, 600 MiB now' out || fail "$(cat out)"
            nbdinfo --size "$uri" | grep -qx 629145600 || fail size
            echo 'write -P 5 2M 64k' >&7
            echo 'flush' >&7
            exec 7>&-
            wait "$client"
            grep -c 'wrote 65536' client.log | grep -qx 2 || fail "$(cat client.log)"
            qemu-io -f raw "$uri" -c 'write -P 6 590M 10M' -c flush >/dev/null
            "$footing" disk resize disk.footing --size 1G --json >out
            grep -q '"previousSizeBytes": 629145600' out || fail "$(cat out)"
            kill_server
            "$footing" disk check disk.footing >out || fail "after a kill: $(cat out)"
            serve
            nbdinfo --size "$uri" | grep -qx 1073741824 || fail 'size after a kill'
            qemu-io -f raw "$uri" -c 'read -P 3 0 1M' -c 'read -P 4 1M 64k' \
                -c 'read -P 5 2M 64k' -c 'read -P 6 590M 10M' -c 'read -P 0 600M 1M' >read.log
            ! grep -q 'verification failed' read.log || fail "$(cat read.log)"
            expect 1 'there is data up to byte' "$footing" disk resize disk.footing --size 100M
            expect 1 'a multiple of 512' "$footing" disk resize disk.footing --size 100
            stop
            expect 1 'there is data up to byte' "$footing" disk resize disk.footing --size 100M
            "$footing" disk resize disk.footing --size 600M >/dev/null
            "$footing" disk info disk.footing | grep -q '^size  *600 MiB' || fail info
            "$footing" disk check disk.footing >/dev/null
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.has(.qemuIO), "qemu-io is missing: run 'make deps'"))
    func `what is trimmed goes back to the host, and compacting gives back the rest`() throws {
        let result = try Script.run(
            """
            allocated() {
                "$footing" disk info disk.footing --json >info
                sed -n 's/.*"allocatedBytes": \\([0-9]*\\).*/\\1/p' info
            }
            create 256M --segment 2M --snapshot-reserve 0
            serve
            qemu-io -f raw "$uri" -c 'write -P 1 0 200M' -c flush >/dev/null
            full=$(allocated)
            ((full > 200 << 20)) || fail "only $full"
            # Every second 64 KiB: no segment is empty.
            for ((at = 0; at < 200; at += 1)); do
                echo "discard ${at}M 512k"
            done | qemu-io -f raw "$uri" >/dev/null
            qemu-io -f raw "$uri" -c flush >/dev/null
            "$footing" disk compact disk.footing >out
            grep -q 'segments emptied' out || fail "$(cat out)"
            half=$(allocated)
            ((half < full - (60 << 20))) || fail "$full before, $half after: $(cat out)"
            qemu-io -f raw "$uri" -c 'read -P 1 512k 512k' -c 'read -P 0 0 512k' >read.log
            ! grep -q 'verification failed' read.log || fail "$(cat read.log)"
            # The rest goes without being compacted: whole segments are empty then.
            qemu-io -f raw "$uri" -c 'discard 0 256M' -c flush >/dev/null
            "$footing" disk snapshot create disk.footing empty
            "$footing" disk snapshot delete disk.footing empty
            for try in {1..200}; do
                rest=$(allocated)
                ((rest < half - (40 << 20))) && break
                sleep 0.05
            done
            ((rest < half - (40 << 20))) || fail "$half before, $rest after the trim"
            stop
            "$footing" disk compact disk.footing --json >out
            grep -q '"allocatedBytesBefore"' out || fail "$(cat out)"
            (($(allocated) < 24 << 20)) || fail "$(allocated) of an empty disk"
            "$footing" disk check disk.footing >/dev/null
            expect 1 'serves no such disk' "$footing" disk compact disk.footing --stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(
        .enabled(if: Script.has(.qemuImage, .qemuIO), "qemu is missing: run 'make deps'"),
        arguments: ["raw", "qcow2"]
    )
    func `a disk goes out as an image and comes back`(_ format: String) throws {
        let result = try Script.run(
            """
            format=\(format)
            create 64M
            serve
            qemu-io -f raw "$uri" -c 'write -P 7 1M 3M' -c 'write -P 8 40M 64k' -c flush >/dev/null
            "$footing" disk snapshot create disk.footing before
            qemu-io -f raw "$uri" -c 'write -P 9 1M 1M' -c flush >/dev/null
            expect 1 'Export one of its snapshots' "$footing" disk export disk.footing x.$format
            [[ -z $(ls x.$format* 2>/dev/null) ]] || fail 'something of it is left'
            "$footing" disk export disk.footing@before before.$format | grep -q '^exported' \
                || fail export
            stop
            "$footing" disk export disk.footing now --format $format --json >out
            grep -q '"format": "'"$format"'"' out || fail "$(cat out)"
            truncate -s 64M known.raw
            qemu-io -f raw known.raw -c 'write -P 7 1M 3M' -c 'write -P 8 40M 64k' >/dev/null
            qemu-img compare -f $format -F raw before.$format known.raw || fail 'the snapshot'
            qemu-io -f raw known.raw -c 'write -P 9 1M 1M' >/dev/null
            qemu-img compare -f $format -F raw now known.raw || fail 'the disk'
            qemu-io -f $format before.$format -c 'read -P 7 1M 3M' -c 'read -P 8 40M 64k' \
                -c 'read -P 0 50M 1M' >read.log
            qemu-io -f $format now -c 'read -P 9 1M 1M' -c 'read -P 7 2M 2M' >>read.log
            ! grep -q 'verification failed' read.log || fail "$(cat read.log)"
            (($(stat -c %b now) * 512 < 8 << 20)) || fail 'no holes'
            expect 1 'a file already' "$footing" disk import now disk.footing --format $format
            "$footing" disk import now again.footing --format $format | grep -q '^imported 64 MiB' \
                || fail import
            "$footing" disk check again.footing >/dev/null
            "$footing" disk export again.footing again.raw >/dev/null
            "$footing" disk export disk.footing disk.raw >/dev/null
            cmp again.raw disk.raw || fail 'other bytes'
            expect 1 'already' "$footing" disk export disk.footing again.raw
            [[ -z $(ls ./*.partial-* 2>/dev/null) ]] || fail "left: $(ls ./*.partial-*)"
            expect 64 'does not tell its format' "$footing" disk import now other.footing
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.has(.qemuImage), "qemu-img is missing: run 'make deps'"))
    func `images that need other files are refused, and a missing qemu-img is named`() throws {
        let result = try Script.run(
            """
            echo secret >secret
            truncate -s 1M base
            qemu-img create -q -f qcow2 -b base -F raw evil.qcow2
            expect 1 'it needs another file' "$footing" disk import evil.qcow2 disk.footing
            qemu-img create -q -f qcow2 -o data_file=secret2 outside.qcow2 1M
            expect 1 'it needs another file' "$footing" disk import outside.qcow2 disk.footing
            expect 1 'no qcow2 image' "$footing" disk import --format qcow2 secret disk.footing
            expect 1 'No such file' "$footing" disk import none.raw disk.footing
            head -c 1000 /dev/urandom >odd.raw
            "$footing" disk import odd.raw odd.footing >/dev/null
            "$footing" disk export odd.footing back.raw >/dev/null
            cmp -n 1000 odd.raw back.raw || fail 'other bytes'
            (($(stat -c %s back.raw) == 1024)) || fail 'not whole sectors'
            qemu-img create -q -f qcow2 fine.qcow2 1M
            expect 1 'qemu-utils' env PATH=/nowhere "$footing" disk import fine.qcow2 disk.footing
            expect 1 'qemu-utils' env PATH=/nowhere "$footing" disk export odd.footing x.qcow2
            printf 'x' | dd of=fine.qcow2 bs=1 seek=47 conv=notrunc status=none
            expect 1 'qemu-img' "$footing" disk import fine.qcow2 disk.footing
            [[ ! -e disk.footing && -z $(ls ./*.partial-* 2>/dev/null) ]] || fail "left: $(ls)"
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.has(.qemuIO), "qemu-io is missing: run 'make deps'"))
    func `scrubbing finds what is damaged, tells so, and goes on after a restart`() throws {
        let result = try Script.run(
            """
            create 64M
            expect 1 'footing disk check' "$footing" disk scrub disk.footing
            serve
            qemu-io -f raw "$uri" -c 'write -P 7 0 48M' -c flush >/dev/null
            "$footing" disk snapshot create disk.footing kept
            stop
            serve
            "$footing" disk scrub disk.footing --rate 1G --wait >out
            grep -q 'nothing damaged' out || fail "$(cat out)"
            # Slowly, and stopped in the midst of it.
            "$footing" disk scrub disk.footing --rate 4M >/dev/null
            sleep 1
            "$footing" disk scrub disk.footing --stop --json >out
            grep -q '"finished": false' out || fail "$(cat out)"
            stop
            serve
            "$footing" status disk.footing --json >out
            grep -A30 '"scrub"' out | grep -q '"running": true' || fail "does not go on: $(cat out)"
            stop
            # A block in the midst of the data.
            places() { LC_ALL=C grep -abo -m1 -P '\\x07{4096}' disk.footing || true; }
            at=$(places | head -n 1 | cut -d: -f1)
            printf 'X' | dd of=disk.footing bs=1 seek=$((at + 20480)) conv=notrunc status=none
            serve
            # The rest of the pass that was stopped, and a new one.
            "$footing" disk scrub disk.footing --rate 1G --wait >/dev/null || true
            status=0
            "$footing" disk scrub disk.footing --rate 1G --wait >out 2>err || status=$?
            ((status == 1)) || fail "status $status: $(cat out err)"
            grep -q 'does not have the checksum' out || fail "$(cat out)"
            "$footing" status disk.footing | grep -q '^scrub .*DAMAGED' || fail status
            "$footing" status disk.footing --openmetrics >metrics
            grep '^footing_scrub_damaged_blocks{' metrics | grep -q '} [1-9]' || fail metrics
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }
}
