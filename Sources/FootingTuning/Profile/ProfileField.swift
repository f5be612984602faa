/// The value of a profile's field.
public enum ProfileValue: Sendable, Hashable {
    /// A word that stands for no number, as `auto`.
    case word(String)
    /// Bytes, microseconds or a count, by the field's kind.
    case number(UInt64)
    /// A sentence.
    case text(String)
    /// A set of names, sorted.
    case names([String])

    /// The number, if it is one.
    public var number: UInt64? {
        if case .number(let number) = self { return number }
        return nil
    }

    /// The names, if it has any.
    public var names: [String] {
        if case .names(let names) = self { return names }
        return []
    }
}

/// A field that every profile has.
public struct ProfileField: Sendable {
    /// What its values are.
    enum Kind: Sendable {
        case bytes(ClosedRange<UInt64>, isPowerOfTwo: Bool = false)
        case microseconds(ClosedRange<UInt64>)
        case count(ClosedRange<UInt64>)
        case names([String])
        case sentence(bytesMaximum: Int)
        /// One of the field's words, and nothing else.
        case word
    }

    /// Its name in files and on the command line.
    public let name: String
    let kind: Kind
    /// Words that may stand instead of a number.
    let words: [String]
    /// What it decides, in one sentence.
    public let help: String
    /// What heeds it now; nil: nothing does yet, it is only kept.
    public let usedBy: String?
    /// The value where a profile says nothing.
    let standard: String

    /// What a value may be, for people.
    public var range: String {
        let alternatives = words.map { "'\($0)' or " }.joined()
        switch kind {
        case .bytes(let range, let isPowerOfTwo):
            let what = isPowerOfTwo ? "a power of two" : "a size"
            return alternatives + "\(what) from \(ProfileUnits.bytesText(range.lowerBound)) "
                + "to \(ProfileUnits.bytesText(range.upperBound))"
        case .microseconds(let range):
            return alternatives + "a time from "
                + "\(ProfileUnits.microsecondsText(range.lowerBound)) "
                + "to \(ProfileUnits.microsecondsText(range.upperBound))"
        case .count(let range):
            return alternatives + "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .names(let names):
            return alternatives + "names among \(names.joined(separator: ", ")), "
                + "with blanks between them"
        case .word: return words.map { "'\($0)'" }.joined(separator: " or ")
        case .sentence(let maximum):
            return "a text of at most \(maximum) bytes without control characters"
        }
    }

    /// Reads a value.
    func value(_ text: String) throws(ProfileError) -> ProfileValue {
        if words.contains(where: { $0.utf8.elementsEqual(text.utf8) }) { return .word(text) }
        let value: ProfileValue? =
            switch kind {
            case .bytes(let range, let isPowerOfTwo):
                ProfileUnits.bytes(text)
                    .flatMap { Self.number($0, range) }
                    .flatMap { isPowerOfTwo && $0 & ($0 - 1) != 0 ? nil : .number($0) }
            case .microseconds(let range):
                ProfileUnits.microseconds(text).flatMap { Self.number($0, range) }
                    .map { .number($0) }
            case .count(let range):
                ProfileUnits.count(text).flatMap { Self.number($0, range) }.map { .number($0) }
            case .names(let known): Self.names(text, known)
            case .word: nil
            case .sentence(let maximum):
                text.utf8.count <= maximum && !Self.hasControl(text) ? .text(text) : nil
            }
        guard let value else {
            let shown = Self.hasControl(text) ? "its value" : "'\(text.prefix(80))'"
            throw ProfileError("\(name): \(shown) is not \(range)")
        }
        return value
    }

    /// A value as ``value(_:)`` reads it.
    public func text(_ value: ProfileValue) -> String {
        switch value {
        case .word(let word): return word
        case .text(let text): return text
        case .names(let names): return names.joined(separator: " ")
        case .number(let number):
            switch kind {
            case .bytes: return ProfileUnits.bytesText(number)
            case .microseconds: return ProfileUnits.microsecondsText(number)
            case .count, .names, .sentence, .word: return String(number)
            }
        }
    }

    private static func number(_ number: UInt64, _ range: ClosedRange<UInt64>) -> UInt64? {
        range.contains(number) ? number : nil
    }

    private static func names(_ text: String, _ known: [String]) -> ProfileValue? {
        let names = Set(text.split { $0 == " " || $0 == "\t" }.map(String.init))
        guard !names.isEmpty, names.isSubset(of: known) else { return nil }
        return .names(names.sorted())
    }

    private static func hasControl(_ text: String) -> Bool {
        text.unicodeScalars.contains { $0.value < 0x20 || (0x7f...0x9f).contains($0.value) }
    }
}

// MARK: - The table

extension ProfileField {
    /// A field by its name.
    public static func named(_ name: String) -> ProfileField? {
        all.first { $0.name.utf8.elementsEqual(name.utf8) }
    }

    private static let server = "'footing serve --profile'"
    private static let create = "'footing disk create' and 'import' with --profile"
    private static let mebibyte: UInt64 = 1 << 20

    /// Parts of the program that a place may have to do without.
    static let features = TuningProfile.Feature.allCases.map(\.rawValue)

    /// Every field, in the order of a file.
    public static let all: [ProfileField] =
        [
            ProfileField(
                name: "description",
                kind: .sentence(bytesMaximum: 200),
                words: [],
                help: "What it is for.",
                usedBy: "'footing profile list'",
                standard: ""
            ),
            ProfileField(
                name: "memory-budget",
                kind: .bytes(16 * mebibyte...1 << 44),
                words: ["auto"],
                help: "What a disk may keep in memory; auto is a part of what is free.",
                usedBy: server,
                standard: "auto"
            ),
            ProfileField(
                name: "memory-ceiling",
                kind: .bytes(32 * mebibyte...1 << 44),
                words: ["none"],
                help: "What the whole process may take.",
                usedBy: server,
                standard: "none"
            ),
            ProfileField(
                name: "connections",
                kind: .count(1...4096),
                words: [],
                help: "Clients at a time.",
                usedBy: server,
                standard: "64"
            ),
            ProfileField(
                name: "bandwidth",
                kind: .bytes(64 << 10...1 << 40),
                words: ["unlimited"],
                help: "Bytes a second that all clients of a disk have together.",
                usedBy: server,
                standard: "unlimited"
            ),
            ProfileField(
                name: "features",
                kind: .names(features),
                words: ["all", "none"],
                help: "What the disk may do besides reading and writing.",
                usedBy: "\(server) and \(create)",
                standard: "all"
            ),
            ProfileField(
                name: "gather-threshold",
                kind: .microseconds(0...1_000_000),
                words: [],
                help: "A commit that takes longer waits for company, up to a sixth of that time.",
                usedBy: server,
                standard: "200us"
            ),
            ProfileField(
                name: "unflushed-bytes",
                kind: .bytes(256 << 10...1 << 30),
                words: [],
                help: "Acknowledged but unflushed data, at most.",
                usedBy: server,
                standard: "16M"
            ),
            ProfileField(
                name: "unflushed-age",
                kind: .microseconds(10_000...3_600_000_000),
                words: [],
                help:
                    "The age of acknowledged but unflushed data, at most.",
                usedBy: server,
                standard: "1s"
            ),
        ] + more

    private static let more: [ProfileField] = [
        ProfileField(
            name: "checkpoint-log",
            kind: .bytes(8 * mebibyte...16 << 30),
            words: [],
            help: "Log between two checkpoints; a recovery replays at most twice that.",
            usedBy: server,
            standard: "128M"
        ),
        ProfileField(
            name: "read-workers",
            kind: .count(1...256),
            words: ["auto"],
            help: "Threads that wait for reads; auto follows the disk's queues.",
            usedBy: server,
            standard: "auto"
        ),
        ProfileField(
            name: "segment-size",
            kind: .bytes(mebibyte...64 * mebibyte, isPowerOfTwo: true),
            words: ["auto"],
            help: "The unit in which a disk is written; on flash a multiple of what it erases.",
            usedBy: create,
            standard: "auto"
        ),
        ProfileField(
            name: "offline-buffer",
            kind: .bytes(mebibyte...1 << 40),
            words: ["none"],
            help: "What is kept for a remote store that cannot be reached.",
            usedBy: nil,
            standard: "none"
        ),
        ProfileField(
            name: "hosted-optimizer",
            kind: .word,
            words: ["auto", "off"],
            help: "Whether segments are written once before the log comes to them; auto follows "
                + "the file system.",
            usedBy: "\(server) and \(create)",
            standard: "auto"
        ),
        ProfileField(
            name: "rules",
            kind: .names(TuningRule.all.map(\.name)),
            words: ["none"],
            help: "What 'footing apply' may change; every other rule is a candidate.",
            usedBy: "'footing plan', 'footing apply' and 'footing prove'",
            standard: "none"
        ),
    ]
}
