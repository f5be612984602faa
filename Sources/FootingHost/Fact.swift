internal import FootingSystem

/// Something about the machine that is known, or that is absent for a reason.
///
/// Nothing is guessed and nothing is thrown away: a missing file, a refused permission and a device
/// that has no such property all end here as text a person can act on.
public enum Fact<Value: Sendable>: Sendable {
    /// The machine told.
    case known(Value)
    /// It did not, and why.
    case absent(String)

    /// The value, if known.
    public var value: Value? {
        if case .known(let value) = self { return value }
        return nil
    }

    /// Why the value is absent, if it is.
    public var absence: String? {
        if case .absent(let reason) = self { return reason }
        return nil
    }

    /// The same fact in another form; an absence keeps its reason.
    public func map<Other: Sendable>(_ transform: (Value) -> Other) -> Fact<Other> {
        switch self {
        case .known(let value): .known(transform(value))
        case .absent(let reason): .absent(reason)
        }
    }
}

extension Fact: Equatable where Value: Equatable {}

/// What one source said, and what follows from it.
public struct Evidence: Sendable, Equatable {
    /// Where it was read: a path below the root, or `cpuid` with the leaf.
    public let source: String
    /// What was read there, verbatim.
    public let value: String
    /// What that means here.
    public let says: String

    /// One observation.
    public init(source: String, value: String, says: String) {
        self.source = source
        self.value = value
        self.says = says
    }
}

extension HostRoot {
    /// A sysfs attribute as a fact; an empty one is absent.
    func fact(_ path: String) -> Fact<String> {
        do throws(Errno) {
            let text = try attribute(path)
            return text.isEmpty ? .absent("\(path) is empty") : .known(text)
        } catch {
            return .absent(Self.reason(path, error))
        }
    }

    /// A sysfs attribute that holds one whole number.
    func number(_ path: String) -> Fact<Int> {
        switch fact(path) {
        case .absent(let reason): .absent(reason)
        case .known(let text):
            Int(text).map { .known($0) } ?? .absent("\(path) holds no number")
        }
    }

    /// A sysfs attribute that is 0 or 1.
    func flag(_ path: String) -> Fact<Bool> {
        number(path).map { $0 != 0 }
    }

    /// The last component of a link's target, as in `…/driver -> …/drivers/nvme`.
    func linkName(_ path: String) -> Fact<String> {
        do throws(Errno) {
            return .known(lastComponent(try link(path)))
        } catch {
            return .absent(Self.reason(path, error))
        }
    }

    /// The names in a directory, or none where it is missing.
    func namesIfPresent(_ path: String) -> [String] {
        (try? names(path)) ?? []
    }

    static func reason(_ path: String, _ error: Errno) -> String {
        switch error {
        case .noSuchFile: "\(path) is not there"
        case .permissionDenied, .notPermitted: "\(path) may not be read by this user"
        case .noDevice: "\(path) is neither a file nor a folder"
        case .tooLarge: "\(path) is too large to be what it should"
        default: "\(path): \(error)"
        }
    }
}

/// The attributes of one folder, which is opened once.
///
/// In a recorded tree a link below the folder leads nowhere above it.
struct Attributes {
    let path: String
    private let folder: HostRoot?

    init(_ path: String, _ root: HostRoot) {
        self.path = path
        folder = try? root.folder(path)
    }

    func fact(_ name: String) -> Fact<String> {
        guard let folder else { return .absent("\(path) is not there") }
        do throws(Errno) {
            let text = try folder.attribute(name)
            return text.isEmpty ? .absent("\(path)/\(name) is empty") : .known(text)
        } catch {
            return .absent(HostRoot.reason("\(path)/\(name)", error))
        }
    }

    func number(_ name: String) -> Fact<Int> {
        switch fact(name) {
        case .absent(let reason): .absent(reason)
        case .known(let text):
            Int(text).map { .known($0) } ?? .absent("\(path)/\(name) holds no number")
        }
    }

    /// The names in a folder of this one, or none where it is missing.
    func names(_ name: String) -> [String] {
        (try? folder?.names(name)) ?? []
    }

    /// A number of things, or a size: never negative.
    func count(_ name: String) -> Fact<Int> {
        switch number(name) {
        case .known(let value) where value < 0: .absent("\(path)/\(name) is negative: \(value)")
        case let fact: fact
        }
    }

    func flag(_ name: String) -> Fact<Bool> {
        number(name).map { $0 != 0 }
    }

    /// The first bytes of a text that may be longer than an attribute.
    func beginning(_ name: String) -> Fact<String> {
        guard let folder else { return .absent("\(path) is not there") }
        do throws(Errno) {
            return .known(try folder.beginning(name))
        } catch {
            return .absent(HostRoot.reason("\(path)/\(name)", error))
        }
    }

    /// A kernel's list of numbers; an empty one is an answer.
    func list(_ name: String) -> Fact<[Int]> {
        guard let folder else { return .absent("\(path) is not there") }
        do throws(Errno) {
            let text = try folder.attribute(name)
            return kernelList(text).map { .known($0) }
                ?? .absent("\(path)/\(name) is no list of numbers")
        } catch {
            return .absent(HostRoot.reason("\(path)/\(name)", error))
        }
    }

    func linkName(_ name: String) -> Fact<String> {
        guard let folder else { return .absent("\(path) is not there") }
        do throws(Errno) {
            return .known(lastComponent(try folder.link(name)))
        } catch {
            return .absent(HostRoot.reason("\(path)/\(name)", error))
        }
    }
}
