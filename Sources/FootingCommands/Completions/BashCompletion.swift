/// The completion script for bash: two tables, what may follow a command and what an option takes.
struct BashCompletion {
    let paths: [CommandPath]

    var script: String {
        """
        # bash completion for \(program), made by '\(program) completions bash'.
        _\(program)() {
            local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD - 1]}"
            local command="\(program)" kind="" words="" index
            COMPREPLY=()
            # bash takes '--option=value' for three words.
            if [[ $current == "=" ]]; then
                current=""
            elif [[ $previous == "=" ]]; then
                previous="${COMP_WORDS[COMP_CWORD - 2]}"
            fi
            for ((index = 1; index < COMP_CWORD; index++)); do
                case "$command ${COMP_WORDS[index]}" in
        \(commandCases)
                esac
            done
            case "$command $previous" in
        \(valueCases)
            esac
            if [[ -z $kind ]]; then
                case "$command" in
        \(wordCases)
                esac
                if [[ $current == -* ]]; then kind=choices; fi
            fi
            case "$kind" in
            file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
            directory) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
            choices) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current") ;;
            esac
        }
        complete -F _\(program) \(program)

        """
    }

    private var program: String { paths[0].names[0] }

    /// `"footing disk") command="footing disk" ;;` for every subcommand.
    private var commandCases: String {
        let names = paths.dropFirst().map { "\"\($0.text)\"" }
        guard !names.isEmpty else { return "        *) ;;" }
        return "        \(names.joined(separator: " | "))"
            + ")\n            command=\"$command ${COMP_WORDS[index]}\" ;;"
    }

    /// What follows an option that takes a value.
    private var valueCases: String {
        let cases = paths.flatMap { path in
            path.command.options.filter { $0.kind == .option }.map { option in
                let names = ["--\(option.name)"] + (option.letter.map { ["-\($0)"] } ?? [])
                let patterns = names.map { "\"\(path.text) \($0)\"" }.joined(separator: " | ")
                return "    \(patterns)) \(assignment(option.completion)) ;;"
            }
        }
        return cases.isEmpty ? "    *) ;;" : cases.joined(separator: "\n")
    }

    /// What may follow a command: subcommands, options, and what its arguments are.
    private var wordCases: String {
        paths.map { path in
            let options = path.command.options.flatMap { option in
                ["--\(option.name)"] + (option.letter.map { ["-\($0)"] } ?? [])
            }
            var words = path.command.subcommands.map(\.name) + options
            var kind = "choices"
            for argument in path.command.arguments {
                switch argument.completion {
                case .none: break
                case .file: kind = "file"
                case .directory: kind = "directory"
                case .choices(let choices): words = choices + words
                }
            }
            let list = words.joined(separator: " ")
            return "        \"\(path.text)\") kind=\(kind) words=\"\(list)\" ;;"
        }.joined(separator: "\n")
    }

    private func assignment(_ completion: CompletionKind) -> String {
        switch completion {
        case .none: "kind=none"
        case .file: "kind=file"
        case .directory: "kind=directory"
        case .choices(let choices): "kind=choices words=\"\(choices.joined(separator: " "))\""
        }
    }
}
