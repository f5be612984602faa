import FootingSystem
import Glibc
import Testing

/// A disk that serves while its guest's memory is taken, limited, or small to begin with.
@Suite(.needsMemoryTools, .serialized)
struct SqueezeGuestTests {
    private static let filledMebibytes = 192

    private static func filled(balloon: String) throws -> SqueezedGuest {
        let squeezed = try SqueezedGuest(memoryMebibytes: 512, balloon: balloon)
        try squeezed.serve("--memory 256M")
        try squeezed.load("scan \(filledMebibytes)")
        return squeezed
    }

    @Test(arguments: ["deflate-on-oom=off", "deflate-on-oom=on"])
    func `a disk under load shrinks with the balloon, and grows again`(balloon: String) throws {
        let squeezed = try Self.filled(balloon: "free-page-reporting=on,\(balloon)")
        let full = try squeezed.serverMebibytes()
        // Longer than everything below may take, which ends it.
        try squeezed.startLoad("mix \(Self.filledMebibytes) 900")
        let start = try squeezed.loadProgress(atLeast: 4)
        let begin = try squeezed.loadProgress(atLeast: start.quarters + 12)
        let taken = try squeezed.resize(toMebibytes: 288, limitSeconds: 40)
        #expect(taken.mebibytes == 288)
        let end = try squeezed.loadProgress(atLeast: begin.quarters + 12)
        let small = try squeezed.serverMebibytes(limitSeconds: 20) { $0 < full - 40 }
        #expect(small < full - 40, "\(small) of \(full) MiB")
        let given = try squeezed.resize(toMebibytes: 512, limitSeconds: 40)
        #expect(given.mebibytes == 512)
        // It grows after ten quiet seconds at the earliest.
        let again = try squeezed.serverMebibytes(limitSeconds: 75) { $0 > small + 20 }
        #expect(again > small + 20, "\(again) of \(small) MiB")
        try squeezed.stopLoad()
        let load = try squeezed.endedLoad(limitSeconds: 30)
        #expect(load.errors == 0)
        #expect(try squeezed.kills() == [])
        let before = try load.rate(start, begin)
        let during = try load.rate(begin, end)
        print("\(balloon): \(before) and \(during) requests for a second of the emulator's")
        // It goes on; how fast is for the benchmark to say, not for a machine that others share.
        #expect(during * 10 > before, "\(before) and \(during) requests for a second")
    }

    @Test(arguments: [["memory.high": "64M"], ["memory.max": "64M"]])
    func `a control group of 64 MiB kills nobody`(limits: [String: String]) throws {
        let squeezed = try SqueezedGuest(memoryMebibytes: 512)
        try squeezed.serve(group: limits)
        // Three times the limit, so that what is kept of it would be far beyond.
        try squeezed.load("scan \(Self.filledMebibytes)")
        let load = try squeezed.load("mix \(FilledContainer.filledMebibytes) 6")
        #expect(load.errors == 0 && load.requests > 0)
        #expect(try squeezed.isServing())
        #expect(try squeezed.kills() == [])
        let events = try squeezed.guest.shell("busybox cat /sys/fs/cgroup/disk/memory.events")
        #expect(events.contains("oom_kill 0"), "\(events)")
    }

    @Test(.enabled(if: FioImage.isPossible, "fio, mke2fs or ldd is missing: run 'make deps'"))
    func `128 MiB are enough to serve 64 GiB to fio`() throws {
        let squeezed = try SqueezedGuest(memoryMebibytes: 128, other: FioImage.path())
        try squeezed.serve()
        // fio's libraries ask for more than there is, and touch little of it.
        let output = try squeezed.guest.shell(
            """
            echo 1 >/proc/sys/vm/overcommit_memory; busybox mkdir /mnt; \
            busybox mount -t ext4 -o ro /dev/vdb /mnt; \
            /mnt/loader --library-path /mnt /mnt/fio --name=load --ioengine=nbd \
            --uri='nbd+unix:///?socket=\(SqueezedGuest.socket)' --rw=randrw --bs=4k --iodepth=8 \
            --size=64g --fsync=64 --time_based --runtime=5 --thread \
            --output-format=json 2>&1
            """,
            limitSeconds: 90
        )
        guard let start = output.firstIndex(of: "{") else { throw GuestError("fio: \(output)") }
        let job = try JSONValue(String(output[start...]))["jobs"]?.array.first
        #expect(job?["error"] == 0)
        #expect(try #require(job?["read"]?["total_ios"]?.integer) > 100)
        #expect(try #require(job?["write"]?["total_ios"]?.integer) > 100)
        #expect(try squeezed.isServing())
        #expect(try squeezed.kills() == [])
    }
}
