import FootingSystem
import Glibc
import Testing

/// What the kernel says that a process has, under load.
@Suite struct BudgetTests {
    /// It is built with the tests, and lies beside them.
    private static let simulate: String = {
        guard let program = unsafe realpath("/proc/self/exe", nil) else { return "" }
        defer { unsafe free(program) }
        let folder = unsafe String(cString: program).split(
            separator: "/",
            omittingEmptySubsequences: false
        )
        return folder.dropLast().joined(separator: "/") + "/footing-simulate"
    }()
    private static let hasSimulate = unsafe access(simulate, X_OK) == 0

    /// Bytes free where the tests' folders are.
    private static let freeBytes: UInt64 = {
        let folder = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/var/tmp"
        var status = statvfs()
        guard unsafe statvfs(folder, &status) == 0 else { return 0 }
        return UInt64(status.f_bavail) * UInt64(status.f_frsize)
    }()

    @Test(.enabled(if: hasSimulate, "footing-simulate is missing: run 'make build'"))
    func `A budget that changes under load is kept`() throws {
        let result = try Script.run("'\(Self.simulate)' --memory .")
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.split(separator: "\n").count { $0.hasPrefix("budget") } == 8)
    }

    @Test(
        .enabled(if: ReleasedProgram.exists, "bin/footing is missing: run 'make release'"),
        .enabled(if: Script.has(.fio), "fio is missing: run 'make deps'"),
        .enabled(if: freeBytes >= 48 << 30, "less than 48 GiB are free: reserved as it grows")
    )
    func `A disk of 1 TiB is served within 64 MiB`() throws {
        let result = try Script.run(
            """
            create 1T
            serve --socket="$socket" --memory=32M
            grep -q '^memory *32 MiB' serve.log || fail "$(cat serve.log)"
            fio --name=load --ioengine=nbd --uri="$uri" --size=1T --rw=randrw --bs=4k \\
                --iodepth=16 --norandommap --time_based --runtime=8 >fio.log 2>&1 \\
                || fail "$(cat fio.log)"
            fio --name=load --ioengine=nbd --uri="$uri" --size=1T --rw=rw --bs=1M --iodepth=4 \\
                --time_based --runtime=4 >fio.log 2>&1 || fail "$(cat fio.log)"
            # Without the program's own pages, which the kernel keeps as it likes. What is in flight
            # counts: up to eight reads of 256 KiB, each twice, in the heaps of four arenas.
            field() { awk -v name="$1:" '$1 == name {print $2}' "/proc/$server/status"; }
            peak=$(($(field VmHWM) - $(field RssFile)))
            ((peak <= 64 << 10)) || fail "$peak KiB at most"
            # When nothing is in flight any more the budget holds for all there is.
            for ((try = 0; try < 150; try++)); do
                rest=$(field RssAnon)
                if ((rest <= 32 << 10)); then break; fi
                sleep 0.1
            done
            ((rest <= 32 << 10)) || fail "$rest KiB in the end"
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }
}
