import FootingSystem
import Testing

/// Compression and encryption in the static program, which cannot load anything.
@Suite(.enabled(if: ReleasedProgram.exists, "bin/footing is missing: run 'make release'"))
struct AcceleratorTests {
    /// Runs the command with an empty state folder, twice.
    private static func run(
        _ options: String,
        environment: String = ""
    ) throws -> [JSONValue] {
        let name = "\(ProcessIdentity.number)-\(options.count)-\(environment.count)"
        let folder = "/var/tmp/footing-accelerators-\(name)"
        let command = "accelerators --json --state \(folder) \(options)"
        defer { _ = try? ReleasedProgram.run("--version; rm -rf \(folder)") }
        return try (0..<2).map { _ in
            let (status, output) = try ReleasedProgram.run(command, environment: environment)
            #expect(status == 0)
            return try JSONValue(parsing: Array(output.utf8))
        }
    }

    @Test func `figures are measured once and then remembered`() throws {
        let answers = try Self.run("")
        #expect(answers.map { $0.member("isRemembered") } == [.bool(false), .bool(true)])
        #expect(answers[0].member("bytesPerSecond") == answers[1].member("bytesPerSecond"))
        #expect(answers[0].member("bytesPerSecond")?.member("software") != nil)
    }

    private static var hasInstructions: Bool {
        guard let bytes = try? HostRoot().bytes("/proc/cpuinfo") else { return false }
        let text = String(decoding: bytes, as: UTF8.self)
        return text.contains(" aes ") && text.contains(" pclmulqdq ")
    }

    /// What Intel's library takes, by the kernel's account.
    private static var hasWideInstructions: Bool {
        guard let bytes = try? HostRoot().bytes("/proc/cpuinfo") else { return false }
        let flags = Set(
            String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        )
        return flags.isSuperset(of: ["avx2", "aes", "pclmulqdq", "bmi1", "bmi2", "movbe"])
    }

    /// libcrypto looks at the processor only when it is used: were it never to look, it would
    /// encrypt by tables, with a tenth of the speed.
    @Test(
        .enabled(if: hasInstructions, "the processor has no instructions for AES"),
        arguments: ["", "FOOTING_CIPHER=libcrypto", "FOOTING_CIPHER=OpenSSL"]
    )
    func `encryption uses the processor's instructions`(environment: String) throws {
        let answer = try Self.run("--bench", environment: environment)[1]
        guard case .array(let libraries)? = answer.member("libraries") else {
            Issue.record("no libraries")
            return
        }
        let isIntel = libraries.contains { "\($0)".contains("IPsec-MB") }
        #expect(isIntel == (environment.isEmpty && Self.hasWideInstructions))
        guard case .array(let lines)? = answer.member("bench") else {
            Issue.record("no figures")
            return
        }
        #expect(lines.count == 21)
        let sealing = lines.filter { $0.member("name") == "aes-256-gcm.seal" }
        for line in sealing {
            guard case .integer(let speed)? = line.member("bytesPerSecond") else {
                Issue.record("no figure")
                continue
            }
            // Where 4 KiB are sealed at 300 MiB/s by tables, instructions reach 2 GiB/s.
            #expect(speed > 512 << 20, "\(line)")
        }
        #expect(sealing.count == 3)
    }
}
