import FootingDeployment
import FootingSystem
import FootingTestSupport
import Glibc
import Testing

@testable import FootingTuning

/// Real measurements, short ones, in a folder of the test's own.
@Suite struct BenchTests {
    /// On a real disk, not in memory.
    private static func place() throws -> String {
        var template = Array("/var/tmp/footing-bench-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw Errno.current }
        return String(
            decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) },
            as: UTF8.self
        )
    }

    private func scratch(
        _ folder: String,
        sizeBytes: UInt64 = ScratchFile.sizeMinimumBytes,
        stop: () -> Bool = { false }
    ) throws -> ScratchFile {
        try ScratchFile(
            beside: folder,
            sizeBytes: sizeBytes,
            limitNanoseconds: 0,
            clock: SystemClock(),
            stop: stop
        ) { _ in }
    }

    @Test func `a measurement has every figure, and leaves nothing behind`() throws {
        let folder = try Self.place()
        defer { _ = unsafe rmdir(folder) }
        let shares = Locked<[Double]>([])
        let report = try Bench(
            root: try HostRoot(),
            path: folder + "/disk.footing",
            limits: .init(sizeBytes: 16 << 20, seconds: 1, rounds: 3),
            progress: { _, done in shares.withLock { $0.append(done) } }
        ).run()
        #expect(report.results.map(\.name) == Workload.all.map(\.name))
        for result in report.results {
            #expect(result.operations >= 3, "\(result.name)")
            #expect(!result.figures.isEmpty, "\(result.name)")
            for figure in result.figures { #expect(figure.values.count == 3, "\(result.name)") }
        }
        let random = try #require(report.results.first { $0.name == "random-read-depth-16" })
        let names = ["operations", "p50", "p90", "p99", "p99.9", "max"]
        #expect(random.figures.map(\.figure.name) == names)
        let times = random.figures.dropFirst().map { $0.values[0] }
        #expect(times == times.sorted())
        #expect(report.sizeBytes == 16 << 20)
        let schema = try JSONSchema(project: "docs/bench.schema.json")
        #expect(try schema.problems(report.json) == [])
        #expect(try BenchReport(report.json.bytes()).json == report.json)
        #expect(shares.withLock { $0.count } >= 3 * Workload.all.count)
        #expect(try HostRoot(path: folder).names("").isEmpty)
        // Nobody else removes it if this fails.
        #expect(unsafe rmdir(folder) == 0)
    }

    @Test func `the scratch file lies beside a file, not beside a link to it`() throws {
        let folder = HostRoot.real(try Self.place())
        let links = try TemporaryDirectory()
        defer {
            FileDescriptor.remove(folder + "/disk")
            _ = unsafe rmdir(folder)
        }
        _ = try FileDescriptor.open(folder + "/disk", [.readWrite, .create])
        try links.link("link", to: folder + "/disk")
        #expect(try ScratchFile.folder(links.path("link")) == folder)
        #expect(try ScratchFile.folder(links.path("new")) == links.path)
        #expect(try scratch(links.path("link")).folder == folder)
    }

    @Test func `Flushes are counted only where the kernel counts them`() throws {
        for (queues, count) in [(1, 16), (0, nil)] as [(Int, UInt64?)] {
            var disk = TuningTree.Disk.virtio()
            disk.queues = queues
            disk.attributes["stat"] = (1...17).map(String.init).joined(separator: " ")
            let tree = try TuningTree([disk])
            let root = try tree.root()
            let detection = Detection(root: root, path: "/disk.footing")
            #expect(PlaceFacts.flushCount(detection, root) == count)
        }
    }

    @Test(arguments: [true, false])
    func `requests side by side are all answered, by a ring and by threads`(
        _ usesRing: Bool
    ) throws {
        let folder = try Self.place()
        defer { _ = unsafe rmdir(folder) }
        let runner = WorkloadRunner(
            try scratch(folder),
            clock: SystemClock(),
            usesRing: usesRing,
            stop: { false }
        )
        #expect(usesRing || runner.ringRefusal != nil)
        for kind in [Workload.Kind.randomRead, .randomWrite, .sequentialRead] {
            let depth = kind == .sequentialRead ? 4 : 16
            let sample = try runner.run(Workload(kind, depth: depth), forNanoseconds: 50_000_000)
            #expect(sample.operations >= UInt64(depth))
            #expect(sample.elapsedNanoseconds >= 50_000_000)
            #expect(sample.latencies.maximum > 0)
        }
    }

    @Test func `what is written is what is read, and nothing beyond the file`() throws {
        let folder = try Self.place()
        defer { _ = unsafe rmdir(folder) }
        let file = try scratch(folder)
        let runner = WorkloadRunner(file, clock: SystemClock(), stop: { false })
        for workload in Workload.all { _ = try runner.run(workload, forNanoseconds: 5_000_000) }
        let status = try file.cached.status()
        #expect(status.sizeBytes == 16 << 20)
        // Written as a whole: no part of it is a hole.
        #expect(status.allocatedBytes >= 16 << 20)
        let block = try file.cached.read(4096, at: 1 << 20)
        #expect(Set(block).count > 100, "as good as random")
    }

    @Test func `it ends early if it is to stop`() throws {
        let folder = try Self.place()
        defer { _ = unsafe rmdir(folder) }
        let file = try scratch(folder)
        let clock = SystemClock()
        for usesRing in [true, false] {
            let runner = WorkloadRunner(file, clock: clock, usesRing: usesRing, stop: { true })
            let start = clock.nanoseconds
            for workload in Workload.all {
                _ = try runner.run(workload, forNanoseconds: 60_000_000_000)
            }
            #expect(clock.nanoseconds - start < 60_000_000_000)
        }
        #expect(throws: MeasureError.self) {
            try Bench(
                root: try HostRoot(),
                path: folder,
                limits: .init(sizeBytes: 16 << 20, seconds: 60, rounds: 3),
                stop: { true }
            ).run()
        }
    }

    @Test(
        arguments: [
            (16, 1000, 2000, true), (16, 32, 100, true), (16, 31, 100, false),
            (900, 1000, 2000, true),
            (901, 1000, 2000, false), (.max, 1000, 2000, false),
        ] as [(UInt64, UInt64, UInt64, Bool)]
    )
    func `some space stays free`(
        _ size: UInt64,
        _ free: UInt64,
        _ total: UInt64,
        _ hasRoom: Bool
    ) {
        let unit: UInt64 = 1 << 20
        #expect(
            ScratchFile.hasRoom(
                for: size.multipliedReportingOverflow(by: unit).overflow ? .max : size * unit,
                freeBytes: free * unit,
                totalBytes: total * unit
            ) == hasRoom
        )
    }

    @Test func `what is no place is refused`() throws {
        #expect(throws: MeasureError.self) { try scratch("/no/such/folder/at/all") }
        #expect(throws: MeasureError.self) { try scratch("/dev/null") }
        let folder = try TemporaryDirectory()
        let error = #expect(throws: MeasureError.self) {
            try scratch(folder.path, sizeBytes: ScratchFile.sizeMaximumBytes)
        }
        #expect(error?.description.contains("too few for a scratch file") == true)
        #expect(throws: MeasureError.self) { try scratch(folder.path, sizeBytes: 1 << 20) }
        #expect(try HostRoot(path: folder.path).names("").isEmpty)
    }
}
