import Testing

/// The released program among metadata servers, in a network namespace of its own.
@Suite(
    .serialized,
    .enabled(if: ReleasedProgram.exists, "bin/footing is missing: run 'make release'"),
    .enabled(if: Script.isRoot, "network namespaces need root"),
    .enabled(if: Script.has(.ip), "ip is missing: run 'make deps'"),
    .enabled(if: Script.hasNamespaces, "this kernel or container allows no namespaces")
)
struct MetadataTests {
    /// Runs one part of `Clients/metadata.py`, which says what was wrong.
    private func run(_ part: String) throws -> (status: Int32, output: String) {
        try Script.run(
            """
            unshare --net --mount --propagation private \\
                python3 -B "$clients/metadata.py" "$footing" \(part)
            """
        )
    }

    @Test func `every provider proves itself with the requests of its documents`() throws {
        let result = try run("providers")
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.hasSuffix("all is well\n"))
    }

    @Test func `a hostile server is believed nothing and given half a second`() throws {
        let result = try run("hostile")
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.hasSuffix("all is well\n"))
    }

    @Test func `on the operator's word the providers are tried within half a second`() throws {
        let result = try run("probe")
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.hasSuffix("all is well\n"))
    }

    @Test func `off the clouds not one packet is sent`() throws {
        let result = try run("silence")
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.hasSuffix("all is well\n"))
    }
}
