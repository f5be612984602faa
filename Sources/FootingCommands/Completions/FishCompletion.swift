/// The completion script for fish: one line for each thing that may follow a command.
struct FishCompletion {
    let paths: [CommandPath]

    var script: String {
        """
        # fish completion for \(program), made by '\(program) completions fish'.
        function __\(program)_at
            # Whether the subcommands on the command line are exactly the given ones.
            set -l known \(known)
            set -l path \(program)
            for word in (commandline -opc)[2..-1]
                if contains -- "$path $word" $known
                    set path "$path $word"
                end
            end
            test "$path" = "$argv[1]"
        end
        complete -c \(program) -f
        \(paths.flatMap(lines).joined(separator: "\n"))

        """
    }

    private var program: String { paths[0].names[0] }

    private var known: String {
        paths.dropFirst().map { quoted($0.text) }.joined(separator: " ")
    }

    private func lines(_ path: CommandPath) -> [String] {
        let start = "complete -c \(program) -n \(quoted("__\(program)_at \"\(path.text)\""))"
        let commands = path.command.subcommands.map { command in
            "\(start) -a \(command.name) -d \(quoted(command.overview))"
        }
        let options = path.command.options.map { option in
            let letter = option.letter.map { " -s \($0)" } ?? ""
            let value = option.kind == .flag ? "" : " -r" + values(option.completion)
            return "\(start)\(letter) -l \(option.name)\(value) -d \(quoted(option.help))"
        }
        let arguments = path.command.arguments.filter { $0.completion != .none }.map { argument in
            start + values(argument.completion)
        }
        return commands + options + arguments
    }

    private func values(_ completion: CompletionKind) -> String {
        switch completion {
        case .none: " -f"
        case .file: " -F"
        case .directory: " -f -a '(__fish_complete_directories)'"
        case .choices(let choices): " -f -a \(quoted(choices.joined(separator: " ")))"
        }
    }

    private func quoted(_ text: String) -> String {
        let escaped = text.split(separator: "'", omittingEmptySubsequences: false)
        return "'" + escaped.joined(separator: "\\'") + "'"
    }
}
