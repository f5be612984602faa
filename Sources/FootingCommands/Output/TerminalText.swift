/// Texts that came from elsewhere, before a terminal sees them.
package enum TerminalText {
    /// The text with `.` for each control character (C0, DEL, C1): a device's name, or a file of a
    /// recording, could otherwise give orders to the terminal.
    ///
    /// - Parameter keepsLineFeeds: whether the text may have more than one line.
    package static func harmless(_ text: String, keepsLineFeeds: Bool = true) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
            let isKept = !isControl || (keepsLineFeeds && scalar == "\n")
            scalars.append(isKept ? scalar : ".")
        }
        return String(scalars)
    }
}
