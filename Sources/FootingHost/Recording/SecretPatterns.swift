/// Finds secrets by their form, wherever they stand: UUIDs, hardware and IP addresses, long
/// hexadecimal names, ids of cloud instances, names of disks by their ids; and known texts.
struct SecretPatterns: Sendable {
    /// What a scan may touch.
    struct Scope: OptionSet, Sendable {
        let rawValue: Int
        /// Four numbers with dots are an address; versions look the same.
        static let addresses = Scope(rawValue: 1)
        /// The machine's names, which may also be ordinary words.
        static let hostNames = Scope(rawValue: 2)
        /// Secrets that were read elsewhere.
        static let known = Scope(rawValue: 4)
    }

    private let pseudonyms: Pseudonyms
    /// Secrets read elsewhere, by their first byte; the longest first.
    private var known: [UInt8: [[UInt8]]] = [:]
    private var hostNames: [UInt8: [[UInt8]]] = [:]

    /// Fillers that stand where a maker wrote nothing.
    static let fillers: Set<String> = [
        "", "none", "not specified", "not available", "not applicable", "n/a", "na", "unknown",
        "default string", "to be filled by o.e.m.", "system serial number", "chassis serial number",
        "base board serial number", "no asset tag", "asset tag", "no asset information", "empty",
        // PowerVM calls the one partition of a whole machine `full`.
        "full", "0", "00", "000000000000", "0123456789", "123456789", "invalid", "unspecified",
    ]

    init(_ pseudonyms: Pseudonyms, known: [String], hostNames: [String]) {
        self.pseudonyms = pseudonyms
        for text in Set(known) where text.utf8.count >= 6 { Self.add(text, to: &self.known) }
        // Device-mapper doubles the dashes of names; programs write names in lower case.
        let spellings = hostNames.flatMap { name in
            [name, name.lowercased()].flatMap { [$0, Self.doublingDashes($0)] }
        }
        for text in Set(spellings) where text.utf8.count >= 3 && text != "localhost" {
            Self.add(text, to: &self.hostNames)
        }
    }

    private static func doublingDashes(_ text: String) -> String {
        let dash = UInt8(ascii: "-")
        let bytes = text.utf8.flatMap { $0 == dash ? [dash, dash] : [$0] }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func add(_ text: String, to table: inout [UInt8: [[UInt8]]]) {
        guard !fillers.contains(text.lowercased()), let first = text.utf8.first else { return }
        table[first, default: []].append(Array(text.utf8))
        table[first]?.sort { $0.count > $1.count }
    }

    /// The bytes with a stand-in for every secret; the length stays, but for IPv4 addresses.
    func scrubbed(_ bytes: [UInt8], _ scope: Scope) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var at = 0
        while at < bytes.count {
            let isStart = at == 0 || !bytes[at - 1].isWord
            if isStart, let (length, replacement) = found(in: bytes, at, scope) {
                output += replacement
                at += length
            } else if !isStart, bytes[at].isHexadecimalDigit, let length = uuid(bytes[at...]) {
                // Kubernetes writes `pod` right before them, whose last letter is a digit as well.
                output += pseudonyms.uuid(bytes[at...].prefix(length))
                at += length
            } else {
                output.append(bytes[at])
                at += 1
            }
        }
        return output
    }

    func scrubbed(_ text: String, _ scope: Scope) -> String {
        String(decoding: scrubbed(Array(text.utf8), scope), as: UTF8.self)
    }

    private typealias Finding = (length: Int, replacement: [UInt8])

    private func found(in bytes: [UInt8], _ at: Int, _ scope: Scope) -> Finding? {
        let rest = bytes[at...]
        let isHexadecimal = bytes[at].isHexadecimalDigit
        if scope.contains(.known), let length = literal(known, rest) {
            return (length, whole(rest.prefix(length)))
        }
        if scope.contains(.hostNames), let length = literal(hostNames, rest) {
            return (length, pseudonyms.text(rest.prefix(length)))
        }
        if let (prefix, length) = diskName(rest) ?? instance(rest) {
            let kept = rest.prefix(prefix)
            let secret = rest.dropFirst(prefix).prefix(length)
            return (prefix + length, kept + stand(in: secret))
        }
        if isHexadecimal, let length = uuid(rest) {
            return (length, pseudonyms.uuid(rest.prefix(length)))
        }
        if isHexadecimal, let length = hardwareAddress(rest) {
            return (length, pseudonyms.hardwareAddress(rest.prefix(length)))
        }
        if isHexadecimal || bytes[at] == UInt8(ascii: ":"), let length = internetAddress(rest) {
            return (length, pseudonyms.text(rest.prefix(length), isHexadecimal: true))
        }
        if scope.contains(.addresses), bytes[at].isDigit,
            at == 0 || bytes[at - 1] != UInt8(ascii: "."), let length = dottedAddress(rest)
        {
            return (length, pseudonyms.address(rest.prefix(length)))
        }
        if isHexadecimal, let length = longNumber(rest), !follows("vmbus:", bytes, at) {
            return (length, pseudonyms.text(rest.prefix(length), isHexadecimal: true))
        }
        return nil
    }

    /// The stand-in for a text that is a secret as a whole; a part that names a cloud stays.
    func whole(_ text: ArraySlice<UInt8>) -> [UInt8] {
        let prefix = SecretRule.keptPrefixes.first { text.starts(with: $0.utf8) } ?? ""
        var middle = text.dropFirst(prefix.utf8.count)
        let suffix = SecretRule.keptSuffixes.first { suffix in
            middle.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
        }
        middle = middle.dropLast(suffix?.utf8.count ?? 0)
        return text[..<middle.startIndex] + stand(in: middle) + text[middle.endIndex...]
    }

    /// The stand-in for a secret of whatever form.
    func stand(in secret: ArraySlice<UInt8>) -> [UInt8] {
        if uuid(secret) == secret.count { return pseudonyms.uuid(secret) }
        if hardwareAddress(secret) == secret.count { return pseudonyms.hardwareAddress(secret) }
        let isHexadecimal =
            secret.count >= 8 && secret.allSatisfy { $0.isHexadecimalDigit || !$0.isWord }
        return pseudonyms.text(secret, isHexadecimal: isHexadecimal)
    }

    private func literal(_ table: [UInt8: [[UInt8]]], _ rest: ArraySlice<UInt8>) -> Int? {
        guard let first = rest.first, let texts = table[first] else { return nil }
        return texts.first { text in
            rest.starts(with: text) && Self.ends(rest.dropFirst(text.count))
        }?.count
    }

    private static func ends(_ rest: ArraySlice<UInt8>) -> Bool {
        rest.first.map { !$0.isWord } ?? true
    }

    private func follows(_ text: String, _ bytes: [UInt8], _ at: Int) -> Bool {
        bytes[..<at].suffix(text.utf8.count).elementsEqual(text.utf8)
    }
}

// MARK: - Forms

extension SecretPatterns {
    /// 8-4-4-4-12 digits with the same sign between them.
    private func uuid(_ rest: ArraySlice<UInt8>) -> Int? {
        let length = 36
        guard rest.count >= length else { return nil }
        let text = rest.prefix(length)
        let sign = text[text.startIndex + 8]
        guard sign == UInt8(ascii: "-") || sign == UInt8(ascii: "_") else { return nil }
        for (offset, byte) in text.enumerated() {
            let isSign = offset == 8 || offset == 13 || offset == 18 || offset == 23
            guard isSign ? byte == sign : byte.isHexadecimalDigit else { return nil }
        }
        return Self.ends(rest.dropFirst(length)) ? length : nil
    }

    /// Six to twenty pairs of digits with the same sign between them.
    private func hardwareAddress(_ rest: ArraySlice<UInt8>) -> Int? {
        guard rest.count >= 17 else { return nil }
        let sign = rest[rest.startIndex + 2]
        guard sign == UInt8(ascii: ":") || sign == UInt8(ascii: "-") else { return nil }
        var length = 0
        for (offset, byte) in rest.enumerated() {
            guard offset % 3 == 2 ? byte == sign : byte.isHexadecimalDigit else { break }
            length = offset + 1
        }
        guard length >= 17, length % 3 == 2, length <= 59 else { return nil }
        return Self.ends(rest.dropFirst(length)) ? length : nil
    }

    /// Groups of digits between colons: eight, or at least two with `::` among them.
    private func internetAddress(_ rest: ArraySlice<UInt8>) -> Int? {
        let colon = UInt8(ascii: ":")
        var text = rest.prefix { $0.isHexadecimalDigit || $0 == colon }
        let last = text.lastIndex(of: colon) ?? text.startIndex
        let isMixed = rest[last] == colon && dottedAddress(rest[(last + 1)...]) != nil
        // `::ffff:192.0.2.1`: the end is looked at as an address of its own.
        if isMixed { text = text[...last] }
        guard text.count >= 4, isMixed || Self.ends(rest.dropFirst(text.count)) else {
            return nil
        }
        let groups = text.split(separator: colon, omittingEmptySubsequences: false)
        guard groups.allSatisfy({ $0.count <= 4 }) else { return nil }
        let filled = groups.count { !$0.isEmpty }
        if groups.count == (isMixed ? 7 : 8), filled == (isMixed ? 6 : 8) { return text.count }
        let doubles = zip(text, text.dropFirst()).count { $0 == colon && $1 == colon }
        return doubles == 1 && filled >= (isMixed ? 1 : 2) && filled <= 7 ? text.count : nil
    }

    /// Four numbers up to 255.
    private func dottedAddress(_ rest: ArraySlice<UInt8>) -> Int? {
        let dot = UInt8(ascii: ".")
        let text = rest.prefix { $0.isDigit || $0 == dot }
        let groups = text.split(separator: dot, omittingEmptySubsequences: false)
        let isAddress =
            groups.count == 4
            && groups.allSatisfy { group in
                (1...3).contains(group.count)
                    && (Int(String(decoding: group, as: UTF8.self)) ?? 256) < 256
            }
        let behind = rest.dropFirst(text.count)
        return isAddress && Self.ends(behind) ? text.count : nil
    }

    /// 32 hexadecimal digits and more, as machine ids and containers' names; flags are 0 and 1.
    private func longNumber(_ rest: ArraySlice<UInt8>) -> Int? {
        let text = rest.prefix { $0.isHexadecimalDigit }
        guard text.count >= 32, text.contains(where: { !$0.isDigit }),
            Set(text).count > 2, Self.ends(rest.dropFirst(text.count))
        else { return nil }
        return text.count
    }

    /// `by-id/NAME` and its like: the lengths of what stays and of the name.
    private func diskName(_ rest: ArraySlice<UInt8>) -> (Int, Int)? {
        guard rest.first == UInt8(ascii: "b"), rest.starts(with: "by-".utf8) else { return nil }
        guard let folder = Self.diskFolders.first(where: { rest.starts(with: $0.utf8) }) else {
            return nil
        }
        let isEnd: (UInt8) -> Bool = { $0 <= 32 || $0 == 44 || $0 == 47 || $0 == 34 }
        let name = rest.dropFirst(folder.utf8.count).prefix { !isEnd($0) }
        let isKept = Self.keptDiskNames.contains(String(decoding: name, as: UTF8.self).lowercased())
        return name.isEmpty || isKept ? nil : (folder.utf8.count, name.count)
    }

    private static let diskFolders = [
        "by-id/", "by-uuid/", "by-label/", "by-partuuid/", "by-partlabel/", "by-diskseq/",
    ]

    /// Labels and ids by which clouds mark their own disks.
    static let keptDiskNames: Set<String> = [
        "cidata", "config-2", "metadata", "cloudmd", "context", "9796-932e",
    ]

    /// `i-0123456789abcdef0`, `vol-…`, `enx…`: the lengths of what stays and of the number.
    private func instance(_ rest: ArraySlice<UInt8>) -> (Int, Int)? {
        for (prefix, lengths) in Self.numbered where rest.starts(with: prefix.utf8) {
            let number = rest.dropFirst(prefix.utf8.count)
            let digits = number.prefix { $0.isHexadecimalDigit }
            guard lengths.contains(digits.count), digits.contains(where: \.isDigit),
                Self.ends(number.dropFirst(digits.count))
            else { continue }
            return (prefix.utf8.count, digits.count)
        }
        return nil
    }

    /// Instances and volumes of EC2, and network interfaces named after their address.
    private static let numbered: [(prefix: String, lengths: [Int])] = [
        ("i-", [8, 17]), ("vol-", [8, 17]), ("vol", [8, 17]), ("enx", [12]), ("wlx", [12]),
    ]
}
