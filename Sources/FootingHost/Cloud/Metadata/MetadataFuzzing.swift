internal import FootingSystem

/// What the fuzzers of `Fuzz/` reach of the metadata exchange: everything but the sockets.
@_spi(Fuzzing)
public enum MetadataFuzzing {
    /// How many providers there are to ask.
    public static var providerCount: Int { MetadataService.table.count }

    /// What becomes of bytes that a server sends as its answer, as they arrive piece by piece.
    ///
    /// The process ends where the parser holds more than it may, or a fact that is no plain text
    /// comes out.
    ///
    /// - Parameters:
    ///   - bytes: all that the server sends before it closes the connection.
    ///   - provider: whose answer it should be, by its place in the table.
    ///   - pieceBytes: how much of it arrives at a time.
    /// - Returns: the outcome, and the facts that are shown.
    public static func facts(
        from bytes: [UInt8],
        provider: Int,
        pieceBytes: Int
    ) -> [String] {
        precondition(pieceBytes > 0, "nothing would arrive")
        let service = MetadataService.table[provider]
        do throws(MetadataFailure) {
            let response = try response(bytes, pieceBytes)
            var facts = tokenFacts(service, response)
            let answer = try MetadataAnswer(service, response)
            facts.append("proven")
            let details = [
                service.instanceID, service.region, service.zone, service.instanceType,
            ]
            for detail in details {
                let fact = answer.fact(detail)
                if let text = fact.value {
                    precondition(MetadataPattern.isPlain(text), "a text that steers a terminal")
                    facts.append(text)
                } else {
                    facts.append(fact.absence ?? "")
                }
            }
            precondition(answer.fact(service.instanceID).value != nil, "a proof without an id")
            return facts
        } catch {
            return [error.outcome.rawValue, error.reason]
        }
    }

    private static func response(
        _ bytes: [UInt8],
        _ pieceBytes: Int
    ) throws(MetadataFailure) -> HTTPResponse {
        var parser = HTTPResponseParser()
        var start = 0
        do throws(HTTPError) {
            while start < bytes.count, !parser.isComplete {
                let end = min(start + pieceBytes, bytes.count)
                try parser.take(bytes[start..<end])
                start = end
            }
            try parser.end()
        } catch {
            throw MetadataExchange.failure(error)
        }
        precondition(parser.isComplete, "an end without a whole answer")
        precondition(parser.response.body.count <= HTTPResponseParser.bytesMaximum, "too much")
        if let failure = MetadataExchange.failure(status: parser.response.status) { throw failure }
        return parser.response
    }

    /// A token must fit into one header line, whatever it was taken from.
    private static func tokenFacts(
        _ service: MetadataService,
        _ response: HTTPResponse
    ) -> [String] {
        guard let place = service.token,
            let token = try? MetadataAnswer.token(place, response)
        else { return [] }
        let request = service.request(service.path, token: token)
        let lines = request.bytes(host: service.address.rawValue).count { $0 == 0x0a }
        // Request line, Host, User-Agent, Connection and the empty line.
        precondition(lines == 5 + request.headers.count, "a token that ends its header line")
        return ["a token"]
    }
}
