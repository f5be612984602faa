/// What a command line asks for.
enum Request: Sendable {
    case run(CommandPath, Invocation)
    case help(CommandPath)
    case version
    /// Another program does it, with these words.
    case become(program: String, CommandPath, words: [String])
}

/// Reads a command line against the declaration of a program.
///
/// The forms are those of `getopt_long(3)`: `--name value`, `--name=value`, `-n value`, flags that
/// share a dash (`-jq`), and `--` before arguments that start with a dash.
struct CommandLineParser {
    private var path: CommandPath
    private var words: ArraySlice<String>
    private var parameters: [ParameterModel] = []
    private var given = Invocation(declared: [])
    private var positional: [String] = []

    private init(path: CommandPath, words: ArraySlice<String>) {
        self.path = path
        self.words = words
    }

    /// Reads the words that follow the program's name.
    static func parse(_ words: [String], root: Command) throws(UsageError) -> Request {
        var parser = CommandLineParser(path: CommandPath(root: root), words: words[...])
        return try parser.parse()
    }

    private mutating func parse() throws(UsageError) -> Request {
        if let request = try descend() { return request }
        if let program = path.command.program {
            return .become(program: program, path, words: Array(words))
        }
        // Help wins over every other mistake: who asks for it should get it.
        for word in words.prefix(while: { $0 != "--" }) {
            if word == "--help" || word == "-h" { return .help(path) }
            if word == "--version" { return .version }
        }
        if path.command.body == nil { return try groupWithoutSubcommand() }
        parameters = path.command.parameters
        given = Invocation(declared: parameters)
        while let word = words.popFirst() {
            if word == "--" {
                positional += words
                words = []
            } else if word.hasPrefix("--") {
                try readLong(word)
            } else if word.hasPrefix("-"), word.count > 1 {
                if try readShort(word) { return .help(path) }
            } else {
                positional.append(word)
            }
        }
        return .run(path, try invocation())
    }

    /// Follows subcommand names; gives the help request of `footing help disk`.
    private mutating func descend() throws(UsageError) -> Request? {
        while !path.command.subcommands.isEmpty, let word = words.first, !word.hasPrefix("-") {
            words.removeFirst()
            if let next = path.descending(to: word) {
                path = next
            } else if word == "help" {
                _ = try descend()
                return .help(path)
            } else {
                let names = path.command.subcommands.map(\.name)
                let suggestion = Spelling.suggestion(for: word, among: names)
                throw UsageError("Unknown subcommand '\(word)'\(suggestion)", at: path)
            }
        }
        return nil
    }

    private func groupWithoutSubcommand() throws(UsageError) -> Request {
        guard let word = words.first else { return .help(path) }
        throw unknownOption(word)
    }

    private func unknownOption(_ word: String) -> UsageError {
        let names = path.command.options.map { "--\($0.name)" }
        let suggestion = Spelling.suggestion(for: word, among: names)
        return UsageError("Unknown option '\(word)'\(suggestion)", at: path)
    }
}

// MARK: - Options

extension CommandLineParser {
    private func option(where matches: (ParameterModel) -> Bool) -> ParameterModel? {
        parameters.first { $0.kind != .argument && matches($0) }
            ?? Command.common.first(where: matches)
    }

    /// `--name`, `--name value` or `--name=value`.
    private mutating func readLong(_ word: String) throws(UsageError) {
        let start = word.utf8.index(word.startIndex, offsetBy: 2)
        let sign = word.utf8.firstIndex(of: UInt8(ascii: "="))
        let name = String(word[start..<(sign ?? word.endIndex)])
        let attached = sign.map { String(word[word.utf8.index(after: $0)...]) }
        guard let option = option(where: { $0.name == name }) else {
            throw unknownOption("--\(name)")
        }
        if option.kind == .flag {
            guard attached == nil else {
                throw UsageError("The flag '--\(name)' takes no value", parameter: option, at: path)
            }
            try give(option, "")
        } else if let attached {
            try give(option, attached)
        } else {
            try give(option, try nextValue(of: option))
        }
    }

    /// `-n value`, `-nvalue`, `-n=value`, or several flags after one dash; true asks for help.
    private mutating func readShort(_ word: String) throws(UsageError) -> Bool {
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
            guard let option = option(where: { $0.letter == letter }) else {
                throw unknownOption(word.count == 2 ? word : "-\(letter)' in '\(word)")
            }
            if option.name == "help" { return true }
            if option.kind == .flag {
                try give(option, "")
                continue
            }
            let attached = letters.first == "=" ? letters.dropFirst() : letters
            try give(option, letters.isEmpty ? try nextValue(of: option) : String(attached))
            break
        }
        return false
    }

    /// The next word; one with a dash is taken for an option that follows a forgotten value.
    private mutating func nextValue(of option: ParameterModel) throws(UsageError) -> String {
        guard let word = words.first, word == "-" || !word.hasPrefix("-") else {
            throw UsageError("Missing value for '\(option.label)'", parameter: option, at: path)
        }
        words.removeFirst()
        return word
    }

    private mutating func give(_ parameter: ParameterModel, _ text: String) throws(UsageError) {
        guard parameter.isRepeated || !given.names.contains(parameter.name) else {
            throw UsageError(
                "The option '--\(parameter.name)' is given twice",
                parameter: parameter,
                at: path
            )
        }
        do throws(InvalidValue) {
            try parameter.check(text)
        } catch {
            throw UsageError(
                "The value '\(text)' is invalid for '\(parameter.label)': "
                    + "expected \(error.expectation)",
                parameter: parameter,
                at: path
            )
        }
        given.give(parameter, text)
    }
}

// MARK: - Arguments and defaults

extension CommandLineParser {
    private mutating func invocation() throws(UsageError) -> Invocation {
        let arguments = parameters.filter { $0.kind == .argument }
        let last = arguments.last.flatMap { $0.isRepeated ? $0 : nil }
        if positional.count > arguments.count, last == nil {
            throw UsageError("Unexpected argument '\(positional[arguments.count])'", at: path)
        }
        for index in 0..<min(arguments.count, positional.count) {
            try give(arguments[index], positional[index])
        }
        if let last {
            for text in positional.dropFirst(arguments.count) { try give(last, text) }
        }
        for parameter in parameters where parameter.isRequired && !given.isGiven(parameter) {
            let kind = parameter.kind == .argument ? "argument" : "option"
            throw UsageError(
                "Missing expected \(kind) '\(parameter.label)'",
                parameter: parameter,
                at: path
            )
        }
        return given
    }
}
