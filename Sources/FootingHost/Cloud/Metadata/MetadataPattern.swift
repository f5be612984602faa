/// The form that a text of a metadata server must have.
///
/// Small and by hand, as no regular expression is worth its size here.
enum MetadataPattern: Sendable {
    /// Decimal digits: an instance's number.
    case digits
    /// 8-4-4-4-12 hexadecimal digits.
    case uuid
    /// A beginning, and so many hexadecimal digits in lower case: `i-0123456789abcdef0`.
    case hexadecimal(after: String, count: ClosedRange<Int>)
    /// A beginning, and something behind it, without white space.
    case beginning(String)
    /// Anything printable without white space.
    case word

    func fits(_ text: String) -> Bool {
        guard Self.isPlain(text), !text.utf8.contains(0x20) else { return false }
        switch self {
        case .digits: return text.utf8.allSatisfy(Self.isDigit) && text.utf8.count <= 20
        case .uuid: return Self.isUUID(text)
        case .hexadecimal(let beginning, let count):
            guard let rest = text.dropping(prefix: beginning) else { return false }
            return count.contains(rest.utf8.count)
                && rest.utf8.allSatisfy { Self.isDigit($0) || (0x61...0x66).contains($0) }
        case .beginning(let beginning):
            return text.utf8.count > beginning.utf8.count
                && text.utf8.starts(with: beginning.utf8)
        case .word: return true
        }
    }

    /// Whether a text may be shown: 1 to 255 printable ASCII characters.
    ///
    /// What a server says must not steer a terminal.
    static func isPlain(_ text: String) -> Bool {
        (1...255).contains(text.utf8.count) && text.utf8.allSatisfy { (0x20...0x7e).contains($0) }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isUUID(_ text: String) -> Bool {
        let groups = text.utf8.split(separator: 0x2d, omittingEmptySubsequences: false)
        return groups.map(\.count) == [8, 4, 4, 4, 12]
            && groups.joined().allSatisfy {
                isDigit($0) || (0x61...0x66).contains($0) || (0x41...0x46).contains($0)
            }
    }
}
