/// Why a manifest was not converted.
public enum ConversionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The manifest is no YAML that Kubernetes would read.
    case malformed(YAMLError)
    /// The context is no such YAML.
    case malformedContext(YAMLError)
    /// A field of the manifest has a value that cannot be: its path, its place, what it must be.
    case invalid(String, YAMLPosition, String)
    /// The same for a field of the context.
    case invalidContext(String, YAMLPosition, String)
    /// Not exactly one object to convert.
    case objects(String)
    /// Fields that the converter does not know, or does not carry over.
    case notConverted([FieldNote])
    /// What only a cluster knows is missing: the field that needs it, and how to give it.
    case missing(String, String)
    /// The domain cannot be made on what the context describes.
    case impossible(String)
    /// Memory was refused.
    case outOfMemory

    /// What is wrong; one line for each field.
    public var description: String {
        switch self {
        case .malformed(let error): "the manifest: \(error)"
        case .malformedContext(let error): "the context: \(error)"
        case .invalid(let path, let position, let reason):
            "\(path.isEmpty ? "the document" : path) (\(position)): \(reason)"
        case .invalidContext(let path, let position, let reason):
            "\(path.isEmpty ? "the document" : path) of the context (\(position)): \(reason)"
        case .objects(let reason): reason
        case .notConverted(let notes): notes.map(\.description).joined(separator: "\n")
        case .missing(let path, let remedy): "\(path): \(remedy)"
        case .impossible(let reason): reason
        case .outOfMemory: "no memory for the domain"
        }
    }

    /// The same error, of the context instead of the manifest.
    var ofContext: ConversionError {
        switch self {
        case .invalid(let path, let position, let reason): .invalidContext(path, position, reason)
        case .malformed(let error): .malformedContext(error)
        case .notConverted(let notes):
            notes.first.map { .invalidContext($0.path, $0.position, $0.reason) } ?? self
        default: self
        }
    }
}
