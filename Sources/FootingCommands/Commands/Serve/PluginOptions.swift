internal import FootingSystem
import Glibc

/// What a disk in another program's server is opened with, given as `name=value`.
///
/// The options are those of `footing serve`, from the same declarations, but for the ones that say
/// where to listen and how to report: these are the other program's.
public struct PluginOptions: Sendable {
    /// Why a parameter was refused, for people.
    public struct Refusal: Error, Sendable {
        /// One sentence without the full stop.
        public let message: String
    }

    private static let disk = Option(
        "disk",
        ValueType<String>.file,
        help: "The disk's container: a file or block device."
    )
    private static let readOnly = Flag("readonly", help: "Refuse every change by a client.")

    /// What is another program's business.
    private static let listening = [
        ServeCommand.path.model, ServeCommand.socket.model, ServeCommand.port.model,
        ServeCommand.address.model, ServeCommand.connections.model, ServeCommand.busyPoll.model,
        ServeLimits.bandwidth.model, ServeLimits.memoryCeiling.model, ServeLimits.ownGroup.model,
        SharedParameters.json.model,
    ]

    private static let models =
        [disk.model, readOnly.model]
        + ServeCommand.declaration.parameters.filter { model in
            !listening.contains { $0.name == model.name }
        }

    private(set) var input = Invocation(declared: models)
    private var names: [String] = []

    /// Nothing given yet.
    public init() {}

    /// Takes a parameter in.
    ///
    /// A flag is on or off: `true`, `false`, and what nbdkit understands besides.
    public mutating func set(_ name: String, _ text: String) throws(Refusal) {
        guard let model = Self.models.first(where: { $0.name == name }) else {
            let suggestion = Spelling.suggestion(for: name, among: Self.models.map(\.name))
            throw Refusal(message: "unknown parameter '\(name)'\(suggestion)")
        }
        guard model.isRepeated || !names.contains(name) else {
            throw Refusal(message: "the parameter '\(name)' is given twice")
        }
        names.append(name)
        if model.kind == .flag {
            if try Self.truth(of: text, name) { input.give(model, "") }
            return
        }
        // What serves it may change its working directory before the file is opened.
        let isFile = model.completion == .file && !text.isEmpty && !text.hasPrefix("/")
        let value = isFile ? try Self.absolute(text) : text
        do throws(InvalidValue) { try model.check(value) } catch {
            throw Refusal(
                message: "the value '\(text)' is invalid for '\(name)': expected "
                    + error.expectation
            )
        }
        input.give(model, value)
    }

    /// Refuses what is not complete.
    public func check() throws(Refusal) {
        for model in Self.models where model.isRequired && !input.isGiven(model) {
            throw Refusal(message: "the parameter '\(model.name)' is missing: \(model.help)")
        }
    }

    /// The container.
    var path: String { input[Self.disk] }

    /// Whether clients may change nothing.
    var isReadOnly: Bool { input[Self.readOnly] }

    /// A line for each parameter.
    public static var help: String {
        let labels = models.map { model in
            let value = model.kind == .flag ? "true|false" : "<\(model.placeholder)>"
            return model.name + "=" + value
        }
        let width = (labels.map(\.count).max() ?? 0) + 2
        return zip(labels, models).map { label, model in
            label + String(repeating: " ", count: width - label.count) + model.help
        }.joined(separator: "\n")
    }

    /// The names of all parameters.
    public static var names: [String] { models.map(\.name) }

    private static func truth(of text: String, _ name: String) throws(Refusal) -> Bool {
        switch text.lowercased() {
        case "1", "true", "t", "yes", "y", "on": return true
        case "0", "false", "f", "no", "n", "off": return false
        default:
            throw Refusal(
                message: "the value '\(text)' is invalid for '\(name)': expected true or false"
            )
        }
    }

    private static func absolute(_ path: String) throws(Refusal) -> String {
        guard let folder = unsafe getcwd(nil, 0) else {
            throw Refusal(message: "cannot find '\(path)': \(Errno.current)")
        }
        defer { unsafe free(folder) }
        return unsafe String(cString: folder) + "/" + path
    }
}
