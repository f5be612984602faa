internal import FootingSystem

extension MachineRecording {
    /// What a recording knows beside files: the members of `.recording.json`.
    struct Notes: Sendable {
        /// Who recorded.
        var program: String
        /// The path that was asked about.
        var path: String?
        /// What was found out otherwise than by reading a file whole, by question.
        var answers: [String: Result<String, Errno>] = [:]
        /// Why what is there could not be read, by path.
        var errors: [String: Errno] = [:]
        /// The names in folders where stand-ins sort otherwise than what they stand for.
        var order: [String: [String]] = [:]
        /// What was left out for its size, or the length of its name.
        var omitted: [String] = []

        init(program: String) {
            self.program = program
        }

        /// Reads the file; what it does not say is empty.
        init(_ content: [UInt8]) throws(ArchiveError) {
            let document: JSONValue
            do throws(JSONParseError) {
                document = try JSONValue(parsing: content)
            } catch {
                throw ArchiveError("\(MachineRecording.notesPath): \(error)")
            }
            guard document.member("format") == .integer(MachineRecording.format) else {
                throw ArchiveError("a recording of another format than \(MachineRecording.format)")
            }
            program = document.member("program")?.stringValue ?? ""
            path = document.member("path")?.stringValue
            for (question, answer) in Self.members(document.member("answers")) {
                if let text = answer.member("value")?.stringValue {
                    answers[question] = .success(text)
                } else if let error = Self.error(answer.member("error")) {
                    answers[question] = .failure(error)
                }
            }
            order = Self.members(document.member("order")).compactMapValues { list in
                if case .array(let names) = list { names.compactMap(\.stringValue) } else { nil }
            }
            errors = Self.members(document.member("errors")).compactMapValues { Self.error($0) }
        }

        private static func members(_ value: JSONValue?) -> [String: JSONValue] {
            if case .object(let members)? = value { members.dictionary } else { [:] }
        }

        /// Linux numbers its errors up to 4,095.
        private static func error(_ value: JSONValue?) -> Errno? {
            guard case .integer(let number)? = value, (1...4095).contains(number) else {
                return nil
            }
            return Errno(rawValue: Int32(number))
        }

        func json() -> JSONValue {
            [
                "format": .integer(MachineRecording.format),
                "program": .string(program),
                "path": path.map { .string($0) } ?? .null,
                "answers": JSONValue(
                    answers.mapValues { answer in
                        switch answer {
                        case .success(let text): ["value": .string(text)]
                        case .failure(let error): ["error": .integer(Int64(error.rawValue))]
                        }
                    }
                ),
                "order": JSONValue(order.mapValues { .strings($0) }),
                "errors": JSONValue(errors.mapValues { .integer(Int64($0.rawValue)) }),
                "omitted": .array(omitted.map { .string($0) }),
            ]
        }
    }
}

extension MachineRecording.Notes {
    /// Notes the order of what stands in folders whose names have stand-ins.
    mutating func keepOrder(of nodes: [String: RecordedNode], _ scrubber: Scrubber) {
        var folders: [String: Set<String>] = [:]
        for path in nodes.keys {
            // Folders that nothing is known of but what is in them count too.
            var path = path
            while !path.isEmpty {
                let isNew = folders[parent(path), default: []].insert(lastComponent(path)).inserted
                guard isNew else { break }
                path = parent(path)
            }
        }
        for (folder, names) in folders {
            let hidden = names.sorted().map { name in
                let path = folder.isEmpty ? name : "\(folder)/\(name)"
                return lastComponent(scrubber.name(path, in: path))
            }
            if hidden != hidden.sorted() { order[scrubber.name(folder, in: folder)] = hidden }
        }
    }
}

extension Scrubber {
    /// Answers are treated as names below this folder: they may hold the machine's own.
    static let answersPlace = "dev/"

    /// Questions and answers with stand-ins for what is secret in them.
    func scrubbed(
        _ answers: [String: Result<String, Errno>]
    ) -> [String: Result<String, Errno>] {
        var result: [String: Result<String, Errno>] = [:]
        for (question, answer) in answers {
            result[name(question, in: Self.answersPlace)] = answer.map {
                name($0, in: Self.answersPlace)
            }
        }
        return result
    }
}
