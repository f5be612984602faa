internal import FootingSystem
internal import Glibc

/// What the kernel calls itself and the machine it runs on (`uname(2)`), without the host's name.
public struct SystemName: Sendable, Equatable {
    /// The kernel's name, as `Linux`.
    public let name: String
    /// Its release, as `6.1.0-13-amd64`.
    public let release: String
    /// When and how it was built.
    public let version: String
    /// The architecture it was built for, as `x86_64` or `aarch64`.
    public let machine: String

    /// Where a recorded tree keeps it: no file of a machine does.
    static let path = ".uname.json"
}

extension SystemName {
    /// Asks the running kernel.
    fileprivate static func live() -> SystemName? {
        var raw = utsname()
        guard unsafe uname(&raw) == 0 else { return nil }
        func text<Field>(_ field: Field) -> String {
            unsafe withUnsafeBytes(of: field) {
                unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
        }
        return SystemName(
            name: text(raw.sysname),
            release: text(raw.release),
            version: text(raw.version),
            machine: text(raw.machine)
        )
    }

    /// Reads `{"sysname", "release", "version", "machine"}`; only the last must be there.
    fileprivate init?(_ document: JSONValue) {
        guard let machine = document.member("machine")?.stringValue, !machine.isEmpty else {
            return nil
        }
        self.machine = machine
        name = document.member("sysname")?.stringValue ?? ""
        release = document.member("release")?.stringValue ?? ""
        version = document.member("version")?.stringValue ?? ""
    }

    func json() -> JSONValue {
        [
            "sysname": .string(name), "release": .string(release), "version": .string(version),
            "machine": .string(machine),
        ]
    }
}

extension HostRoot {
    /// What this machine's kernel says of itself: the running one's word, or the recorded one's.
    func systemName() -> Fact<SystemName> {
        if isLive {
            return SystemName.live().map { .known($0) } ?? .absent("uname(2): \(Errno.current)")
        }
        let path = SystemName.path
        do throws(Errno) {
            let content = try bytes(path)
            guard let document = try? JSONValue(parsing: content),
                let known = SystemName(document)
            else { return .absent("\(path) names no machine") }
            return .known(known)
        } catch {
            return .absent(Self.reason(path, error))
        }
    }
}
