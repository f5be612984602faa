import Testing

/// A program of this machine that needs shared libraries, which a guest gets at the same paths.
struct SharedProgram: Sendable {
    /// Every file that it needs, itself first; empty where it is not installed.
    let files: [String]

    /// nbdkit with its plugin `file`: the naive peer that serves a file as it is.
    static let nbdkit = SharedProgram(
        listing: """
            plugin=$(nbdkit --dump-plugin file | sed -n 's/^path=//p') && [ -n "$plugin" ] && \
            command -v nbdkit && echo "$plugin" && \
            ldd "$(command -v nbdkit)" "$plugin" | grep -o '/[^ :]*'
            """
    )

    /// - Parameter script: prints a path a line, the program's first.
    private init(listing script: String) {
        files = (try? Self.lines(script)) ?? []
    }

    private static func lines(_ script: String) throws -> [String] {
        let folder = try ScratchFolder()
        let process = try ChildProcess(
            limitSeconds: 20,
            ["/bin/sh", "-c", "{ \(script); } 2>/dev/null"],
            descriptors: [:],
            log: "\(folder.path)/paths"
        )
        guard process.awaitEnd() == 0 else { return [] }
        var found: [String] = []
        for line in folder.text("paths").split(separator: "\n").map(String.init)
        where line.hasPrefix("/") && !found.contains(line) {
            found.append(line)
        }
        return found
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips by name where nbdkit is not installed.
    static var needsNBDKit: Self {
        .enabled(if: !SharedProgram.nbdkit.files.isEmpty, "nbdkit is missing: run 'make deps'")
    }
}
