import Glibc
import Testing

@testable import FootingCommands

/// The parameters of the plugin, which are the options of `footing serve`.
@Suite struct PluginOptionsTests {
    private static func given(
        _ pairs: [(String, String)]
    ) throws(PluginOptions.Refusal) -> PluginOptions {
        var options = PluginOptions()
        for (name, text) in pairs { try options.set(name, text) }
        try options.check()
        return options
    }

    @Test func `an option of serve is one of the plugin, unless it says where to listen`() {
        let serve = ServeCommand.declaration.parameters.map(\.name)
        let listening = [
            "path", "socket", "port", "address", "connections", "json", "bandwidth",
            "busy-poll", "memory-ceiling", "own-group",
        ]
        #expect(
            PluginOptions.names == ["disk", "readonly"] + serve.filter { !listening.contains($0) }
        )
        #expect(PluginOptions.names.contains("memory"))
        let lines = PluginOptions.help.split(separator: "\n")
        #expect(lines.count == PluginOptions.names.count)
        let first = lines[0].split(separator: " ", maxSplits: 1)
        #expect(first[0] == "disk=<path>")
        #expect(first[1].hasSuffix(" The disk's container: a file or block device."))
        // One column for all, as wide as the longest name needs.
        let columns = Set(
            zip(lines, PluginOptions.names).map { line, name in
                line.firstRange(of: "  ").map { gap in
                    line[gap.lowerBound...].prefix { $0 == " " }.count
                        + line[..<gap.lowerBound].count
                } ?? name.count
            }
        )
        #expect(columns.count == 1)
    }

    @Test func `values are read as on the command line`() throws {
        let options = try Self.given([
            ("disk", "/a/disk"), ("memory", "32M"), ("fixed-memory", "yes"), ("readonly", "0"),
        ])
        #expect(options.path == "/a/disk")
        #expect(options.input[ServeCommand.memory] == 32 << 20)
        #expect(options.input[ServeCommand.fixedMemory])
        #expect(!options.isReadOnly)
    }

    @Test func `a relative path is one below the folder where it was given`() throws {
        let folder = unsafe getcwd(nil, 0)
        defer { unsafe free(folder) }
        let expected = unsafe folder.map { unsafe String(cString: $0) + "/a/disk" }
        let options = try Self.given([("disk", "a/disk")])
        #expect(options.path == expected)
    }

    @Test(arguments: [
        ([("memroy", "1M")], "unknown parameter 'memroy'. Did you mean 'memory'?"),
        ([("port", "1")], "unknown parameter 'port'"),
        ([("memory", "x")], "the value 'x' is invalid for 'memory': expected a size in bytes"),
        ([("disk", "")], "the value '' is invalid for 'disk': expected a path"),
        ([("disk", "a"), ("disk", "b")], "the parameter 'disk' is given twice"),
        ([("readonly", "0"), ("readonly", "1")], "the parameter 'readonly' is given twice"),
        ([("readonly", "")], "the value '' is invalid for 'readonly': expected true or false"),
        ([], "the parameter 'disk' is missing: The disk's container"),
    ])
    func `a mistake is named`(pairs: [(String, String)], text: String) throws {
        let refusal = #expect(throws: PluginOptions.Refusal.self) { try Self.given(pairs) }
        #expect(try #require(refusal).message.hasPrefix(text))
    }
}
