import Testing

/// Unmodified clients against `footing serve`.
@Suite(.enabled(if: ReleasedProgram.exists, "bin/footing is missing: run 'make release'"))
struct ClientTests {
    @Test(.enabled(if: Script.has(.nbdinfo), "nbdinfo is missing: run 'make deps'"))
    func `nbdinfo is told what the server can do`() throws {
        let result = try Script.run(
            """
            create 100M
            serve
            [[ $(nbdinfo --size "$uri") == 104857600 ]] || fail size
            nbdinfo "$uri" >facts
            for fact in 'export="disk.footing"' 'is_read_only: false' 'can_cache: true' \\
                'can_df: true' 'can_fast_zero: true' 'can_flush: true' 'can_fua: true' \\
                'can_multi_conn: true' 'can_trim: true' 'can_zero: true' \\
                'block_size_minimum: 512' 'block_size_preferred: 4096' 'base:allocation'; do
                grep -qF "$fact" facts || fail "$fact: $(cat facts)"
            done
            nbdinfo --list "$uri" | grep -qF 'export="disk.footing"' || fail list
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.has(.nbdcopy), "nbdcopy is missing: run 'make deps'"))
    func `nbdcopy gets out what it put in, over several connections, after a kill`() throws {
        let result = try Script.run(
            """
            head -c 60M /dev/urandom >source
            truncate -s 64M source
            create 64M
            serve
            nbdcopy --flush --connections=4 source "$uri"
            nbdcopy --connections=4 "$uri" before
            kill_server
            serve
            nbdcopy "$uri" after
            cmp source before && cmp source after
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.has(.nbdsh), "nbdsh is missing: run 'make deps'"))
    func `nbdsh writes, with and without FUA, down to 512 bytes`() throws {
        let result = try Script.run(
            """
            create 16M
            serve
            nbdsh -u "$uri" -c 'h.pwrite(b"a" * 512, 512)' \\
                -c 'h.pwrite(b"b" * 1024, 3584, nbd.CMD_FLAG_FUA)' \\
                -c 'assert h.pread(512, 512) == b"a" * 512' -c 'h.flush()'
            kill_server
            serve
            nbdsh -u "$uri" -c 'assert h.pread(1024, 0) == bytes(512) + b"a" * 512' \\
                -c 'assert h.pread(2048, 3072) == bytes(512) + b"b" * 1024 + bytes(512)'
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.hasLibnbd, "python3-libnbd is missing: run 'make deps'"))
    func `every command and flag does what the protocol says, through libnbd`() throws {
        let result = try Script.run(
            """
            create 64M
            serve
            python3 "$clients/protocol.py" "$uri"
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.has(.qemuIO), "qemu-io is missing: run 'make deps'"))
    func `qemu-io finds its patterns in single sectors`() throws {
        let result = try Script.run(
            """
            create 16M
            serve
            qemu-io -f raw "$uri" -c 'write -P 1 0 64k' -c 'write -P 2 512 512' \\
                -c 'write -f -P 3 1536 1024' -c 'write -z 4608 512' -c 'discard 8k 8k' -c flush
            qemu-io -f raw "$uri" -c 'read -P 1 0 512' -c 'read -P 2 512 512' \\
                -c 'read -P 1 1k 512' -c 'read -P 3 1536 1k' -c 'read -P 1 2560 2k' \\
                -c 'read -P 0 4608 512' -c 'read -P 1 5k 3k' -c 'read -P 0 8k 8k' \\
                -c 'read -P 1 16k 48k' | tee patterns
            ! grep -i -e failed -e error patterns || fail "$(cat patterns)"
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.has(.qemuImage), "qemu-img is missing: run 'make deps'"))
    func `qemu-img converts in both directions, compares, and sees the holes`() throws {
        let result = try Script.run(
            """
            truncate -s 48M source
            dd if=/dev/urandom of=source bs=1M seek=3 count=5 conv=notrunc status=none
            dd if=/dev/urandom of=source bs=1M seek=40 count=8 conv=notrunc status=none
            qemu-img convert -f raw -O qcow2 -c source source.qcow2
            create 48M
            serve
            qemu-img convert -n -t writeback -f qcow2 -O raw source.qcow2 "$uri"
            qemu-img compare -f raw -F raw source "$uri"
            qemu-img map -f raw --output=json "$uri" >map
            cat map
            (($(grep -c '"data": true' map) == 2)) || fail "not two runs of data"
            qemu-img convert -f raw -O qcow2 "$uri" back.qcow2
            qemu-img compare -f qcow2 -F raw back.qcow2 source
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(
        .enabled(
            if: Script.has(.makeFileSystem, .checkFileSystem, .nbdcopy),
            "mkfs.ext4, e2fsck or nbdcopy is missing: run 'make deps'"
        )
    )
    func `an ext4 file system is whole after a kill`() throws {
        let result = try Script.run(
            """
            mkdir tree
            cp -r "$clients" tree
            truncate -s 32M source
            mkfs.ext4 -q -E nodiscard -d tree source
            create 32M
            serve
            nbdcopy --flush source "$uri"
            kill_server
            serve
            nbdcopy "$uri" back
            e2fsck -fn back
            cmp source back
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(
        .enabled(if: Script.has(.fio), "fio is missing: run 'make deps'"),
        arguments: [
            "--rw=randwrite --bs=4k --size=64m --fsync=32",
            "--rw=randwrite --bsrange=512-64k --blockalign=512 --size=24m",
            "--rw=write --bs=1m --iodepth=4 --size=96m",
            "--rw=randtrimwrite --bs=4k --size=32m --trim_verify_zero=1",
        ],
        [
            "", "--compression auto", "--encrypt --key-file key",
            "--compression lz4 --encrypt --key-file key",
        ]
    )
    func `fio finds every checksum it wrote`(options: String, disk: String) throws {
        let key = disk.contains("--encrypt") ? "--key-file key" : ""
        let result = try Script.run(
            """
            (umask 077; head -c 64 /dev/urandom >key)
            create 96M \(disk)
            serve --socket="$socket" \(key)
            fio --name=test --ioengine=nbd --uri="$uri" --iodepth=16 \(options) \\
                --buffer_compress_percentage=50 --buffer_compress_chunk=4k \\
                --verify=crc32c --verify_fatal=1 --do_verify=1 --minimal
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.has(.fio), "fio is missing: run 'make deps'"))
    func `long reads whose data is partly in memory come in order`() throws {
        let result = try Script.run(
            """
            create 256M
            serve
            job="--name=test --ioengine=nbd --uri=$uri --bs=1m --iodepth=4 --size=256m"
            job+=" --verify=crc32c --minimal"
            fio $job --rw=write --do_verify=0 --end_fsync=1
            for round in 1 2 3; do
                fio $job --rw=read --verify=0 --time_based --runtime=1
                # Its pages leave the cache as the container is written past it.
                fio $job --rw=write --do_verify=0
            done
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }
}
