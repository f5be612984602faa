import FootingSystem

/// A disk of 64 GiB whose first blocks are written, made on this machine, where it takes a second.
enum FilledContainer {
    /// What is written, from the beginning on.
    static let filledMebibytes = 640

    /// The container's file; guests start with it, and none writes to it.
    static func path() throws -> String { try "\(folder.get().path)/container" }

    private static let folder = Result {
        let folder = try ScratchFolder()
        folder.removeAtExit()
        let program = GuestKit.Part.program.path
        let script = """
            cd '\(folder.path)'; '\(program)' disk create container --size 64G; \
            '\(program)' serve container --socket "$PWD/s" >serve.log 2>&1 & server=$!; \
            until grep -q ^ready serve.log; do kill -0 $server; sleep 0.05; done; \
            '\(GuestKit.Part.load.path)' "$PWD/s" write \(filledMebibytes); \
            kill -TERM $server; wait $server
            """
        let process = try ChildProcess(
            limitSeconds: 60,
            ["/bin/sh", "-ec", script],
            descriptors: [:],
            log: "\(folder.path)/log"
        )
        guard process.awaitEnd() == 0 else {
            throw GuestError("no container: \(folder.text("log"))\(folder.text("serve.log"))")
        }
        return folder
    }
}
