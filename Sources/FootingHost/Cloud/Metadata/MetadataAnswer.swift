internal import FootingSystem

/// What a server's answers say, and whether they prove it to be the provider's.
struct MetadataAnswer: Sendable {
    private let service: MetadataService
    private let text: String
    private let document: JSONValue?

    /// Takes an answer that has the provider's proof.
    ///
    /// - Throws: `unproven` for any other; the reason names what is missing, not what is there.
    init(_ service: MetadataService, _ response: HTTPResponse) throws(MetadataFailure) {
        self.service = service
        try Self.check(response, service)
        text = try Self.plainText(response)
        if service.isDocument {
            do throws(JSONParseError) {
                document = try JSONValue(parsing: response.body, depthMaximum: 32)
            } catch {
                throw Self.unproven("no JSON: \(error)")
            }
        } else {
            document = nil
        }
        for proof in service.proofs {
            guard let value = value(proof.place), proof.pattern.fits(value) else {
                throw Self.unproven(
                    "it has no \(Self.name(proof.place)) as \(service.provider) has"
                )
            }
        }
    }

    /// The text at a place of the first answer; numbers in decimal.
    private func value(_ place: MetadataService.Place) -> String? {
        switch place {
        case .further: return nil
        case .body: return text
        case .member(let path):
            var value = document
            for name in pieces(path, separator: ".") { value = value?.member(name) }
            switch value {
            case .string(let text): return text
            case .integer(let number): return String(number)
            case .unsigned(let number): return String(number)
            default: return nil
            }
        }
    }

    /// A fact of the first answer, or of the answer to a further request.
    func fact(_ detail: MetadataService.Detail?, further: Fact<String>? = nil) -> Fact<String> {
        guard let detail else {
            return .absent("the metadata server of \(service.provider) does not tell it")
        }
        let name = Self.name(detail.place)
        let found = further ?? value(detail.place).map { .known($0) }
        switch found {
        case nil: return .absent("the metadata server's answer has no \(name)")
        case .absent(let reason): return .absent(reason)
        case .known(let text):
            let text = detail.form.apply(to: text)
            return MetadataPattern.isPlain(text)
                ? .known(text) : .absent("the metadata server's \(name) is empty or not plain text")
        }
    }

    /// The text of the answer to a further request.
    static func further(
        _ service: MetadataService,
        _ response: HTTPResponse
    ) throws(MetadataFailure) -> String {
        try check(response, service)
        return try plainText(response)
    }

    /// The token in the answer to a token's request: one word, so that it cannot end a header line.
    static func token(
        _ token: MetadataService.Token,
        _ response: HTTPResponse
    ) throws(MetadataFailure) -> String {
        var found: String? = try plainText(response)
        if let member = token.member {
            let document = try? JSONValue(parsing: response.body, depthMaximum: 32)
            found = document?.member(member)?.stringValue
        } else if found?.utf8.first == UInt8(ascii: "[") {
            // Akamai gives a list of one token where a proxy makes it speak JSON.
            let document = try? JSONValue(parsing: response.body, depthMaximum: 2)
            found = nil
            if case .array(let list)? = document, list.count == 1 { found = list[0].stringValue }
        }
        guard let found, (1...4096).contains(found.utf8.count),
            found.utf8.allSatisfy({ (0x21...0x7e).contains($0) }),
            // A page of a captive portal without any white space.
            found.utf8.first != UInt8(ascii: "<")
        else { throw unproven("the answer to the token's request holds no token") }
        return found
    }

    private static func check(
        _ response: HTTPResponse,
        _ service: MetadataService
    ) throws(MetadataFailure) {
        if let wanted = service.answerHeader, response.header(wanted.name) != wanted.value {
            throw unproven("its answer has no header field \(wanted.name): \(wanted.value)")
        }
    }

    private static func plainText(_ response: HTTPResponse) throws(MetadataFailure) -> String {
        guard let text = String(validating: response.body, as: UTF8.self) else {
            throw unproven("its answer is not UTF-8")
        }
        return text.trimmed
    }

    private static func name(_ place: MetadataService.Place) -> String {
        switch place {
        case .body: "id"
        case .member(let path): path
        case .further(let path): lastComponent(path)
        }
    }

    private static func unproven(_ reason: String) -> MetadataFailure {
        MetadataFailure(outcome: .unproven, reason: reason)
    }
}

extension MetadataService {
    /// Whether the answer is a document in JSON rather than a text.
    var isDocument: Bool {
        proofs.contains { proof in
            if case .member = proof.place { true } else { false }
        }
    }
}

extension MetadataService.Form {
    func apply(to text: String) -> String {
        switch self {
        case .whole: return text
        case .lastName: return lastComponent(text)
        case .regionOfZone:
            let zone = lastComponent(text)
            guard let dash = zone.utf8.lastIndex(of: UInt8(ascii: "-")) else { return "" }
            return String(zone[..<dash])
        }
    }
}
