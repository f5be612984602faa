import Testing

/// `footing status`: what a running disk answers, and what is said where none does.
@Suite(.enabled(if: ReleasedProgram.exists, "bin/footing is missing: run 'make release'"))
struct StatusTests {
    @Test(.enabled(if: Script.has(.qemuIO), "qemu-utils is missing: run 'make deps'"))
    func `a running disk tells what clients did, by every path that leads to it`() throws {
        let result = try Script.run(
            """
            create 16M
            serve --memory 64M "--socket=$socket"
            qemu-io -f raw -c 'write 0 64k' -c 'read 0 64k' "$uri" >/dev/null
            ln -s disk.footing link
            "$footing" status link --json >status.json
            python3 - "$server" <<'END'
            import json, sys
            disk, = json.load(open("status.json"))["disks"]
            assert disk["schema"] == "footing.status/1", disk
            assert disk["processId"] == int(sys.argv[1]), disk
            assert disk["sizeBytes"] == 16 << 20, disk
            assert disk["clients"]["writtenBytes"] == 65536, disk
            assert disk["clients"]["readBytes"] >= 65536, disk
            assert disk["disk"]["blocksWritten"] == 16, disk
            memory = disk["memory"]
            assert memory["budgetBytes"] == 64 << 20, memory
            assert memory["floorBytes"] <= memory["budgetBytes"], memory
            assert 0 < memory["usedBytes"] <= memory["budgetBytes"], memory
            pressure = disk["pressure"]
            assert pressure["running"] and pressure["sources"], pressure
            assert pressure["budget"]["maximumBytes"] == 64 << 20, pressure
            END
            "$footing" status | grep -q '^disk *disk.footing, 16 MiB' || fail "$("$footing" status)"
            stop
            [[ $("$footing" status) == 'No disk is served by this user.' ]] || fail "still there"
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `a killed server's socket is nobody's, and the next server's own`() throws {
        let result = try Script.run(
            """
            create 16M
            expect 1 'this user serves no such disk' "$footing" status disk.footing
            expect 1 'No such file' "$footing" status none.footing
            serve
            "$footing" status disk.footing >/dev/null
            kill_server
            ls control/*.sock >/dev/null || fail "nothing was left behind: no case of this"
            expect 1 "Start it with 'footing serve'" "$footing" status disk.footing
            [[ $("$footing" status) == 'No disk is served by this user.' ]] || fail "still there"
            serve
            "$footing" status disk.footing | grep -q "as process $server" || fail "not the new one"
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `a fixed budget is not watched`() throws {
        let result = try Script.run(
            """
            create 16M
            serve --fixed-memory "--socket=$socket"
            "$footing" status | grep -q '^pressure *not watched' || fail "$("$footing" status)"
            "$footing" status --json | grep -q '"pressure": null' || fail "it is watched"
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `a folder that is not the user's own is not used, and the disk is served`() throws {
        let result = try Script.run(
            """
            create 16M
            mkdir --mode=755 control
            serve
            grep -q "'footing status' will not find this disk" serve.err || fail "$(cat serve.err)"
            [[ -z $(ls control) ]] || fail "it was used all the same"
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }
}
