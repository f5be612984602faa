/// The values that the user gave, or their defaults, under the declarations that ask for them.
///
/// Kept as the texts that they were given as, which the parser has checked: a value of each type in
/// a box would have the runtime make that box's type.
package struct Invocation: Sendable {
    private let declared: [ParameterModel]
    /// The names of what was given, and a text for each; empty for a flag.
    private(set) var names: [String] = []
    private var texts: [String] = []

    package init(declared: [ParameterModel]) {
        self.declared = declared
    }

    /// Whether the flag was given.
    package subscript(flag: Flag) -> Bool { isGiven(flag.model) }

    /// The option's value.
    package subscript<Value>(option: Option<Value>) -> Value { value(option.model, option.read) }

    /// The argument's value.
    package subscript<Value>(argument: Argument<Value>) -> Value {
        value(argument.model, argument.read)
    }

    /// Whether a parameter was given.
    package func isGiven(_ model: ParameterModel) -> Bool {
        precondition(isDeclared(model), Self.undeclared(model))
        return names.contains(model.name)
    }

    /// Adds what the parser has checked.
    package mutating func give(_ model: ParameterModel, _ text: String) {
        names.append(model.name)
        texts.append(text)
    }

    private func isDeclared(_ model: ParameterModel) -> Bool {
        declared.contains { $0.name == model.name }
    }

    private static func undeclared(_ model: ParameterModel) -> String {
        "\(model.label) is read by a command that does not declare it"
    }

    private func value<Value>(_ model: ParameterModel, _ read: Reading<Value>) -> Value {
        precondition(isDeclared(model), Self.undeclared(model))
        var given: [String] = []
        for index in names.indices where names[index] == model.name { given.append(texts[index]) }
        do throws(InvalidValue) {
            return try read(given)
        } catch {
            preconditionFailure("\(model.label) was checked: \(error.expectation)")
        }
    }
}
