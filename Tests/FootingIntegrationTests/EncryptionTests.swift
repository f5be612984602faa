import Testing

/// Encrypted disks of the released program.
@Suite(.enabled(if: ReleasedProgram.exists, "bin/footing is missing: run 'make release'"))
struct EncryptionTests {
    @Test func `a wrong key, or none, is refused and changes nothing`() throws {
        let result = try Script.run(
            """
            umask 077
            head -c 64 /dev/urandom >key
            head -c 64 /dev/urandom >other
            printf 'a passphrase\\n' >word
            create 16M --encrypt --key-file key
            "$footing" disk info disk.footing | grep -q 'AES-256-GCM, key slots: 0 key file' \\
                || fail info
            sha256sum disk.footing >before
            for command in "serve disk.footing --socket $socket" 'disk check disk.footing' \\
                'disk set disk.footing --compression lz4' 'disk snapshot create disk.footing a' \\
                'disk snapshot list disk.footing' 'disk clone disk.footing@a b' \\
                'disk resize disk.footing --size 32M' 'disk compact disk.footing' \\
                'disk export disk.footing x.raw' 'disk key remove disk.footing --slot 0'; do
                expect 1 'wrong key' "$footing" $command --key-file other
                expect 1 'wrong key' "$footing" $command --passphrase-file word
                expect 1 '--key-file' setsid "$footing" $command
            done
            sha256sum --check --quiet before || fail 'something was written'
            expect 1 '32 at least' "$footing" disk check disk.footing --key-file word
            head -c 1048577 /dev/zero >large
            expect 1 'File too large' "$footing" disk check disk.footing --key-file large
            for mode in 644 604 602 666; do
                chmod $mode key word
                expect 1 "it (mode $mode)" "$footing" disk check disk.footing --key-file key
                expect 1 "it (mode $mode)" "$footing" disk check disk.footing \\
                    --passphrase-file word
                # What is no file has no mode that counts.
                "$footing" disk check disk.footing --key-file <(cat key) >check.log
            done
            chmod 440 key word
            expect 64 'exclude each other' "$footing" disk check disk.footing --key-file key \\
                --passphrase-file word
            "$footing" disk create plain.footing --size 16M >plain.log
            expect 1 'not encrypted' "$footing" disk check plain.footing --key-file key
            expect 64 'only with --encrypt' "$footing" disk create x --size 16M --key-file key
            expect 64 'only with --encrypt' "$footing" disk import key x --format raw --key-file key
            [[ ! -e x && ! -e x.raw ]] || fail 'something was made'
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `a disk that is not encrypted is refused where one that is was meant`() throws {
        let result = try Script.run(
            """
            umask 077
            head -c 64 /dev/urandom >key
            printf 'a passphrase' >word
            create 16M
            for option in '--key-file key' '--passphrase-file word' --require-encryption; do
                expect 1 'the disk is not encrypted' "$footing" serve disk.footing \
                    --socket "$socket" $option
                expect 1 'somebody has replaced it' "$footing" serve disk.footing \
                    --socket "$socket" $option
            done
            # Whoever serves it needs no key, and is not asked to do without.
            serve --socket="$socket"
            grep -q '^disk .*, not encrypted$' serve.log || fail "$(cat serve.log)"
            for command in 'snapshot create disk.footing a' 'snapshot list disk.footing' \
                'set disk.footing --compression lz4' 'resize disk.footing --size 32M' \
                'compact disk.footing'; do
                expect 1 'the disk is not encrypted' "$footing" disk $command --key-file key
            done
            stop
            rm disk.footing
            create 16M --encrypt --key-file key
            expect 1 'the disk is encrypted' setsid "$footing" serve disk.footing \
                --socket "$socket" --require-encryption
            serve --socket="$socket" --key-file key --require-encryption
            "$footing" disk snapshot create disk.footing a --key-file key
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `keys that cannot be locked are told of at the start and by the status`() throws {
        let result = try Script.run(
            """
            umask 077
            head -c 64 /dev/urandom >key
            create 16M --encrypt --key-file key
            # Root may lock whatever it likes, but for this.
            if ((UID == 0)); then
                bare() { setpriv --bounding-set=-ipc_lock "$@"; }
            else
                bare() { "$@"; }
            fi
            (ulimit -l 0; bare "$footing" serve disk.footing --socket "$socket" --key-file key \
                >serve.log 2>serve.err) &
            server=$!
            until grep -qs '^ready' serve.log; do
                kill -0 "$server" 2>/dev/null || fail "the server ended: $(cat serve.err)"
                sleep 0.01
            done
            (($(grep -c 'cannot be locked' serve.err) == 1)) || fail "$(cat serve.err)"
            "$footing" status disk.footing | grep -q 'AES-256-GCM; its keys may be swapped out' \
                || fail "$("$footing" status disk.footing)"
            process=$("$footing" status disk.footing --json | sed -n 's/.*"processId" *: *//p')
            kill -KILL "${process%,}"
            wait "$server" 2>/dev/null || true
            server=
            serve --socket="$socket" --key-file key
            "$footing" status disk.footing --json | grep -q '"keyLockFailure" *: *null' \
                || fail "$("$footing" status disk.footing --json)"
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `a passphrase for which there is no memory says how much it takes`() throws {
        let result = try Script.run(
            """
            umask 077
            printf 'a passphrase' >word
            create 16M --encrypt --passphrase-file word
            "$footing" disk check disk.footing --passphrase-file word >check.log
            # Of addresses, as a control group would end the program instead.
            ulimit -v 140000
            expect 1 'takes 128 MiB of memory' "$footing" disk check disk.footing \
                --passphrase-file word
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `slots are listed, added, rotated and removed`() throws {
        let result = try Script.run(
            """
            umask 077
            head -c 64 /dev/urandom >key
            printf 'one\\n' >one
            printf 'two' >two
            create 16M --encrypt --key-file key
            key() { "$footing" disk key "$1" disk.footing "${@:2}"; }
            key add --key-file key --new-passphrase-file one --label 'in the safe' \\
                | grep -q '^slot 1' || fail add
            key list | grep -q 'passphrase .* in the safe$' || fail "$(key list)"
            key rotate --slot 1 --key-file key --new-passphrase-file two
            key list --json | grep -q '"in the safe"' || fail 'the label is lost'
            expect 1 'wrong key' "$footing" disk check disk.footing --passphrase-file one
            "$footing" disk check disk.footing --passphrase-file two >check.log
            key remove --slot 0 --passphrase-file two
            expect 1 'wrong key' "$footing" disk check disk.footing --key-file key
            expect 1 'the last key slot' "$footing" disk key remove disk.footing --slot 1 \\
                --passphrase-file two
            expect 1 'slot 0 is not in use' "$footing" disk key remove disk.footing --slot 0 \\
                --passphrase-file two
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(
        .enabled(if: Script.has(.nbdcopy, .qemuIO), "libnbd or qemu-io is missing: run 'make deps'")
    )
    func `what clients write is theirs again, and not in the container`() throws {
        let result = try Script.run(
            """
            umask 077
            head -c 64 /dev/urandom >key
            create 32M --encrypt --compression lz4 --key-file key
            # Its end is that of 'head'.
            { yes 'a secret that is easy to find' || true; } | head -c 12M >old
            head -c 4M /dev/urandom >>old
            serve --socket="$socket" --key-file key
            grep -q '^disk .*, encrypted: AES-256-GCM$' serve.log || fail "$(cat serve.log)"
            "$footing" status disk.footing --json | grep -q '"encryption" *: *"AES-256-GCM"' \\
                || fail "$("$footing" status disk.footing --json)"
            "$footing" status disk.footing | grep -q '^encryption *AES-256-GCM$' \\
                || fail "$("$footing" status disk.footing)"
            "$footing" disk info disk.footing --json | grep -q '"encrypted" *: *true' \\
                || fail "$("$footing" disk info disk.footing --json)"
            nbdcopy --flush old "$uri"
            "$footing" disk snapshot create disk.footing 'a telling name'
            qemu-io -f raw "$uri" -c 'write -P 7 0 1M' -c flush >qemu.log
            kill_server
            ! grep -qaF 'easy to find' disk.footing || fail 'it is in the container'
            ! grep -qaF 'a telling name' disk.footing || fail 'the name is in the container'
            serve --socket="$socket" --key-file key
            qemu-io -f raw "$uri" -c 'read -P 7 0 1M' | tee qemu.log
            ! grep -i -e failed -e error qemu.log || fail "$(cat qemu.log)"
            nbdcopy "nbd+unix:///disk.footing@a%20telling%20name?socket=$socket" new
            cmp --bytes=16777216 new old || fail 'other bytes'
            expect 1 '' "$footing" disk key add disk.footing --key-file key --new-key-file old
            "$footing" disk clone 'disk.footing@a telling name' copy.footing --encrypt \\
                --key-file key
            stop
            "$footing" disk check disk.footing --key-file key >check.log
            "$footing" disk check copy.footing --key-file key >check.log
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `an encrypted disk is imported, resized, compacted, scrubbed and exported`() throws {
        let result = try Script.run(
            """
            umask 077
            head -c 64 /dev/urandom >key
            head -c 3M /dev/urandom >image
            truncate --size 16M image
            "$footing" disk import image disk.footing --format raw --encrypt --key-file key >out
            "$footing" disk info disk.footing | grep -q 'AES-256-GCM' || fail 'not encrypted'
            "$footing" disk resize disk.footing --size 200M --key-file key >out
            "$footing" disk compact disk.footing --key-file key >out
            "$footing" disk snapshot create disk.footing a --key-file key
            "$footing" disk export disk.footing now.raw --key-file key >out
            cmp --bytes=16777216 image now.raw || fail 'other bytes'
            # Who serves the disk has its key.
            serve --socket="$socket" --key-file key
            "$footing" disk resize disk.footing --size 1G >out
            "$footing" disk compact disk.footing >out
            "$footing" disk scrub disk.footing --wait --rate 1G | grep -q 'nothing damaged' \\
                || fail scrub
            "$footing" disk export disk.footing@a before.raw --key-file key >out
            cmp now.raw before.raw || fail 'another snapshot'
            stop
            "$footing" disk resize disk.footing --size 16M --key-file key >out
            "$footing" disk check disk.footing --key-file key >check.log
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(
        .disabled(if: NBDKit.isMissing, "the plugin or nbdkit is missing: run 'make plugin'"),
        .enabled(if: Script.has(.qemuIO), "qemu-io is missing: run 'make deps'")
    )
    func `nbdkit serves an encrypted disk with its key`() throws {
        let result = try NBDKit.run(
            """
            umask 077
            head -c 64 /dev/urandom >key
            create 16M --encrypt --key-file key
            ! nbdkit --foreground --unix="$socket" "$plugin" disk.footing >log 2>&1 || fail key
            grep -q 'the disk is encrypted' log || fail "$(cat log)"
            "$footing" disk create plain.footing --size 16M >plain.log
            for option in key-file=key require-encryption=true; do
                ! nbdkit --foreground --unix="$socket" "$plugin" plain.footing $option \
                    >log 2>&1 || fail "served with $option"
                grep -q 'the disk is not encrypted' log || fail "$(cat log)"
            done
            launch "$plugin" disk.footing key-file=key
            qemu-io -f raw "$uri" -c 'write -P 9 0 64k' -c flush -c 'read -P 9 0 64k' | tee log
            ! grep -i -e failed -e error log || fail "$(cat log)"
            kill -TERM "$server"
            wait "$server" || fail "nbdkit's status was $?"
            server=
            "$footing" disk check disk.footing --key-file key | grep -q 'closed cleanly' \\
                || fail closed
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }
}
