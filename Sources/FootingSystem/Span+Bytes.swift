// Searches over the bytes of texts. The library's own work on a `UTF8View`, whose every step asks
// which of its forms a string has: over a span they take a tenth.

extension Span<UInt8> {
    /// Where a byte stands at or after an offset; nil if it does not.
    @inlinable
    public func offset(of byte: UInt8, from start: Int = 0) -> Int? {
        var at = start
        while at < count {
            if self[at] == byte { return at }
            at += 1
        }
        return nil
    }

    /// Whether other bytes stand at an offset.
    @inlinable
    public func holds(_ other: Span<UInt8>, at start: Int) -> Bool {
        guard start + other.count <= count else { return false }
        var at = 0
        while at < other.count {
            if self[start + at] != other[at] { return false }
            at += 1
        }
        return true
    }

    /// Where other bytes first stand at or after an offset; nil if they do not.
    @inlinable
    public func offset(of other: Span<UInt8>, from start: Int = 0) -> Int? {
        guard other.count > 0 else { return start <= count ? start : nil }
        var at = start
        while let found = offset(of: other[0], from: at) {
            if holds(other, at: found) { return found }
            at = found + 1
        }
        return nil
    }

    /// Whether these bytes come before others in the order of `memcmp`, the shorter first.
    @inlinable
    public func precedes(_ other: Span<UInt8>) -> Bool {
        var at = 0
        while at < count, at < other.count {
            if self[at] != other[at] { return self[at] < other[at] }
            at += 1
        }
        return count < other.count
    }
}
