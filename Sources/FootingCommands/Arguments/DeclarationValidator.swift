/// Finds mistakes in a declaration that the compiler cannot; the tests run it on the whole program.
enum DeclarationValidator {
    /// One sentence for each mistake in the command and everything below it.
    static func problems(in root: Command) -> [String] {
        CommandPath(root: root).all.flatMap { path in
            mistakes(in: path.command).map { "\(path.text): \($0)" }
        }
    }

    private static func mistakes(in command: Command) -> [String] {
        var problems = repeated(command.subcommands.map(\.name)).map {
            "two subcommands are called '\($0)'"
        }
        let parameters = command.parameters + Command.common
        problems += repeated(parameters.map(\.name)).map { "two parameters are called '\($0)'" }
        problems += repeated(parameters.compactMap(\.letter).map(String.init)).map {
            "two options have the letter '\($0)'"
        }
        problems += parameters.flatMap(wording)
        let optional = command.arguments.firstIndex { !$0.isRequired } ?? command.arguments.count
        problems += command.arguments[optional...].filter(\.isRequired).map {
            "\($0.label) is required but follows an argument that is not"
        }
        problems += command.arguments.dropLast().filter { $0.isRepeated }.map {
            "\($0.label) takes all that is left but is not the last argument"
        }
        if command.body == nil, command.subcommands.isEmpty, command.program == nil {
            problems.append("does nothing and has no subcommands")
        }
        if command.subcommands.contains(where: { $0.name == "help" }) {
            problems.append("the subcommand 'help' is built in")
        }
        if !command.overview.hasSuffix(".") || command.overview.contains("\n") {
            problems.append("the overview is not one sentence with a full stop")
        }
        return problems
    }

    private static func wording(_ parameter: ParameterModel) -> [String] {
        var problems: [String] = []
        let isPlain = parameter.name.allSatisfy {
            $0.isASCII && ($0.isLowercase || $0.isNumber || $0 == "-")
        }
        if !isPlain || parameter.name.isEmpty || parameter.name.hasPrefix("-") {
            problems.append("'\(parameter.name)' is not made of lower-case letters and dashes")
        }
        if !parameter.help.hasSuffix(".") {
            problems.append("the help of \(parameter.label) has no full stop")
        }
        return problems
    }

    private static func repeated(_ names: [String]) -> [String] {
        var seen: Set<String> = []
        return names.filter { !seen.insert($0).inserted }
    }
}
