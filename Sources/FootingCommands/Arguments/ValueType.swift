/// Why a text is not a value of the type that was asked for.
package struct InvalidValue: Error, Equatable {
    /// What would have been right, such as "a size like 512M or 10G".
    package let expectation: String
}

/// What a shell offers when the user asks it to complete a value.
package enum CompletionKind: Sendable, Equatable {
    case none
    case file
    case directory
    case choices([String])
}

/// How the text of an option or an argument becomes a value, and how the value is shown again.
package struct ValueType<Value: Sendable>: Sendable {
    /// What stands between the angle brackets unless the declaration names something better.
    package let placeholder: String
    package let completions: @Sendable () -> CompletionKind
    package let parse: @Sendable (String) throws(InvalidValue) -> Value
    package let format: @Sendable (Value) -> String

    package init(
        placeholder: String,
        completion: @escaping @autoclosure @Sendable () -> CompletionKind = .none,
        parse: @escaping @Sendable (String) throws(InvalidValue) -> Value,
        format: @escaping @Sendable (Value) -> String
    ) {
        self.placeholder = placeholder
        completions = completion
        self.parse = parse
        self.format = format
    }
}

extension ValueType<String> {
    /// Any text, the empty one included.
    package static var text: ValueType<String> {
        ValueType(placeholder: "text", parse: { text throws(InvalidValue) in text }, format: { $0 })
    }

    /// The path of a file; it need not exist.
    package static var file: ValueType<String> { path(placeholder: "path", .file) }

    /// The path of a directory; it need not exist.
    package static var directory: ValueType<String> { path(placeholder: "directory", .directory) }

    private static func path(
        placeholder: String,
        _ completion: CompletionKind
    ) -> ValueType<String> {
        ValueType(
            placeholder: placeholder,
            completion: completion,
            parse: { text throws(InvalidValue) in
                guard !text.isEmpty, !text.utf8.contains(0) else {
                    throw InvalidValue(expectation: "a path")
                }
                return text
            },
            format: { $0 }
        )
    }
}

extension ValueType<UInt64> {
    /// Bytes, with an optional binary unit: `4096`, `512M`, `10G`, `1TiB`.
    package static var byteSize: ValueType<UInt64> {
        ValueType(placeholder: "size", parse: ByteSize.parse, format: ByteSize.exactText)
    }
}

extension ValueType<Duration> {
    /// A time with its unit: `250ms`, `5s`, `2m`.
    package static var duration: ValueType<Duration> {
        ValueType(
            placeholder: "duration",
            parse: DurationText.parse,
            format: DurationText.exactText
        )
    }
}

extension ValueType<Int> {
    /// A whole number within a range.
    package static func integer(_ range: ClosedRange<Int>) -> ValueType<Int> {
        ValueType(
            placeholder: "number",
            parse: { text throws(InvalidValue) in
                guard let value = Int(text), range.contains(value) else {
                    let bounds = "from \(range.lowerBound) to \(range.upperBound)"
                    throw InvalidValue(expectation: "a whole number " + bounds)
                }
                return value
            },
            format: { String($0) }
        )
    }

    /// A percentage from 0 to 100; the sign may be left out.
    package static var percent: ValueType<Int> {
        ValueType(
            placeholder: "percent",
            parse: { text throws(InvalidValue) in
                let digits = text.hasSuffix("%") ? String(text.dropLast()) : text
                guard let value = Int(digits), (0...100).contains(value) else {
                    throw InvalidValue(expectation: "a percentage from 0% to 100%")
                }
                return value
            },
            format: { "\($0)%" }
        )
    }
}

extension ValueType where Value: CaseIterable & RawRepresentable, Value.RawValue == String {
    /// One of the texts of an enumeration.
    package static func choice(of type: Value.Type = Value.self) -> ValueType<Value> {
        ValueType(
            placeholder: "choice",
            completion: .choices(Value.allCases.map(\.rawValue)),
            parse: { text throws(InvalidValue) in
                guard let value = Value(rawValue: text) else {
                    let choices = Value.allCases.map(\.rawValue)
                    throw InvalidValue(
                        expectation: "one of " + choices.joined(separator: ", ")
                            + Spelling.suggestion(for: text, among: choices)
                    )
                }
                return value
            },
            format: { $0.rawValue }
        )
    }
}
