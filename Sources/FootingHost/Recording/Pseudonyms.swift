/// Stands other values in for secrets: of the same length and shape, the same for the same secret.
///
/// The key is drawn anew for each recording and kept nowhere, so that not even a value of few
/// possibilities, as an address, can be found by trying them all.
struct Pseudonyms: Sendable {
    private let keyed: KeyedHash

    init(_ keyed: KeyedHash = KeyedHash()) {
        self.keyed = keyed
    }

    /// A text whose letters and digits are others; case, length and everything else stay.
    ///
    /// - Parameter isHexadecimal: whether letters stand for digits, as in an address. Then the same
    ///   digits have the same stand-in, however they are written.
    func text(_ secret: ArraySlice<UInt8>, isHexadecimal: Bool = false) -> [UInt8] {
        let seed =
            isHexadecimal
            ? secret.filter(\.isHexadecimalDigit).map { $0 | 0x20 } : Array(secret)
        // What cannot change (no letter, no digit) needs no second try; a short secret may.
        for attempt in UInt8(0)..<8 {
            var stream = Stream(keyed, seed + [attempt])
            let result = secret.map { byte -> UInt8 in
                if isHexadecimal, byte.isHexadecimalDigit {
                    let digit = stream.next(below: 16)
                    return digit < 10 ? 48 + digit : (byte.isUpperLetter ? 55 : 87) + digit
                }
                switch byte {
                case 48...57: return 48 + stream.next(below: 10)
                case 65...90: return 65 + stream.next(below: 26)
                case 97...122: return 97 + stream.next(below: 26)
                default: return byte
                }
            }
            if !result.elementsEqual(secret) { return result }
        }
        return Array(secret)
    }

    /// A UUID, whose version, variant and what makes it one of EC2's stay.
    ///
    /// EC2's begin with `ec2`; where the first three groups are read in the other byte order, the
    /// fifth digit is 2 and the seventh and eighth are `ec`. One that is all zeros or all ones
    /// names nothing (Xen's domain 0 has zeros).
    ///
    /// - Parameter secret: 32 digits, with whatever stands between them.
    func uuid(_ secret: ArraySlice<UInt8>) -> [UInt8] {
        let digits = secret.filter(\.isHexadecimalDigit).map { $0 | 0x20 }
        guard Set(digits).count > 1 else { return Array(secret) }
        var kept: Set<Int> = [12, 16]
        if digits.starts(with: "ec2".utf8) { kept.formUnion([0, 1, 2]) }
        if digits.count > 7, digits[4] == 50, digits[6...7].elementsEqual("ec".utf8) {
            kept.formUnion([4, 6, 7])
        }
        var at = -1
        return zip(secret, text(secret, isHexadecimal: true)).map { old, new in
            guard old.isHexadecimalDigit else { return old }
            at += 1
            guard kept.contains(at) else { return new }
            return old
        }
    }

    /// A hardware address, whose maker (the first three bytes) stays: it tells hypervisors apart.
    func hardwareAddress(_ secret: ArraySlice<UInt8>) -> [UInt8] {
        let digits = secret.filter(\.isHexadecimalDigit)
        guard Set(digits).count > 1 else { return Array(secret) }
        let makerBytes = 9
        let hidden = text(secret, isHexadecimal: true).dropFirst(makerBytes)
        return Array(secret.prefix(makerBytes) + hidden)
    }

    /// An IPv4 address; one of this machine itself stays.
    func address(_ secret: ArraySlice<UInt8>) -> [UInt8] {
        let isOwn = secret.starts(with: "127.".utf8) || secret.starts(with: "0.0.0.0".utf8)
        if isOwn { return Array(secret) }
        var stream = Stream(keyed, Array(secret))
        return Array(
            (0..<4).map { _ in "\(1 + stream.next(below: 254))" }.joined(separator: ".").utf8
        )
    }

    /// Bytes that are no text.
    func binary(_ secret: [UInt8]) -> [UInt8] {
        var stream = Stream(keyed, secret)
        return secret.map { _ in stream.next(below: 256) }
    }

    /// Numbers without end that belong to one secret.
    private struct Stream {
        let keyed: KeyedHash
        let seed: [UInt8]
        var word: UInt64 = 0
        var count: UInt8 = 0
        var left = 0

        init(_ keyed: KeyedHash, _ seed: [UInt8]) {
            self.keyed = keyed
            self.seed = seed
        }

        mutating func next(below bound: UInt64) -> UInt8 {
            if left == 0 {
                word = keyed.hash(seed + [count])
                count &+= 1
                left = 4
            }
            left -= 1
            // Sixteen bits for each: the bias towards small numbers is below one in 256.
            defer { word >>= 16 }
            return UInt8((word & 0xffff) % bound)
        }
    }
}

extension UInt8 {
    var isHexadecimalDigit: Bool {
        (48...57).contains(self) || (97...102).contains(self | 0x20)
    }

    var isDigit: Bool { (48...57).contains(self) }

    var isUpperLetter: Bool { (65...90).contains(self) }

    /// A letter or digit of ASCII.
    var isWord: Bool { isDigit || (97...122).contains(self | 0x20) }
}
