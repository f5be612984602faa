internal import FootingDisk
internal import FootingLifecycle
internal import FootingSystem

/// `footing disk set`: change a disk, at rest or while it is served.
enum DiskSetCommand {
    static let compression = Option(
        "compression",
        .choice(of: CompressionPolicy.self),
        help: "How writes are compressed: none, lz4, deflate or auto."
    )

    static let declaration = Command(
        name: "set",
        overview: "Change a disk, which may be served.",
        discussion: """
            What was written before stays as it is until it is overwritten or moved. 'auto' is \
            lz4 for what is written, and deflate for what has grown cold. A program that knows no \
            compression cannot open a disk on which it was ever on.
            """,
        parameters: [DiskCommand.path.model, compression.model] + KeyOptions.current.models,
        run: run
    )

    @Sendable
    private static func run(_ input: Invocation, _ console: Console) throws(CommandError) {
        let path = input[DiskCommand.path]
        let policy = input[compression]
        if try !isSetWhileServed(policy, path) {
            var options = EngineOptions()
            options.key = try KeyOptions.forDisk(path, input)
            do throws(DiskError) {
                let disk = try Disk(path: path, options: options)
                do throws(DiskError) {
                    try disk.setCompression(policy)
                } catch {
                    try? disk.close()
                    throw error
                }
                try disk.close()
            } catch {
                throw DiskCommand.failure(error)
            }
        }
        console.print("compression \(policy.rawValue)")
    }

    /// Asks the process that serves the disk.
    ///
    /// - Returns: false if this user serves no such disk.
    private static func isSetWhileServed(
        _ policy: CompressionPolicy,
        _ path: String
    ) throws(CommandError) -> Bool {
        do throws(ControlError) {
            _ = try ControlFolder.user().ask(
                "compression",
                ["policy": .string(policy.rawValue)],
                ofContainer: path,
                // A checkpoint of a large disk on a slow device.
                seconds: 600
            )
        } catch {
            if error.kind == .notServed || error.kind == .unusable { return false }
            throw CommandError("cannot set the compression of", path, error.description)
        }
        return true
    }
}
