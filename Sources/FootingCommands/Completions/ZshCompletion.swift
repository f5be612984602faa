/// The completion script for zsh: a function for every command, in `_arguments`' own language.
struct ZshCompletion {
    let paths: [CommandPath]

    var script: String {
        let program = paths[0].names[0]
        let functions = paths.map { function($0) }.joined(separator: "\n")
        return """
            #compdef \(program)
            # zsh completion for \(program), made by '\(program) completions zsh'.
            \(functions)
            # Autoloaded, this file is the function; sourced, it has to register it.
            if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
                _\(program) "$@"
            else
                compdef _\(program) \(program)
            fi

            """
    }

    private func function(_ path: CommandPath) -> String {
        let name = functionName(path)
        let specifications = path.command.options.flatMap(optionSpecifications)
        var body = specifications.map { "        \($0) \\\n" }.joined()
        guard path.command.subcommands.isEmpty else {
            body += "        '1: :->command' \\\n        '*:: :->rest'\n"
            return group(path, name, body)
        }
        body += path.command.arguments.map { argument in
            let prefix = argument.isRepeated ? "*:" : ":"
            return
                "        \(quoted("\(prefix)\(argument.name):\(action(argument.completion))")) \\\n"
        }.joined()
        return "\(name)() {\n    _arguments -S \\\n\(body)        && return 0\n}\n"
    }

    private func group(_ path: CommandPath, _ name: String, _ arguments: String) -> String {
        let described = path.command.subcommands.map { command in
            "        " + quoted("\(command.name):\(command.overview)")
        }
        let calls = path.command.subcommands.compactMap { path.descending(to: $0.name) }.map {
            "            \($0.command.name)) \(functionName($0)) ;;"
        }
        return """
            \(name)() {
                local state line
                local -a commands=(
            \(described.joined(separator: "\n"))
                )
                _arguments -C \\
            \(arguments)    case $state in
                command) _describe command commands ;;
                rest)
                    case $line[1] in
            \(calls.joined(separator: "\n"))
                    esac ;;
                esac
            }

            """
    }

    /// `'(-j --json)'{-j,--json}'[help]:placeholder:action'`.
    private func optionSpecifications(_ option: ParameterModel) -> [String] {
        let value =
            option.kind == .flag ? "" : ":\(option.placeholder):\(action(option.completion))"
        let help = "[\(option.help.filter { $0 != "[" && $0 != "]" })]"
        let sign = option.kind == .flag ? "" : "="
        let long = "--\(option.name)"
        guard let letter = option.letter else { return [quoted(long + sign + help + value)] }
        let excluded = "(-\(letter) \(long))"
        let plus = option.kind == .flag ? "" : "+"
        return [
            quoted("\(excluded)-\(letter)\(plus)\(help)\(value)"),
            quoted("\(excluded)\(long)\(sign)\(help)\(value)"),
        ]
    }

    private func action(_ completion: CompletionKind) -> String {
        switch completion {
        case .none: " "
        case .file: "_files"
        case .directory: "_files -/"
        case .choices(let choices): "(\(choices.joined(separator: " ")))"
        }
    }

    private func functionName(_ path: CommandPath) -> String {
        "_" + path.names.joined(separator: "_")
    }

    private func quoted(_ text: String) -> String {
        let parts = text.split(separator: "'", omittingEmptySubsequences: false)
        return "'" + parts.joined(separator: "'\\''") + "'"
    }
}
