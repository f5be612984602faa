import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingCommands
@testable import FootingKubeVirtCommands

/// `footing kubevirt convert` as a user sees it.
@Suite struct ConvertCommandTests {
    private func run(_ words: String...) -> (status: Int32, output: String, error: String) {
        let streams = Locked((output: "", error: ""))
        let console = Console(columns: 100, progressColumns: nil) { stream, text throws(Errno) in
            streams.withLock { kept in
                if stream == .output { kept.output += text } else { kept.error += text }
            }
        }
        let root = KubeVirtCommand.declaration(name: "footing kubevirt")
        let status = FootingProgram.run(["convert"] + words, root: root, console: console)
        return streams.withLock { (status, $0.output, $0.error) }
    }

    private static let manifest = """
        apiVersion: kubevirt.io/v1
        kind: VirtualMachineInstance
        metadata: {name: a}
        spec:
          affinity: {}
          domain: {memory: {guest: 1Gi}, devices: {foo: 1, rng: {bar: {}}}}

        """

    @Test func `Unknown fields are an error, or listed`() throws {
        let folder = try TemporaryDirectory()
        try folder.file("vmi.yaml", Self.manifest)
        let path = folder.path("vmi.yaml")
        let list = [
            "spec.domain.devices.foo (line 6, column 44): unknown field",
            "spec.domain.devices.rng.bar (line 6, column 58): unknown field",
        ]
        let strict = run(path)
        #expect(strict.status == 1)
        #expect(strict.output.isEmpty)
        #expect(strict.error == "Error: cannot convert '\(path)': \(list[0])\n\(list[1])\n")
        let loose = run(path, "--best-effort")
        #expect(loose.status == 0)
        #expect(
            loose.output.hasPrefix("<domain type=\"kvm\"") && loose.output.hasSuffix("</domain>\n")
        )
        #expect(loose.error == list.map { "footing: left out: \($0)\n" }.joined())
        let explained = run(path, "--best-effort", "--explain")
        #expect(explained.output == loose.output)
        #expect(
            explained.error
                == loose.error
                + "footing: without effect: spec.affinity (line 5, column 3): decides "
                + "where and how the pod runs\n"
        )
    }

    @Test func `A context is read, and a missing file told`() throws {
        let folder = try TemporaryDirectory()
        try folder.file("vmi.yaml", Self.manifest)
        try folder.file("context.yaml", "architecture: arm64\n")
        let context = folder.path("context.yaml")
        let result = run(folder.path("vmi.yaml"), "--best-effort", "--context", context)
        #expect(result.output.contains("<type arch=\"aarch64\" machine=\"virt\">hvm</type>"))
        let missing = run(folder.path("none.yaml"))
        #expect(missing.status == 1)
        #expect(missing.error.hasPrefix("Error: cannot read '\(folder.path("none.yaml"))'"))
        #expect(run().status == 64)
    }
}
