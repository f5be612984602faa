import FootingSystem
import Testing

/// What durable writes cost a host below Footing, on a disk that was prepared wholly, and below a
/// real server that keeps the same disk in a plain file: nbdkit.
@Suite(
    .needs(.emulator),
    .needs(.shell),
    .needs(.program),
    .needs(.initialProcess),
    .needs(.durable),
    .needs(.cloudKernel),
    .needsNBDKit,
    .enabled(if: HostedGuest.isPossible, "a tool that makes file systems is missing: 'make deps'")
)
struct HostedPeerGuestTests {
    /// One writer, then sixteen.
    private static let series = [(1, 1000, 16), (16, 2000, 16)]

    /// Commits for each 1,000 writes, and bytes for each byte, of each series.
    private static func rates(_ costs: [HostedGuest.Cost]) -> [(commits: Double, bytes: Double)] {
        zip(costs, series).map { cost, one in
            (Double(cost.commits) * 1000 / Double(one.1), Double(cost.bytes) / Double(one.1 * 4096))
        }
    }

    @Test func `a prepared disk costs the host's journal a twentieth of what nbdkit does`() throws {
        let hosted = try HostedGuest(["ordered"], files: SharedProgram.nbdkit.files)
        let guest = hosted.guest
        let container = "/m/ordered/d.footing"
        try guest.shell(
            """
            footing disk create \(container) --size 64M --segment 4M --snapshot-reserve 0 \
            --prepare all
            """
        )
        let serve = "footing serve \(container) --socket /tmp/serve.sock"
        let prepared = Self.rates(try hosted.costs("ordered", serve, Self.series))
        try guest.shell("footing disk check \(container) >/dev/null; busybox rm \(container)")

        try guest.shell("busybox truncate -s 64M /m/ordered/peer")
        let program = try #require(SharedProgram.nbdkit.files.first)
        // It ends with the shell that started it, so that one stays; and it tells its own number.
        let nbdkit = """
            ( \(program) --foreground --pidfile /tmp/serve.pid --unix /tmp/serve.sock \
            file /m/ordered/peer; echo ended )
            """
        let peer = Self.rates(try hosted.costs("ordered", nbdkit, Self.series))
        // The same file again, whose blocks are there by now.
        let again = Self.rates(try hosted.costs("ordered", nbdkit, Self.series))
        for (index, writers) in ["1 writer", "16 writers"].enumerated() {
            print(
                """
                \(writers), commits per 1,000 durable writes: \(prepared[index].commits) prepared, \
                \(peer[index].commits) nbdkit, \(again[index].commits) nbdkit on a written file
                \(writers), bytes per byte: \(prepared[index].bytes) prepared, \
                \(peer[index].bytes) nbdkit, \(again[index].bytes) nbdkit on a written file
                """
            )
            #expect(prepared[index].commits <= 0.05 * peer[index].commits)
        }
        #expect(prepared[1].bytes <= 1.3)
    }
}
