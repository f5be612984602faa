import Testing

/// How nbdkit starts with the plugin, becomes a daemon, refuses, and ends.
@Suite(
    .disabled(
        if: NBDKit.isMissing,
        "bin/nbdkit-footing-plugin.so or nbdkit is missing: run 'make plugin' and 'make deps'"
    )
)
struct NBDKitProcessTests {
    @Test func `the library shows one symbol, stays loaded, and needs no Swift`() throws {
        let result = try NBDKit.run(
            """
            [[ $(nm -D --defined-only "$plugin" | cut -d' ' -f3) == plugin_init ]] || fail symbols
            readelf -d "$plugin" | grep -q 'Flags:.*NODELETE' || fail "it can be unloaded"
            ldd "$plugin"
            ! ldd "$plugin" | grep -i -e swift -e 'not found' || fail libraries
            nbdkit --dump-plugin "$plugin" >facts
            version=$("$footing" --version)
            for fact in name=footing "version=$version" "footing_version=$version" \\
                'footing_parameters=disk readonly memory fixed-memory' thread_model=parallel \\
                magic_config_key=disk has_can_multi_conn=1 has_extents=1; do
                grep -q "^$fact" facts || fail "$fact: $(cat facts)"
            done
            nbdkit --help "$plugin" | grep -q '^disk=<path> .*container' || fail help
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.has(.nbdsh), "nbdsh is missing: run 'make deps'"))
    func `a daemon serves a relative path, and SIGTERM keeps what was written`() throws {
        let result = try NBDKit.run(
            """
            create 16M
            daemon "$plugin" disk.footing memory=32M fixed-memory=true
            [[ $(readlink "/proc/$server/cwd") == / ]] || fail "it has not moved"
            nbdsh -u "$uri" -c 'h.pwrite(b"kept" * 1024, 8192)' -c 'h.flush()' \\
                -c 'h.pwrite(b"last" * 1024, 65536)'
            kill -TERM "$server"
            gone
            is_closed
            daemon "$plugin" "disk=$PWD/disk.footing"
            nbdsh -u "$uri" -c 'assert h.pread(4096, 8192) == b"kept" * 1024' \\
                -c 'assert h.pread(4096, 65536) == b"last" * 1024'
            kill -TERM "$server"
            gone
            is_closed
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.has(.nbdcopy), "nbdcopy is missing: run 'make deps'"))
    func `a disk lives as long as the command of --run`() throws {
        let result = try NBDKit.run(
            """
            head -c 12M /dev/urandom >source
            truncate -s 16M source
            create 16M
            captive 'nbdcopy --flush source "$uri"' "$plugin" disk.footing
            is_closed
            captive 'nbdcopy "$uri" back' "$plugin" disk.footing
            cmp source back
            is_closed
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(arguments: [true, false])
    func `signals are left to nbdkit by the disk's threads`(isDaemon: Bool) throws {
        let result = try NBDKit.run(
            """
            create 16M
            \(isDaemon ? "daemon" : "launch") "$plugin" disk.footing
            # Each names itself when it begins to run.
            for _ in {1..100}; do
                count=$(grep -l footing- /proc/"$server"/task/*/comm | wc -l)
                ((count < 3)) || break
                sleep 0.05
            done
            count=0
            for task in /proc/"$server"/task/*; do
                grep -q footing- "$task/comm" || continue
                count=$((count + 1))
                # SIGTERM is bit 14.
                blocked=$((16#$(sed -n 's/^SigBlk:[^0-9a-f]*//p' "$task/status")))
                ((blocked & 1 << 14)) || fail "$(cat "$task/comm") takes SIGTERM"
            done
            ((count >= 3)) || fail "$count threads"
            kill -TERM "$server"
            \(isDaemon ? "gone" : "wait \"$server\"; server=")
            is_closed
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `a disk is served by one process at a time`() throws {
        let result = try NBDKit.run(
            """
            create 16M
            launch "$plugin" disk.footing
            expect 1 'another process serves or checks it' \\
                "$footing" serve disk.footing --socket other.sock
            expect 1 'another process serves or checks it' \\
                nbdkit --foreground --unix "$PWD/other.sock" "$plugin" disk.footing
            end
            daemon "$plugin" disk.footing
            # The lock has come with it.
            expect 1 'another process serves or checks it' \\
                nbdkit --unix "$PWD/other.sock" "$plugin" disk.footing
            kill -TERM "$server"
            gone
            serve
            expect 1 'another process serves or checks it' \\
                nbdkit --unix "$PWD/other.sock" "$plugin" disk.footing
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(arguments: [
        ("", "the parameter 'disk' is missing"),
        ("missing", "open missing: No such file or directory (ENOENT)"),
        ("foreign", "open foreign: not a Footing container"),
        ("folder", "open folder: Is a directory (EISDIR)"),
        ("disk=", "the value '' is invalid for 'disk': expected a path"),
        ("disk.footing memory=banana", "'memory': expected a size in bytes, such as 4096, 512M"),
        ("disk.footing memory=32M memory=64M", "the parameter 'memory' is given twice"),
        ("disk.footing memroy=32M", "unknown parameter 'memroy'. Did you mean 'memory'?"),
        ("disk.footing socket=x", "unknown parameter 'socket'"),
        ("disk.footing readonly=perhaps", "'readonly': expected true or false"),
    ])
    func `a mistake is named on the terminal, and nothing is changed`(
        words: String,
        text: String
    ) throws {
        let result = try NBDKit.run(
            """
            create 16M
            echo 'not a disk' >foreign
            mkdir folder
            text='\(text.replacing("'", with: #"'\''"#))'
            expect 1 "${text/open /open $PWD/}" \\
                timeout 10 nbdkit --unix "$PWD/other.sock" "$plugin" \(words)
            [[ $(cat foreign) == 'not a disk' && ! -e other.sock ]] || fail "changed"
            is_closed
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }
}
