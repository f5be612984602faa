import FootingHost
import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingDeployment
@testable import FootingTuning

@Suite struct ProfileTests {
    @Test(arguments: BuiltInProfiles.all.map(\.name))
    func `a built-in profile is read from its own text as the same`(_ name: String) throws {
        let profile = try #require(BuiltInProfiles.named(name))
        #expect(try ProfileParser.parse(Array(profile.text().utf8)) == profile)
    }

    @Test func `the edge profiles are those of the requirements`() throws {
        let expected = [
            ("edge-raspberry-pi", "256M", "10", "10M"),
            ("edge-industrial-gateway", "1G", "100", "50M"),
            ("edge-generic", "512M", "25", "20M"),
        ]
        for (name, memory, connections, bandwidth) in expected {
            let text = try #require(BuiltInProfiles.named(name)).text()
            #expect(text.contains("\nmemory-ceiling = \(memory)\n"))
            #expect(text.contains("\nconnections = \(connections)\n"))
            #expect(text.contains("\nbandwidth = \(bandwidth)\n"))
        }
    }

    @Test func `what nothing heeds is told, but not where it asks for nothing`() throws {
        for built in BuiltInProfiles.all { #expect(built.unheeded == [], "\(built.name)") }
        var profile = try #require(BuiltInProfiles.named("edge-generic"))
        try profile.set("offline-buffer", "256M")
        #expect(profile.unheeded == ["offline-buffer = 256M"])
        try profile.set("offline-buffer", "none")
        #expect(profile.unheeded == [])
        try profile.set("features", "snapshots remote")
        #expect(profile.unheeded == ["features = remote"])
        try profile.set("features", "all")
        #expect(profile.unheeded == [])
    }

    @Test func `features are allowed by name, all or none`() throws {
        var profile = try #require(BuiltInProfiles.named("edge-raspberry-pi"))
        #expect(TuningProfile.Feature.allCases.filter { !profile.allows($0) } == [.remote])
        try profile.set("features", "all")
        #expect(TuningProfile.Feature.allCases.allSatisfy { profile.allows($0) })
        try profile.set("features", "none")
        #expect(!TuningProfile.Feature.allCases.contains { profile.allows($0) })
        try profile.set("features", "snapshots")
        #expect(profile.allows(.snapshots) && !profile.allows(.compression))
        let text =
            "the profile 'edge-raspberry-pi' does not allow compression: features = snapshots"
        #expect(profile.refusal(of: .compression) == text)
    }

    @Test func `a built-in profile of a place is what the place decides itself`() throws {
        let tree = try TuningTree([.virtio()])
        let report = HostReport.gather(root: try tree.root(), path: "/disk.footing")
        for kind in DeploymentContext.Kind.allCases where kind != .edge {
            let context = DeploymentContext(kind: kind, evidence: [], facets: [])
            let own = DeploymentProfile.choose(context: context, report: report)
            let built = try #require(BuiltInProfiles.named(kind.rawValue)).deployment(at: own)
            #expect(built.values.map(\.number) == own.values.map(\.number))
            #expect(built.name == own.name)
        }
    }

    @Test func `a file overrides its base field by field`() throws {
        let text = """
            # mine
            format = 1
              name = closet
            base=edge-raspberry-pi
            \tconnections = 5\t
            unflushed-age = 250ms

            rules = read-ahead  data-journal
            """
        let profile = try ProfileParser.parse(Array(text.utf8))
        #expect(profile.name == "closet")
        #expect(profile["connections"] == .number(5))
        #expect(profile["unflushed-age"] == .number(250_000))
        #expect(profile["memory-ceiling"] == .number(256 << 20))
        #expect(profile.rules == ["data-journal", "read-ahead"])
    }

    @Test(arguments: [
        ("name = a", "line 1: 'format = 1' comes before everything else"),
        ("", "it is empty; the first line is 'format = 1'"),
        ("format = 2", "line 1: format: this program reads format 1 only"),
        ("format = 1\n", "it has no name; add 'name = ...'"),
        ("format = 1\nname = A B", "line 2: name: 1 to 40 small letters, digits and dashes"),
        ("format = 1\nname = a\nname = b", "line 3: the field is given in line 2 already"),
        ("format = 1\nname = a\nhello", "line 3: it is neither 'field = value' nor a remark"),
        (
            "format = 1\nname = a\n\nconnections = 0",
            "line 4: connections: '0' is not a whole number from 1 to 4096"
        ),
        (
            "format = 1\nname = a\nconnections = +5",
            "line 3: connections: '+5' is not a whole number from 1 to 4096"
        ),
        (
            "format = 1\nname = a\nmemory-budget = 15M",
            "line 3: memory-budget: '15M' is not 'auto' or a size from 16M to 16T"
        ),
        (
            "format = 1\nname = a\nmemory-budget = 99999999999999999999T",
            "line 3: memory-budget: '99999999999999999999T' is not 'auto' or a size from 16M to 16T"
        ),
        (
            "format = 1\nname = a\nsegment-size = 3M",
            "line 3: segment-size: '3M' is not 'auto' or a power of two from 1M to 64M"
        ),
        (
            "format = 1\nname = a\nunflushed-age = 1000",
            "line 3: unflushed-age: '1000' is not a time from 10ms to 1h"
        ),
        (
            "format = 1\nname = a\nfeatures = compression telepathy",
            "line 3: features: 'compression telepathy' is not 'all' or 'none' or names among "
                + "compression, encryption, remote, snapshots, with blanks between them"
        ),
        ("format = 1\nbase = moon\nname = a", "line 2: base: none of hosted-vm"),
        ("format = 1\nname = a\nwrite-cache = no", "line 3: there is no field 'write-cache'"),
        ("format = 1\r\nname = a", "line 1: format: this program reads format 1 only"),
    ])
    func `a mistake is refused with its line and what would be right`(
        _ text: String,
        _ message: String
    ) {
        let error = #expect(throws: ProfileError.self) {
            try ProfileParser.parse(Array(text.utf8))
        }
        #expect(error?.description.hasPrefix(message) == true, "\(error?.description ?? "")")
    }

    @Test func `what is too large or no text is refused`() {
        let long = "format = 1\nname = a\ndescription = " + String(repeating: "x", count: 1100)
        let huge = [UInt8](repeating: 10, count: ProfileParser.bytesMaximum + 1)
        for bytes in [Array(long.utf8), huge, Array("format = 1\n".utf8) + [0xff]] {
            #expect(throws: ProfileError.self) { try ProfileParser.parse(bytes) }
        }
        let control = "format = 1\nname = a\ndescription = a\u{1b}[2J"
        #expect(throws: ProfileError.self) { try ProfileParser.parse(Array(control.utf8)) }
    }

    @Test func `fields are set on the command line`() throws {
        var profile = try #require(BuiltInProfiles.named("edge-generic"))
        try profile.set(assignments: "connections=7, rules=read-ahead no-merges")
        #expect(profile["connections"] == .number(7))
        #expect(profile.rules == ["no-merges", "read-ahead"])
        for wrong in ["connections", "connections=1,connections=2", "moon=1", "connections=x", ""] {
            #expect(throws: ProfileError.self) { try profile.set(assignments: wrong) }
        }
    }

    @Test func `a board has the profile of its kind`() throws {
        let tree = try TuningTree([.virtio()])
        let detection = Detection(root: try tree.root(), path: "/disk.footing")
        #expect(TuningProfile.choose(detection).name == detection.context.kind.rawValue)
        try tree.write("proc/device-tree/compatible", "raspberrypi,4-model-b\0brcm,bcm2711\0")
        let board = Detection(root: try tree.root(), path: "/disk.footing")
        #expect(board.context.kind == .edge)
        #expect(TuningProfile.choose(board).name == "edge-raspberry-pi")
    }
}
