import FootingSystem
import FootingTestSupport
import Foundation
import Testing

@testable import FootingKubeVirt

@Suite struct ConverterTests {
    @Test(arguments: ConvertFixture.all)
    func `A case gives its domain, every time`(fixture: ConvertFixture) throws {
        let manifest = try fixture.manifest()
        let first = try fixture.convert(manifest)
        let expected = try fixture.domain()
        #expect(first.xml == expected)
        #expect(try fixture.convert(manifest).xml == first.xml)
        #expect(first.leftOut.isEmpty)
    }

    @Test(arguments: ConvertFixture.all)
    func `YAML and JSON of one object give one domain`(fixture: ConvertFixture) throws {
        let documents = try YAMLNode.documents(in: try fixture.manifest())
        let json = try #require(documents.first).json
        let result = try fixture.convert([UInt8](json))
        let expected = try fixture.domain()
        #expect(result.xml == expected)
    }

    private static func path(_ tool: String) -> String? {
        ["/usr/bin/", "/bin/"].map { $0 + tool }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    private static let schema = "/usr/share/libvirt/schemas/domain.rng"
    private static var hasSchema: Bool { FileManager.default.fileExists(atPath: schema) }

    private static func run(_ tool: String, _ arguments: [String]) throws -> (Int32, String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(path(tool)))
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }

    /// A pool of I/O threads is in libvirt's schema since 10.0.
    private static let newer: Set = ["pool"]

    @Test(
        .enabled(if: path("xmllint") != nil, "xmllint is missing"),
        .enabled(if: hasSchema, "libvirt's schemas are missing"),
        arguments: ConvertFixture.all.filter { !newer.contains($0.name) }
    )
    func `libvirt's schema takes the domain`(fixture: ConvertFixture) throws {
        let file = ConvertFixture.path("\(fixture.name).xml")
        let (status, words) = try Self.run("xmllint", ["--noout", "--relaxng", Self.schema, file])
        #expect(status == 0, "\(words)")
    }

    @Test(
        .enabled(if: path("virsh") != nil, "virsh is missing"),
        arguments: ConvertFixture.all
    )
    func `libvirt defines the domain`(fixture: ConvertFixture) throws {
        let file = ConvertFixture.path("\(fixture.name).xml")
        let (status, words) = try Self.run("virsh", ["-c", "test:///default", "define", file])
        #expect(status == 0, "\(words)")
        #expect(words.contains("defined from"))
    }

    @Test func `What KubeVirt writes and the schema refuses is asked for`() throws {
        let fixture = ConvertFixture(name: "tuned")
        let context = (fixture.context()?.text ?? "") + "asKubeVirt: true\n"
        let result = try DomainConverter.convert(
            manifest: fixture.manifest(),
            context: [UInt8](context)
        )
        #expect(result.xml.contains("<bios/>\n    <baseBoard/>\n    <chassis/>"))
        #expect(result.xml.contains("<source dev=\"/dev/data\" name=\"data\"/>"))
        #expect(result.xml.contains("<feature name=\"pcid\"/>"))
        #expect(result.xml.contains("<maxMemory unit=\"b\" slots=\"0\">"))
    }
}
