/// The values that the user gave, or their defaults, under the declarations that ask for them.
struct Invocation: Sendable {
    private let values: [(name: String, value: any Sendable)]

    init(values: [(name: String, value: any Sendable)]) {
        self.values = values
    }

    /// Whether the flag was given.
    subscript(flag: Flag) -> Bool { value(of: flag.model) }

    /// The option's value.
    subscript<Value>(option: Option<Value>) -> Value { value(of: option.model) }

    /// The argument's value.
    subscript<Value>(argument: Argument<Value>) -> Value { value(of: argument.model) }

    private func value<Value: Sendable>(of model: ParameterModel) -> Value {
        guard let box = values.first(where: { $0.name == model.name })?.value as? Box<Value> else {
            // The parser fills in every declared parameter, so only a command can be wrong here.
            preconditionFailure("\(model.label) is read by a command that does not declare it")
        }
        return box.value
    }
}
