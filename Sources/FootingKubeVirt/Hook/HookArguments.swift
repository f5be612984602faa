/// The command line of a hook: `onDefineDomain --vmi JSON --domain XML`.
///
/// As bytes: what is no UTF-8 must come out as it went in.
public struct HookArguments: Sendable, Hashable {
    /// The values of the names, as far as they were given.
    public private(set) var values: [String: [UInt8]] = [:]
    /// What was given besides: later versions of KubeVirt may say more.
    public private(set) var unknown: [String] = []

    /// Reads `--name value` and `--name=value`; of a name that stands twice the last value counts.
    ///
    /// - Parameters:
    ///   - words: the words behind the program's name.
    ///   - names: those that are known.
    public init(_ words: [[UInt8]], names: [String]) {
        var index = 0
        while index < words.count {
            let word = words[index]
            index += 1
            let dashes: [UInt8] = [0x2D, 0x2D]
            guard word.starts(with: dashes), word.count > 2 else {
                unknown.append(Self.text(word))
                continue
            }
            let rest = word.dropFirst(2)
            let sign = rest.firstIndex(of: UInt8(ascii: "="))
            let name = String(decoding: rest[..<(sign ?? rest.endIndex)], as: UTF8.self)
            let attached = sign.map { Array(rest[rest.index(after: $0)...]) }
            if names.contains(name) {
                if let attached {
                    values[name] = attached
                } else if index < words.count {
                    values[name] = words[index]
                    index += 1
                }
            } else {
                unknown.append("--" + Self.text(Array(name.utf8)))
                let hasValue = attached == nil && index < words.count
                if hasValue, !words[index].starts(with: dashes) { index += 1 }
            }
        }
    }

    private static func text(_ word: [UInt8]) -> String {
        String(decoding: word.prefix(64), as: UTF8.self)
    }
}
