import Testing

/// What nbdkit adds to a disk: encryption, passwords, filters.
@Suite(
    .disabled(
        if: NBDKit.isMissing,
        "bin/nbdkit-footing-plugin.so or nbdkit is missing: run 'make plugin' and 'make deps'"
    )
)
struct NBDKitComplementTests {
    @Test(.enabled(if: Script.has(.nbdcopy, .nbdinfo), "nbdcopy is missing: run 'make deps'"))
    func `TLS with a shared key: who has it copies, who has not is refused`() throws {
        let result = try NBDKit.run(
            """
            head -c 8M /dev/urandom >source
            create 8M
            key() { echo "$1:$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \\n')"; }
            key alice >keys
            key alice >wrong
            launch --tls=require --tls-psk="$PWD/keys" "$plugin" disk.footing
            tls="nbds+unix://alice@/?socket=$socket&tls-psk-file=$PWD"
            nbdcopy --flush --connections=4 source "$tls/keys"
            nbdcopy "$tls/keys" back
            cmp source back
            nbdinfo "$tls/keys" | grep -q 'with TLS' || fail "not encrypted"
            ! nbdinfo --size "$uri" 2>plain.err || fail "served without TLS"
            ! nbdinfo --size "$tls/wrong" 2>wrong.err || fail "served with a wrong key"
            end
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(
        .enabled(if: Script.hasLibnbd, "python3-libnbd is missing: run 'make deps'"),
        .enabled(if: Script.has(.openSSL), "openssl is missing: run 'make deps'")
    )
    func `TLS with certificates, of the server and of the client`() throws {
        let result = try NBDKit.run(
            """
            create 8M
            request() {
                openssl req -newkey rsa:2048 -nodes -keyout "$1-key.pem" -out "$1.csr" \\
                    -subj "/CN=localhost" 2>/dev/null
                printf 'subjectAltName=DNS:localhost\\n' >names
                openssl x509 -req -in "$1.csr" -CA ca-cert.pem -CAkey ca-key.pem -days 2 \\
                    -CAcreateserial -extfile names -out "$1-cert.pem" 2>/dev/null
            }
            mkdir pki foreign
            for folder in foreign pki; do
                cd "$folder"
                openssl req -x509 -newkey rsa:2048 -nodes -keyout ca-key.pem -out ca-cert.pem \\
                    -days 2 -subj /CN=test -addext basicConstraints=critical,CA:TRUE 2>/dev/null
                request server
                request client
                cd ..
            done
            launch --tls=require --tls-certificates="$PWD/pki" --tls-verify-peer \\
                "$plugin" disk.footing
            cat >client.py <<'END'
            import nbd, sys
            h = nbd.NBD()
            h.set_tls(nbd.TLS_REQUIRE)
            h.set_tls_certificates(sys.argv[2])
            h.connect_unix(sys.argv[1])
            assert h.get_tls_negotiated()
            h.pwrite(b"s" * 4096, 4096, nbd.CMD_FLAG_FUA)
            assert h.pread(8192, 0) == bytes(4096) + b"s" * 4096
            END
            python3 client.py "$socket" "$PWD/pki"
            ! python3 client.py "$socket" "$PWD/foreign" 2>foreign.err || fail "a foreign client"
            end
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.has(.nbdsh), "nbdsh is missing: run 'make deps'"))
    func `a part of a disk, byte by byte, behind the filters offset and blocksize`() throws {
        let result = try NBDKit.run(
            """
            create 16M
            launch --filter=blocksize --filter=offset "$plugin" disk.footing \\
                offset=1M range=2M minblock=4096
            nbdsh -u "$uri" -c 'assert h.get_size() == 2 << 20' \\
                -c 'h.pwrite(b"abc", 12345)' -c 'h.flush()' -c 'assert h.pread(3, 12345) == b"abc"'
            kill_server
            launch "$plugin" disk.footing
            nbdsh -u "$uri" -c 'data = h.pread(3 << 20, 0)' \\
                -c 'assert data[(1 << 20) + 12345:][:3] == b"abc"' \\
                -c 'assert data.count(0) == len(data) - 3'
            end
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.has(.nbdcopy), "nbdcopy is missing: run 'make deps'"))
    func `the filters readahead, delay and cow leave the bytes as they are`() throws {
        let result = try NBDKit.run(
            """
            head -c 16M /dev/urandom >source
            create 16M
            launch --filter=readahead --filter=delay "$plugin" disk.footing \\
                delay-read=2ms delay-write=2ms
            nbdcopy --flush source "$uri"
            nbdcopy "$uri" back
            cmp source back
            end
            launch --filter=cow "$plugin" disk.footing
            nbdsh -u "$uri" -c 'h.pwrite(b"x" * 65536, 0)' -c 'h.flush()' \\
                -c 'assert h.pread(65536, 0) == b"x" * 65536'
            end
            launch "$plugin" disk.footing
            nbdcopy "$uri" back
            cmp source back
            end
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(.enabled(if: Script.has(.nbdsh), "nbdsh is missing: run 'make deps'"))
    func `errors of the filter error reach the client, and the disk stays whole`() throws {
        let result = try NBDKit.run(
            """
            create 16M
            touch inject
            launch --filter=error "$plugin" disk.footing \\
                error=ENOSPC error-rate=100% error-pread-rate=0% error-file="$PWD/inject"
            nbdsh -u "$uri" -c '
            try:
                h.pwrite(b"x" * 4096, 0)
                raise SystemExit("written")
            except nbd.Error as error:
                assert error.errno == "ENOSPC", error
            assert h.pread(4096, 0) == bytes(4096)'
            rm inject
            nbdsh -u "$uri" -c 'h.pwrite(b"y" * 4096, 0)' -c 'h.flush()'
            kill_server
            launch "$plugin" disk.footing
            nbdsh -u "$uri" -c 'assert h.pread(4096, 0) == b"y" * 4096'
            end
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }
}
