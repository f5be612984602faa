/// Numbers in the small texts of `/proc`, `/sys` and debugfs: a name at the start of a line, then
/// blanks, `:` or `=`, then digits.
///
/// It reads bytes in place, as these files are read many times a second.
enum CounterText {
    /// The number behind a name; nil if the line is missing, or no number that fits is there.
    static func number(_ name: String, in text: ArraySlice<UInt8>) -> UInt64? {
        let text = text.span
        guard let start = valueStart(name, in: text) else { return nil }
        return digits(in: text, from: start)
    }

    /// The number in a text that holds nothing else, as `memory.current` does.
    static func number(in text: ArraySlice<UInt8>) -> UInt64? {
        digits(in: text.span, from: 0)
    }

    /// The same in units of 1024 bytes, as bytes.
    static func kibibytes(_ name: String, in text: ArraySlice<UInt8>) -> UInt64? {
        number(name, in: text).flatMap { multiplied($0, by: 1024) }
    }

    /// A percentage such as `12.34` behind ` avg10=` in the line of a name, in hundredths.
    static func stall(_ name: String, in text: ArraySlice<UInt8>) -> PressureStall? {
        let text = text.span
        guard let start = valueStart(name, in: text),
            let average = member("avg10=", in: text, from: start),
            let whole = digits(in: text, from: average), whole <= 100,
            let total = member("total=", in: text, from: start),
            let microseconds = digits(in: text, from: total)
        else { return nil }
        var point = average
        while point < text.count, (48...57).contains(text[point]) { point += 1 }
        let hasFraction = point < text.count && text[point] == UInt8(ascii: ".")
        let fraction = hasFraction ? digits(in: text, from: point + 1) ?? 0 : 0
        return PressureStall(
            averageHundredths: whole * 100 + min(fraction, 99),
            totalMicroseconds: microseconds
        )
    }

    static func multiplied(_ value: UInt64, by factor: UInt64) -> UInt64? {
        let product = value.multipliedReportingOverflow(by: factor)
        return product.overflow ? nil : product.partialValue
    }

    /// Where the value starts in the first line that begins with a name.
    private static func valueStart(
        _ name: String,
        in text: Span<UInt8>
    ) -> Int? {
        let wanted = name.utf8Span.span
        let length = wanted.count
        var start = 0
        while start + length < text.count {
            var same = 0
            while same < length, text[start + same] == wanted[same] { same += 1 }
            if same == length, isSeparator(text[start + length]) { return start + length }
            while start < text.count, text[start] != 10 { start += 1 }
            start += 1
        }
        return nil
    }

    /// Where the value of a `name=value` starts in the same line.
    private static func member(
        _ name: String,
        in text: Span<UInt8>,
        from start: Int
    ) -> Int? {
        let wanted = name.utf8Span.span
        let length = wanted.count
        var at = start
        while at + length < text.count, text[at] != 10 {
            var same = 0
            while same < length, text[at + same] == wanted[same] { same += 1 }
            if same == length { return at + length }
            at += 1
        }
        return nil
    }

    private static func isSeparator(_ byte: UInt8) -> Bool {
        byte == 32 || byte == 9 || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "=")
    }

    private static func digits(in text: Span<UInt8>, from start: Int) -> UInt64? {
        var at = start
        while at < text.count, isSeparator(text[at]) { at += 1 }
        var value: UInt64 = 0
        let first = at
        while at < text.count, case let digit = text[at], (48...57).contains(digit) {
            let (tens, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, isOver) = tens.addingReportingOverflow(UInt64(digit - 48))
            if isTooLarge || isOver { return nil }
            value = sum
            at += 1
        }
        return at > first ? value : nil
    }
}

/// How long tasks waited for memory (`Documentation/accounting/psi.rst`).
struct PressureStall: Sendable, Equatable {
    /// Of the last 10 seconds, in hundredths of a percent.
    var averageHundredths: UInt64
    /// Since the machine or the group began, in microseconds.
    var totalMicroseconds: UInt64
}
