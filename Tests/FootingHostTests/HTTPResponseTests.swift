import Testing

@testable import FootingHost

@Suite struct HTTPResponseTests {
    /// Parses bytes that arrive in pieces, then the end of the connection.
    private func parse(_ text: String, pieceBytes: Int = .max) throws(HTTPError) -> HTTPResponse {
        var parser = HTTPResponseParser()
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            try parser.take(rest.prefix(pieceBytes))
            rest = rest.dropFirst(pieceBytes)
        }
        try parser.end()
        return parser.response
    }

    private static let answers: [(String, Int, String)] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc"),
        ("HTTP/1.0 200\r\nserver: x\r\n\r\nuntil the end", 200, "until the end"),
        ("HTTP/1.1 404 Not Found\r\nContent-Length:\t0 \r\n\r\n", 404, ""),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        ("HTTP/1.1 200 OK\r\nCONTENT-LENGTH: 3\r\n\r\nabcmore than it says", 200, "abc"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n00A;x=y\r\n0123456789"
                + "\r\n0\r\nTrailer: x\r\n\r\n",
            200, "abc0123456789"
        ),
        ("HTTP/1.1 302 Found\r\nLocation: http://example\r\n\r\n", 302, ""),
    ]

    @Test(arguments: answers)
    func `an answer is the same however it arrives`(
        text: String,
        status: Int,
        body: String
    ) throws {
        for pieceBytes in [1, 2, 7, 64, 4096] {
            let response = try parse(text, pieceBytes: pieceBytes)
            #expect(response.status == status)
            #expect(String(decoding: response.body, as: UTF8.self) == body)
        }
    }

    @Test func `header fields have names in lower case and trimmed values`() throws {
        let response = try parse(
            "HTTP/1.1 200 OK\r\nMetadata-Flavor:  Google \r\nTwice: a\r\nTWICE: b\r\n\r\n"
        )
        #expect(response.header("metadata-flavor") == "Google")
        #expect(response.header("twice") == nil)
        #expect(response.header("missing") == nil)
    }

    @Test(arguments: [
        "garbage\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 200OK\r\n\r\n",
        "HTTP/1.1 20 \r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 600 \r\n\r\n", "HTTP/1.1 200 OK\n\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n", " HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\n: empty\r\n\r\n",
        "HTTP/1.1 200 OK\r\nname : x\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: \u{1}\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n123456789\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1 x\r\na\r\n",
    ])
    func `what could be read in two ways is refused`(text: String) {
        let error = #expect(throws: HTTPError.self) { try parse(text) }
        guard case .malformed? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `every beginning of an answer is cut off`() {
        for text in [Self.answers[0].0, Self.answers[5].0] {
            for count in 0..<text.utf8.count {
                let beginning = String(decoding: Array(text.utf8)[..<count], as: UTF8.self)
                #expect(throws: HTTPError.cutOff) { try parse(beginning) }
            }
        }
    }

    @Test func `nothing may be endless`() throws {
        let head = "HTTP/1.1 200 OK\r\n"
        let long = String(repeating: "x", count: HTTPResponseParser.bytesMaximum)
        let endless = [
            long, head + "A: " + long, head + String(repeating: "A: b\r\n", count: 101) + "\r\n",
            head + "\r\n" + long, head + "Content-Length: 65537\r\n\r\n",
            head + "Transfer-Encoding: chunked\r\n\r\nffffffff\r\n",
            head + "Transfer-Encoding: chunked\r\n\r\n"
                + String(repeating: "1\r\na\r\n", count: 11000),
            head + "Transfer-Encoding: chunked\r\n\r\n0\r\n"
                + String(repeating: "A: b\r\n", count: 101),
        ]
        for text in endless {
            #expect(throws: HTTPError.tooLarge) { try parse(text) }
        }
        let most = String(repeating: "x", count: HTTPResponseParser.bytesMaximum - 19)
        #expect(try parse(head + "\r\n" + most).body.count == most.utf8.count)
    }
}
