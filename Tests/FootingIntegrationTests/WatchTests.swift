import Glibc
import Testing

/// `footing detect` on this machine: words with their statuses, and the watch.
@Suite(.enabled(if: ReleasedProgram.exists, "bin/footing is missing: run 'make release'"))
struct WatchTests {
    /// Whether a mount namespace of one's own can be had.
    private static let canMount =
        unsafe system("unshare --mount mount -t tmpfs none /mnt 2>/dev/null") == 0

    @Test(.enabled(if: canMount, "no mount namespace of one's own: run as root"))
    func `a mount under the path is one line, and SIGTERM ends the watch`() throws {
        let result = try Script.run(
            """
            mkdir place
            unshare --mount --propagation private bash -euc '
                "$1" detect --watch --json --path "$PWD/place" >watch.log 2>watch.err &
                watch=$!
                trap "kill -KILL $watch 2>/dev/null || true" EXIT
                for _ in {1..100}; do [[ -s watch.log ]] && break; sleep 0.05; done
                # Nothing that is not under the path counts.
                mkdir other; mount -t tmpfs none other
                sleep 0.6
                mount -t tmpfs none place
                for _ in {1..100}; do grep -q tmpfs watch.log && break; sleep 0.05; done
                kill -TERM $watch
                status=0; wait $watch || status=$?
                trap - EXIT
                exit $status
            ' - "$footing" || fail "the watch ended with $?: $(cat watch.err)"
            python3 - <<'END'
            import json
            lines = [json.loads(line) for line in open("watch.log")]
            assert lines[0]["schema"] == "footing.host/1", lines[0]
            changes = [c for line in lines[1:] for c in line["changes"]]
            assert all(line["schema"] == "footing.host-change/1" for line in lines[1:])
            kind = [c for c in changes if c["path"] == "path.fileSystem"]
            assert [c["after"] for c in kind] == ["tmpfs"], changes
            causes = [c["source"] for line in lines[1:] for c in line["causes"]]
            assert "mounts" in causes, causes
            END
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `a word has a status`() throws {
        let result = try Script.run(
            """
            mkdir -p bare/sys/class/dmi/id guest/sys/class/dmi/id
            echo 'Dell Inc.' >bare/sys/class/dmi/id/sys_vendor
            echo 'VMware, Inc.' >guest/sys/class/dmi/id/sys_vendor
            [[ $("$footing" detect --root guest --only hypervisor) == vmware ]] || fail guest
            status=0
            word=$("$footing" detect --root bare --only hypervisor 2>error) || status=$?
            [[ $word == none && $status == 1 && ! -s error ]] || fail "$word $status"
            expect 64 'exclude' "$footing" detect --explain --watch
            expect 64 'one word' "$footing" detect --only cloud --json
            expect 64 'need this machine' "$footing" detect --root bare --watch
            expect 64 'hypervisor, container' "$footing" detect --only nonsense
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }
}
