/// What the parser, the help, the errors and the completions know of a parameter.
///
/// One type for all, as a type for each kind of value would have to be made at run time: that took
/// a tenth of a start.
package final class ParameterModel: Sendable {
    package enum Kind: Sendable {
        /// `--json`: there or not.
        case flag
        /// `--size 10G`: a name and a value.
        case option
        /// `disk.footing`: a value known by its position.
        case argument
    }

    package let kind: Kind
    /// Without dashes or brackets; unique within a command.
    package let name: String
    /// The letter of the short form, if there is one.
    package let letter: Character?
    /// What stands between the angle brackets; empty for a flag.
    package let placeholder: String
    package let help: String
    package let isRequired: Bool
    /// Whether it may be given more than once.
    package let isRepeated: Bool
    /// What holds when the parameter is left out, as text; nil where there is nothing to show.
    package let defaultText: String?
    private let completions: @Sendable () -> CompletionKind
    /// Whether a text is a value of it.
    package let check: @Sendable (String) throws(InvalidValue) -> Void

    package init(
        _ kind: Kind,
        _ name: String,
        letter: Character? = nil,
        placeholder: String = "",
        help: String,
        isRequired: Bool = false,
        isRepeated: Bool = false,
        defaultText: String? = nil,
        completions: @escaping @Sendable () -> CompletionKind = { .none },
        check: @escaping @Sendable (String) throws(InvalidValue) -> Void
    ) {
        self.kind = kind
        self.name = name
        self.letter = letter
        self.placeholder = placeholder
        self.help = help
        self.isRequired = isRequired
        self.isRepeated = isRepeated
        self.defaultText = defaultText
        self.completions = completions
        self.check = check
    }

    /// What a shell offers for it.
    package var completion: CompletionKind { completions() }
}

/// How the texts that were given become a value; none were if the parameter was left out.
package typealias Reading<Value> = @Sendable ([String]) throws(InvalidValue) -> Value

/// A switch that is off unless its name is given.
package struct Flag: Sendable {
    package let model: ParameterModel

    package init(_ name: String, letter: Character? = nil, help: String) {
        model = ParameterModel(.flag, name, letter: letter, help: help, check: { _ in })
    }
}

/// A named value.
package struct Option<Value: Sendable>: Sendable {
    package let model: ParameterModel
    package let read: Reading<Value>

    /// An option with a default; without one it is required.
    package init(
        _ name: String,
        letter: Character? = nil,
        _ type: ValueType<Value>,
        placeholder: String? = nil,
        default value: Value? = nil,
        help: String
    ) {
        model = ParameterModel(
            .option,
            name,
            letter: letter,
            placeholder: placeholder ?? type.placeholder,
            help: help,
            isRequired: value == nil,
            defaultText: value.map { type.format($0) },
            completions: type.completions,
            check: type.check
        )
        read = type.reading(default: value)
    }

    /// An option that may be left out, which gives nil.
    package init<Wrapped: Sendable>(
        optional name: String,
        letter: Character? = nil,
        _ type: ValueType<Wrapped>,
        placeholder: String? = nil,
        help: String
    ) where Value == Wrapped? {
        model = ParameterModel(
            .option,
            name,
            letter: letter,
            placeholder: placeholder ?? type.placeholder,
            help: help,
            completions: type.completions,
            check: type.check
        )
        read = type.optionalReading
    }
}

/// A value known by its position.
package struct Argument<Value: Sendable>: Sendable {
    package let model: ParameterModel
    package let read: Reading<Value>

    /// An argument with a default; without one it is required.
    package init(
        _ name: String,
        _ type: ValueType<Value>,
        default value: Value? = nil,
        help: String
    ) {
        model = ParameterModel(
            .argument,
            name,
            placeholder: name,
            help: help,
            isRequired: value == nil,
            defaultText: value.map { type.format($0) },
            completions: type.completions,
            check: type.check
        )
        read = type.reading(default: value)
    }

    /// An argument that may be left out, which gives nil.
    package init<Wrapped: Sendable>(
        optional name: String,
        _ type: ValueType<Wrapped>,
        help: String
    ) where Value == Wrapped? {
        model = ParameterModel(
            .argument,
            name,
            placeholder: name,
            help: help,
            completions: type.completions,
            check: type.check
        )
        read = type.optionalReading
    }

    /// All arguments that are left, possibly none: the last one of a command.
    package init<Element: Sendable>(
        repeating name: String,
        _ type: ValueType<Element>,
        help: String
    ) where Value == [Element] {
        model = ParameterModel(
            .argument,
            name,
            placeholder: name,
            help: help,
            isRepeated: true,
            completions: type.completions,
            check: type.check
        )
        read = { texts throws(InvalidValue) in
            var values: [Element] = []
            for text in texts { values.append(try type.parse(text)) }
            return values
        }
    }
}

extension ValueType {
    fileprivate var check: @Sendable (String) throws(InvalidValue) -> Void {
        { text throws(InvalidValue) in _ = try parse(text) }
    }

    fileprivate func reading(default value: Value?) -> Reading<Value> {
        { texts throws(InvalidValue) in
            if let text = texts.first { return try parse(text) }
            guard let value else { preconditionFailure("the parser lets none be left out") }
            return value
        }
    }

    fileprivate var optionalReading: Reading<Value?> {
        { texts throws(InvalidValue) in
            guard let text = texts.first else { return nil }
            return try parse(text)
        }
    }
}

extension ParameterModel {
    /// `--size <size>`, `-j, --json` or `<path>`: how help and errors name the parameter.
    package var label: String {
        let short = letter.map { "-\($0), " } ?? ""
        switch kind {
        case .flag: return short + "--\(name)"
        case .option: return short + "--\(name) <\(placeholder)>"
        case .argument: return isRepeated ? "<\(name)> ..." : "<\(name)>"
        }
    }

    /// The label without the short form, in square brackets if it may be left out.
    package var synopsis: String {
        let plain =
            switch kind {
            case .flag: "--\(name)"
            case .option: "--\(name) <\(placeholder)>"
            case .argument: isRepeated ? "<\(name)> ..." : "<\(name)>"
            }
        return isRequired ? plain : "[\(plain)]"
    }
}
