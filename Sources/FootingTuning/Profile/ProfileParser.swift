/// Reads a profile: one `field = value` a line.
///
/// ```
/// # Lines that begin with # are remarks.
/// format = 1
/// name = closet
/// base = edge-raspberry-pi
/// connections = 5
/// ```
///
/// `format` comes first. `base` names a built-in profile whose values hold where the file says
/// nothing. A field that there is not, one that is given twice, and a value out of its range are
/// refused with the line; nothing is repaired.
public enum ProfileParser {
    /// The largest file that is looked at, in bytes.
    public static let bytesMaximum = 64 << 10
    /// The longest line, in bytes.
    static let lineBytesMaximum = 1024
    private static let nameBytesMaximum = 40

    private struct Setting {
        let line: Int
        let name: String
        let value: String
    }

    /// Reads a file's bytes.
    public static func parse(_ bytes: [UInt8]) throws(ProfileError) -> TuningProfile {
        guard bytes.count <= bytesMaximum else {
            throw ProfileError("it has more than \(bytesMaximum) bytes")
        }
        var settings = try settings(bytes)
        guard !settings.isEmpty else {
            throw ProfileError("it is empty; the first line is 'format = \(TuningProfile.format)'")
        }
        let first = settings.removeFirst()
        guard first.name == "format" else {
            throw ProfileError(
                line: first.line,
                "'format = \(TuningProfile.format)' comes before everything else"
            )
        }
        guard first.value == String(TuningProfile.format) else {
            throw ProfileError(
                line: first.line,
                "format: this program reads format \(TuningProfile.format) only"
            )
        }
        var profile = try start(&settings)
        for setting in settings {
            do throws(ProfileError) {
                try profile.set(setting.name, setting.value)
            } catch {
                throw error.at(line: setting.line)
            }
        }
        return profile
    }

    /// Takes the name and the base out of the settings.
    private static func start(
        _ settings: inout [Setting]
    ) throws(ProfileError) -> TuningProfile {
        var base: TuningProfile?
        if let index = settings.firstIndex(where: { $0.name == "base" }) {
            let setting = settings.remove(at: index)
            guard let known = BuiltInProfiles.named(setting.value) else {
                let names = BuiltInProfiles.all.map(\.name).joined(separator: ", ")
                throw ProfileError(line: setting.line, "base: none of \(names)")
            }
            base = known
        }
        guard let index = settings.firstIndex(where: { $0.name == "name" }) else {
            throw ProfileError("it has no name; add 'name = ...'")
        }
        let setting = settings.remove(at: index)
        guard isName(setting.value) else {
            throw ProfileError(
                line: setting.line,
                "name: 1 to \(nameBytesMaximum) small letters, digits and dashes"
            )
        }
        return TuningProfile(name: setting.value, base: base)
    }

    /// Whether a text can be a profile's name.
    public static func isName(_ text: String) -> Bool {
        (1...nameBytesMaximum).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-")
            }
    }

    private static func settings(_ bytes: [UInt8]) throws(ProfileError) -> [Setting] {
        var settings: [Setting] = []
        var seen: [String: Int] = [:]
        let lines = bytes.split(separator: 10, omittingEmptySubsequences: false)
        for (index, bytes) in lines.enumerated() {
            let line = index + 1
            guard bytes.count <= lineBytesMaximum else {
                throw ProfileError(line: line, "it has more than \(lineBytesMaximum) bytes")
            }
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw ProfileError(line: line, "it is not UTF-8")
            }
            let content = trimmed(text)
            if content.isEmpty || content.utf8.first == UInt8(ascii: "#") { continue }
            guard let equal = content.utf8.firstIndex(of: UInt8(ascii: "=")) else {
                throw ProfileError(line: line, "it is neither 'field = value' nor a remark")
            }
            let name = trimmed(String(content[..<equal]))
            let value = trimmed(String(content[content.utf8.index(after: equal)...]))
            if let before = seen.updateValue(line, forKey: name) {
                throw ProfileError(line: line, "the field is given in line \(before) already")
            }
            settings.append(Setting(line: line, name: name, value: value))
        }
        return settings
    }

    /// A text without blanks and tabs at either end.
    ///
    /// By bytes: a blank with an accent is none.
    static func trimmed(_ text: String) -> String {
        let isBlank: (UInt8) -> Bool = { $0 == 32 || $0 == 9 }
        guard let start = text.utf8.firstIndex(where: { !isBlank($0) }),
            let end = text.utf8.lastIndex(where: { !isBlank($0) })
        else { return "" }
        return String(decoding: text.utf8[start...end], as: UTF8.self)
    }
}
