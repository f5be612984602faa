/// Something a command takes from its command line: a ``Flag``, an ``Option`` or an ``Argument``.
protocol Parameter: Sendable {
    var model: ParameterModel { get }
}

/// What the parser, the help, the errors and the completions know of a parameter.
struct ParameterModel: Sendable {
    enum Kind: Sendable {
        /// `--json`: there or not.
        case flag
        /// `--size 10G`: a name and a value.
        case option
        /// `disk.footing`: a value known by its position.
        case argument
    }

    let kind: Kind
    /// Without dashes or brackets; unique within a command.
    let name: String
    /// The letter of the short form, if there is one.
    let letter: Character?
    /// What stands between the angle brackets; empty for a flag.
    let placeholder: String
    let help: String
    let isRequired: Bool
    /// What holds when the parameter is left out, as text; nil where there is nothing to show.
    let defaultText: String?
    let completion: CompletionKind
    /// Turns the text into the value, boxed; ``Invocation`` unpacks it.
    let parse: @Sendable (String) throws(InvalidValue) -> any Sendable
    /// The boxed value when the parameter is left out; nil if it is required.
    let fallback: (any Sendable)?
    /// Puts a further value behind those given before; nil if it may be given only once.
    var append: (@Sendable (any Sendable, any Sendable) -> any Sendable)?
}

/// A value in its box: a cast to `Box<Int?>` is exact, one to `Int?` would look through optionals.
struct Box<Value: Sendable>: Sendable {
    let value: Value
}

/// A switch that is off unless its name is given.
struct Flag: Parameter {
    let model: ParameterModel

    init(_ name: String, letter: Character? = nil, help: String) {
        model = ParameterModel(
            kind: .flag,
            name: name,
            letter: letter,
            placeholder: "",
            help: help,
            isRequired: false,
            defaultText: nil,
            completion: .none,
            parse: { _ throws(InvalidValue) in Box(value: true) },
            fallback: Box(value: false)
        )
    }
}

/// A named value.
struct Option<Value: Sendable>: Parameter {
    let model: ParameterModel

    /// An option with a default; without one it is required.
    init(
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
            letter,
            type,
            placeholder ?? type.placeholder,
            default: value,
            help
        )
    }

    /// An option that may be left out, which gives nil.
    init<Wrapped: Sendable>(
        optional name: String,
        letter: Character? = nil,
        _ type: ValueType<Wrapped>,
        placeholder: String? = nil,
        help: String
    ) where Value == Wrapped? {
        model = ParameterModel(
            optional: .option,
            name,
            letter,
            type,
            placeholder ?? type.placeholder,
            help
        )
    }
}

/// A value known by its position.
struct Argument<Value: Sendable>: Parameter {
    let model: ParameterModel

    /// An argument with a default; without one it is required.
    init(_ name: String, _ type: ValueType<Value>, default value: Value? = nil, help: String) {
        model = ParameterModel(.argument, name, nil, type, name, default: value, help)
    }

    /// An argument that may be left out, which gives nil.
    init<Wrapped: Sendable>(
        optional name: String,
        _ type: ValueType<Wrapped>,
        help: String
    ) where Value == Wrapped? {
        model = ParameterModel(optional: .argument, name, nil, type, name, help)
    }

    /// All arguments that are left, possibly none: the last one of a command.
    init<Element: Sendable>(
        repeating name: String,
        _ type: ValueType<Element>,
        help: String
    ) where Value == [Element] {
        model = ParameterModel(
            kind: .argument,
            name: name,
            letter: nil,
            placeholder: name,
            help: help,
            isRequired: false,
            defaultText: nil,
            completion: type.completion,
            parse: { text throws(InvalidValue) in Box(value: [try type.parse(text)]) },
            fallback: Box<[Element]>(value: []),
            append: { earlier, next in
                guard let earlier = earlier as? Box<[Element]>, let next = next as? Box<[Element]>
                else { preconditionFailure("<\(name)> is boxed as something else") }
                return Box(value: earlier.value + next.value)
            }
        )
    }
}

extension ParameterModel {
    fileprivate init<Value: Sendable>(
        _ kind: Kind,
        _ name: String,
        _ letter: Character?,
        _ type: ValueType<Value>,
        _ placeholder: String,
        default value: Value?,
        _ help: String
    ) {
        self.init(
            kind: kind,
            name: name,
            letter: letter,
            placeholder: placeholder,
            help: help,
            isRequired: value == nil,
            defaultText: value.map { type.format($0) },
            completion: type.completion,
            parse: { text throws(InvalidValue) in Box(value: try type.parse(text)) },
            fallback: value.map { Box(value: $0) }
        )
    }

    fileprivate init<Wrapped: Sendable>(
        optional kind: Kind,
        _ name: String,
        _ letter: Character?,
        _ type: ValueType<Wrapped>,
        _ placeholder: String,
        _ help: String
    ) {
        self.init(
            kind: kind,
            name: name,
            letter: letter,
            placeholder: placeholder,
            help: help,
            isRequired: false,
            defaultText: nil,
            completion: type.completion,
            parse: { text throws(InvalidValue) in Box<Wrapped?>(value: try type.parse(text)) },
            fallback: Box<Wrapped?>(value: nil)
        )
    }

    /// `--size <size>`, `-j, --json` or `<path>`: how help and errors name the parameter.
    var label: String {
        let short = letter.map { "-\($0), " } ?? ""
        switch kind {
        case .flag: return short + "--\(name)"
        case .option: return short + "--\(name) <\(placeholder)>"
        case .argument: return append == nil ? "<\(name)>" : "<\(name)> ..."
        }
    }

    /// The label without the short form, in square brackets if it may be left out.
    var synopsis: String {
        let plain =
            switch kind {
            case .flag: "--\(name)"
            case .option: "--\(name) <\(placeholder)>"
            case .argument: append == nil ? "<\(name)>" : "<\(name)> ..."
            }
        return isRequired ? plain : "[\(plain)]"
    }
}
