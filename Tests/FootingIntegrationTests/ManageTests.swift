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
            # Its segments are small: the table of so many would be more than it may have.
            serve --socket="$socket" --memory 16M
            expect 1 'bytes of memory' "$footing" disk resize disk.footing --size 2T
            nbdinfo --size "$uri" | grep -qx 1073741824 || fail 'the size after a refusal'
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

    @Test(.enabled(if: Script.has(.qemuIO), "qemu-io is missing: run 'make deps'"))
    func `what is trimmed in pieces goes back once clients rest, unless it is not to`() throws {
        let result = try Script.run(
            """
            allocated() {
                "$footing" disk info disk.footing --json >info
                sed -n 's/.*"allocatedBytes": \\([0-9]*\\).*/\\1/p' info
            }
            create 256M --segment 2M --snapshot-reserve 0
            for upkeep in off on; do
                serve --socket=disk.sock --idle-upkeep $upkeep
                qemu-io -f raw "$uri" -c 'write -P 1 0 200M' -c flush >/dev/null
                full=$(allocated)
                # Every second half of a mebibyte: no segment is empty.
                for ((at = 0; at < 200; at += 1)); do
                    echo "discard ${at}M 512k"
                done | qemu-io -f raw "$uri" >/dev/null
                if [[ $upkeep == off ]]; then
                    sleep 20
                    now=$(allocated)
                    ((now > full - (30 << 20))) || fail "$full before, $now after"
                    stop
                    continue
                fi
                for try in {1..300}; do
                    "$footing" status disk.footing --json >status
                    back=$(sed -n 's/.*"returnedAtRestBytes": \\([0-9]*\\).*/\\1/p' status)
                    now=$(allocated)
                    ((back > 16 << 20 && now < full - (60 << 20))) && break
                    sleep 0.2
                done
                ((back > 16 << 20 && now < full - (60 << 20))) \\
                    || fail "$full before, $now after: $(cat status)"
                qemu-io -f raw "$uri" -c 'read -P 1 512k 512k' -c 'read -P 0 0 512k' >read.log
                ! grep -q 'verification failed' read.log || fail "$(cat read.log)"
                stop
            done
            "$footing" disk check disk.footing >/dev/null
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
            # With what qemu-io wrote, and not with what this program made of the same.
            cmp again.raw known.raw || fail 'other bytes'
            printf x | dd of=again.raw bs=1 seek=2000000 conv=notrunc status=none
            ! cmp -s again.raw known.raw || fail 'the comparison sees nothing'
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
            # What is checked is what is read, also where another file takes its name meanwhile,
            # and a header that changes in place is noticed.
            mkdir bin
            real=$(command -v qemu-img)
            rm fine.qcow2
            qemu-img create -q -f qcow2 fine.qcow2 1M
            qemu-io -f qcow2 fine.qcow2 -c 'write -P 5 0 64k' >/dev/null
            printf '#!/bin/sh\nmv evil.qcow2 fine.qcow2\nexec %s "$@"\n' "$real" >bin/qemu-img
            chmod +x bin/qemu-img
            PATH=$PWD/bin:$PATH "$footing" disk import fine.qcow2 taken.footing >/dev/null
            "$footing" disk export taken.footing taken.raw >/dev/null
            head -c 65536 taken.raw | tr -d '\\005' | wc -c | grep -qx 0 || fail 'the other file'
            rm fine.qcow2
            qemu-img create -q -f qcow2 fine.qcow2 1M
            printf '#!/bin/sh\n%s "$@" || exit\n%s\n' "$real" \
                "printf 'x' | dd of=fine.qcow2 bs=1 seek=80 conv=notrunc status=none" >bin/qemu-img
            expect 1 'changed its header' env PATH="$PWD/bin:$PATH" \
                "$footing" disk import fine.qcow2 disk.footing
            [[ ! -e disk.footing && -z $(ls ./*.partial-* 2>/dev/null) ]] || fail "left: $(ls)"
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.has(.qemuImage), "qemu-img is missing: run 'make deps'"))
    func `what a signal interrupts leaves nothing behind`() throws {
        let result = try Script.run(
            """
            qemu-img create -q -f qcow2 image.qcow2 1M
            create 16M
            mkdir bin
            # Says where it was to connect to, and takes its time.
            printf '#!/bin/sh\necho "$@" >words\nexec sleep 20\n' >bin/qemu-img
            chmod +x bin/qemu-img
            interrupted() {
                local signal=$1 status=0
                shift
                rm -f words
                # A shell in the background ignores SIGINT for its children.
                env --default-signal=INT PATH="$PWD/bin:$PATH" "$footing" "$@" >/dev/null 2>&1 &
                local process=$!
                until [[ -s words ]]; do
                    kill -0 $process 2>/dev/null || fail "it ended: $*"
                    sleep 0.01
                done
                folder=$(grep -o '/tmp/footing-[0-9a-f]*' words | head -n 1)
                [[ -S $folder/disk.sock ]] || fail "no socket: $(cat words)"
                [[ -n $(ls ./*.partial-*) ]] || fail 'no file under way'
                child=$(pgrep -P $process)
                kill -$signal $process
                wait $process || status=$?
                kill $child 2>/dev/null || true
                [[ ! -e $folder ]] || fail "$signal: left $(ls -A "$folder")"
                [[ -z $(ls ./*.partial-* 2>/dev/null) ]] || fail "$signal: left $(ls)"
                ((status == 128 + $(kill -l $signal))) || fail "$signal: status $status"
            }
            for signal in INT TERM HUP; do
                interrupted $signal disk import image.qcow2 new.footing
                interrupted $signal disk export disk.footing new.qcow2
            done
            [[ ! -e new.footing && ! -e new.qcow2 ]] || fail "made: $(ls)"
            "$footing" disk check disk.footing >/dev/null
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
            scrub() { "$footing" status disk.footing --json | grep -A40 '"scrub"' >out; }
            # What was stopped waits to be asked.
            serve
            scrub
            grep -q '"running": false' out || fail "goes on: $(cat out)"
            grep -q '"stopped": true' out || fail "forgot that: $(cat out)"
            "$footing" disk scrub disk.footing --rate 3M >/dev/null
            stop
            # What only its server's end interrupted goes on, as fast as before.
            serve
            scrub
            grep -q '"running": true' out || fail "does not go on: $(cat out)"
            grep -q '"bytesPerSecond": 3145728' out || fail "another rate: $(cat out)"
            # The rest of it.
            "$footing" disk scrub disk.footing --rate 1G --wait >out
            stop
            # A block in the midst of the data.
            LC_ALL=C grep -abo -m1 -P '\\x07{4096}' disk.footing >places || fail 'no such block'
            at=$(head -n 1 places | cut -d: -f1)
            printf 'X' | dd of=disk.footing bs=1 seek=$((at + 20480)) conv=notrunc status=none
            serve
            expect 1 'does not have the checksum' \
                "$footing" disk scrub disk.footing --rate 1G --wait
            damaged() {
                # A busy machine takes its time.
                for _ in $(seq 100); do
                    "$footing" status disk.footing | grep -q "^scrub .*$1" && return
                    sleep 0.1
                done
                fail "$1: status"
            }
            damaged DAMAGED
            "$footing" status disk.footing --openmetrics >metrics
            grep '^footing_scrub_damaged_blocks{' metrics | grep -q '} [1-9]' || fail metrics
            # It is still known after a restart, and while another pass has found nothing yet.
            stop
            serve
            damaged '1 DAMAGED'
            scrub
            grep -q 'does not have the checksum' out || fail "forgotten: $(cat out)"
            "$footing" disk scrub disk.footing --rate 64K >/dev/null
            sleep 0.3
            damaged 'DAMAGED BLOCKS in the pass before'
            kill_server
            serve
            damaged DAMAGED
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }
}
