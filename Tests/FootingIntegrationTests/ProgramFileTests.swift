import FootingSystem
import Testing

/// The program's file, and what it does before any command runs.
@Suite(.enabled(if: ReleasedProgram.exists, "bin/footing is missing: run 'make release'"))
struct ProgramFileTests {
    @Test func `it is static: no interpreter loads it`() throws {
        let file = try FileDescriptor.open(ReleasedProgram.path, .readOnly)
        // An ELF header, then program headers; one of type 3 (PT_INTERP) names a loader.
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = try unsafe bytes.withUnsafeMutableBytes { try unsafe file.read(into: $0) }
        #expect(count == 4096)
        #expect(Array(bytes[..<4]) == [0x7f, 0x45, 0x4c, 0x46])
        let headers = (start: Int(bytes[32]), size: Int(bytes[54]), count: Int(bytes[56]))
        let types = (0..<headers.count).map { bytes[headers.start + $0 * headers.size] }
        #expect(types.contains(1))
        #expect(!types.contains(3))
    }

    @Test func `it tells its version and its commands`() throws {
        #expect(try ReleasedProgram.run("--version") == (0, Release.version + "\n"))
        let help = try ReleasedProgram.run("--help")
        #expect(help.status == 0)
        #expect(help.output.hasPrefix("OVERVIEW: "))
    }

    @Test func `bad usage goes to standard error and ends with 64`() throws {
        #expect(try ReleasedProgram.run("--frobnicate 2>/dev/null") == (64, ""))
        #expect(
            try ReleasedProgram.run("frobnicate 2>&1").output.hasPrefix("Error: Unknown subcommand")
        )
    }

    @Test func `a full disk under the output is a failure`() throws {
        #expect(try ReleasedProgram.run("--version 2>&1 >/dev/full").status == 1)
        #expect(try ReleasedProgram.run("--version 2>&1 >/dev/full").output.hasSuffix("(ENOSPC)\n"))
    }
}
