internal import FootingDeployment
internal import FootingDisk
internal import FootingSystem
internal import FootingTuning

/// How much of a new disk is written once before its first client comes.
enum DiskPreparation {
    static let option = Option(
        optional: "prepare",
        .preparation,
        help: """
            Write so much of the disk once beforehand, as 512M or 'all': the host's journal then \
            has next to nothing to commit there. 0 for none; 32M by default, where it is of use.
            """
    )

    /// Refuses a preparation where it is of no use, with the hosted optimizer's reason.
    static func requireUse(_ path: String) throws(CommandError) {
        let report = try ServeCommand.detect(path).report
        guard let root = try? HostRoot(),
            let reason = HostedOptimizer(report, root: root).preparationRefusal
        else { return }
        throw CommandError("cannot create", path, "nothing is gained by preparing it: \(reason)")
    }

    /// Creates a disk in a file, and shows how far the preparation is.
    static func create(
        path: String,
        _ options: DiskOptions,
        _ console: Console
    ) throws(CommandError) {
        var line = ProgressLine(console)
        if options.preparedBytes != nil { try ImageTool.cleanUpOnSignals() }
        defer { line.clear() }
        do throws(DiskError) {
            try Disk.create(path: path, options) { done, total in
                line.show("preparing", done: done, total: total)
            }
        } catch {
            throw DiskCommand.failure(error)
        }
    }
}

extension ValueType<UInt64> {
    /// Bytes, or the word `all`, which is as many as there are.
    fileprivate static var preparation: ValueType<UInt64> {
        ValueType(
            placeholder: "size",
            completion: .choices(["all"]),
            parse: { (text) throws(InvalidValue) in
                text == "all" ? .max : try ByteSize.parse(text)
            },
            format: { $0 == .max ? "all" : ByteSize.exactText($0) }
        )
    }
}
