import FootingSystem
import Glibc
import Testing

@testable import FootingCommands

/// `footing capabilities` on a tree that holds next to nothing.
@Suite struct CapabilitiesTests {
    /// Runs the command on a tree with one file, and removes the tree.
    private func run(_ words: String...) throws -> Outcome {
        var pattern = Array("/tmp/footing-capabilities-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&pattern) != nil else { throw Errno.current }
        let folder = String(
            decoding: pattern.dropLast().map { UInt8(bitPattern: $0) },
            as: UTF8.self
        )
        let node = "\(folder)/dev"
        _ = unsafe mkdir(node, 0o755)
        _ = try FileDescriptor.open("\(node)/kvm", [.writeOnly, .create], permissions: 0o644)
        defer {
            _ = unsafe unlink("\(node)/kvm")
            _ = unsafe rmdir(node)
            _ = unsafe rmdir(folder)
        }
        let arguments = ["capabilities", "--root", folder] + words
        var outcome = Outcome.of(arguments, root: RootCommand.declaration)
        outcome.output = outcome.output.replacing(folder, with: "TREE")
        return outcome
    }

    @Test func `what is there ends with 0, with the evidence`() throws {
        let expected = "kvm  yes  dev/kvm: the kernel can run virtual machines\n"
        #expect(try run("kvm") == Outcome(output: expected))
    }

    @Test func `what is not there ends with 1, with the reason`() throws {
        let outcome = try run("kvm", "vfio")
        #expect(outcome.status == 1)
        #expect(
            outcome.output == """
                kvm   yes  dev/kvm: the kernel can run virtual machines
                vfio  no   dev/vfio/vfio is not there

                """
        )
        let reason = "this machine cannot do 'vfio': dev/vfio/vfio is not there"
        #expect(outcome.error == "Error: \(reason)\n")
    }

    @Test func `a name that nobody knows is not there`() throws {
        let outcome = try run("qat.telepathy")
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("no detector knows this name"))
    }

    @Test func `without names all are shown, and that is no failure`() throws {
        let outcome = try run()
        #expect(outcome.status == 0)
        #expect(outcome.output.contains("qat.compression"))
        #expect(outcome.output.split(separator: "\n").count > 30)
    }

    @Test func `JSON has the schema, the evidence and the reason`() throws {
        let expected = """
            {
              "capabilities": [
                {
                  "evidence": [
                    {
                      "says": "the kernel can run virtual machines",
                      "source": "dev/kvm",
                      "value": ""
                    }
                  ],
                  "isPresent": true,
                  "name": "kvm",
                  "reason": null
                },
                {
                  "evidence": [],
                  "isPresent": false,
                  "name": "mshv",
                  "reason": "dev/mshv is not there"
                }
              ],
              "root": "TREE",
              "schema": "footing.capabilities/1"
            }

            """
        let outcome = try run("kvm", "--json", "mshv")
        #expect(outcome.output == expected)
        #expect(outcome.status == 1)
    }

    @Test func `a tree that is not there is named`() {
        let outcome = Outcome.of(
            "capabilities",
            "--root",
            "/no/tree",
            root: RootCommand.declaration
        )
        #expect(outcome.status == 1)
        #expect(outcome.error.hasPrefix("Error: cannot open the tree '/no/tree': No such file"))
    }
}
