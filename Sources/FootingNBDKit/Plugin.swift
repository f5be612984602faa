internal import CNBDKit
internal import FootingCommands
internal import FootingSystem
import Glibc

/// The one disk of a process of nbdkit, from its options to its end.
///
/// nbdkit calls these from one thread, before and after all requests.
enum Plugin {
    private enum Life {
        case configuring(PluginOptions)
        case open(PluginDisk)
        case closed
    }

    private static let life = Locked(Life.configuring(PluginOptions()))

    /// The disk, once it is open.
    static var disk: PluginDisk? {
        life.withLock { if case .open(let disk) = $0 { disk } else { nil } }
    }

    /// What a client has that asks for no export.
    static var defaultExport: UnsafePointer<CChar> {
        unsafe keptName.withLock { kept in
            if let kept = unsafe kept { return unsafe kept }
            let name = unsafe Self.kept(disk?.name ?? "")
            unsafe kept = name
            return unsafe name
        }
    }

    private static let keptName = unsafe Locked<UnsafePointer<CChar>?>(nil)

    fileprivate static func set(_ name: String, _ value: String) throws(PluginOptions.Refusal) {
        try life.withLock { (life) throws(PluginOptions.Refusal) in
            guard case .configuring(var options) = life else {
                preconditionFailure("nbdkit configures a plugin before it opens")
            }
            try options.set(name, value)
            life = .configuring(options)
        }
    }

    fileprivate static func check() throws(PluginOptions.Refusal) {
        guard case .configuring(let options) = life.withLock({ $0 }) else { return }
        try options.check()
    }

    fileprivate static func open() throws(PluginDisk.Failure) {
        guard case .configuring(let options) = life.withLock({ $0 }) else { return }
        let filter = unsafe footing_nbdkit_keeping_filter().map { unsafe String(cString: $0) }
        let disk = try PluginDisk(
            options,
            keepingFilter: filter,
            log: { line in unsafe footing_nbdkit_debug(line) },
            warn: report
        )
        life.withLock { $0 = .open(disk) }
    }

    fileprivate static func close() throws(PluginDisk.Failure) {
        let disk = disk
        life.withLock { $0 = .closed }
        try disk?.close()
    }

    /// A text that nbdkit may read for as long as it runs.
    fileprivate static func kept(_ text: String) -> UnsafePointer<CChar> {
        guard let copy = unsafe strdup(text) else { preconditionFailure("no memory for a text") }
        return unsafe UnsafePointer(copy)
    }

    /// Tells nbdkit why, in a line of nobody else's making: a client's words may be in it.
    @Sendable
    static func report(_ message: String) {
        unsafe footing_nbdkit_error(TerminalText.harmless(message, keepsLineFeeds: false))
    }
}

// MARK: - What nbdkit asks before it serves

@c @implementation
func footing_plugin_version() -> UnsafePointer<CChar> { unsafe Plugin.kept(Release.version) }

@c @implementation
func footing_plugin_help() -> UnsafePointer<CChar> { unsafe Plugin.kept(PluginOptions.help) }

@c @implementation
func footing_plugin_facts() -> UnsafePointer<CChar> {
    let names = PluginOptions.names.joined(separator: " ")
    return unsafe Plugin.kept("footing_version=\(Release.version)\nfooting_parameters=\(names)\n")
}

@c @implementation
func footing_plugin_configure(
    _ key: UnsafePointer<CChar>,
    _ value: UnsafePointer<CChar>
) -> Int32 {
    do throws(PluginOptions.Refusal) {
        try unsafe Plugin.set(String(cString: key), String(cString: value))
        return 0
    } catch {
        Plugin.report(error.message)
        return -EINVAL
    }
}

@c @implementation
func footing_plugin_configured() -> Int32 {
    do throws(PluginOptions.Refusal) {
        try Plugin.check()
        return 0
    } catch {
        Plugin.report(error.message)
        return -EINVAL
    }
}

@c @implementation
func footing_plugin_open() -> Int32 {
    do throws(PluginDisk.Failure) {
        try Plugin.open()
        return 0
    } catch {
        Plugin.report(error.message)
        return -EIO
    }
}

@c @implementation
func footing_plugin_start() -> Int32 {
    do throws(PluginDisk.Failure) {
        try Plugin.disk?.start()
        return 0
    } catch {
        Plugin.report(error.message)
        return -EAGAIN
    }
}

@c @implementation
func footing_plugin_close() {
    do throws(PluginDisk.Failure) {
        try Plugin.close()
    } catch {
        Plugin.report(error.message)
    }
}
