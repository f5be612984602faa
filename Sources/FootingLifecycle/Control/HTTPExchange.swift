/// Something that is read over a control socket by HTTP, as collectors of metrics do.
public struct ControlPage: Sendable {
    /// Its media type.
    public let contentType: String
    /// Its content.
    public let text: String

    /// A page.
    public init(contentType: String, text: String) {
        self.contentType = contentType
        self.text = text
    }
}

/// The little of HTTP/1.1 (RFC 9112) that a control socket speaks: one `GET` or `HEAD` of a page,
/// then the connection ends.
///
/// Nothing can be changed by it, and no header of a request means anything here.
enum HTTPExchange {
    /// Whether a line asks for something by HTTP: a method, a target and the version.
    ///
    /// - Parameter line: without its line feed.
    static func isRequestLine(_ line: ArraySlice<UInt8>) -> Bool {
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard words.count == 3, !words[0].isEmpty, !words[1].isEmpty,
            words[0].allSatisfy({ (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) })
        else { return false }
        let version = words[2].last == UInt8(ascii: "\r") ? words[2].dropLast() : words[2]
        return version.elementsEqual("HTTP/1.1".utf8) || version.elementsEqual("HTTP/1.0".utf8)
    }

    /// Whether the empty line is there that ends a request without a body.
    static func isWhole(_ head: [UInt8]) -> Bool {
        var isAtLineStart = false
        for byte in head {
            if byte == UInt8(ascii: "\n") {
                if isAtLineStart { return true }
                isAtLineStart = true
            } else if byte != UInt8(ascii: "\r") {
                isAtLineStart = false
            }
        }
        return false
    }

    /// The whole answer to a request.
    ///
    /// - Parameter page: gives the page at a path; nil where there is none.
    static func answer(to head: [UInt8], page: (String) -> ControlPage?) -> [UInt8] {
        let line = head.prefix { $0 != UInt8(ascii: "\n") }
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        let isHead = words[0].elementsEqual("HEAD".utf8)
        guard isHead || words[0].elementsEqual("GET".utf8) else {
            return response("405 Method Not Allowed", "Allow: GET, HEAD\r\n", nil, isHead: false)
        }
        // A query changes nothing.
        let path = words[1].prefix { $0 != UInt8(ascii: "?") }
        guard let page = page(String(decoding: path, as: UTF8.self)) else {
            return response("404 Not Found", "", nil, isHead: isHead)
        }
        return response("200 OK", "", page, isHead: isHead)
    }

    /// The answer to a request that is too long.
    static var tooLong: [UInt8] {
        response("431 Request Header Fields Too Large", "", nil, isHead: false)
    }

    private static func response(
        _ status: String,
        _ fields: String,
        _ page: ControlPage?,
        isHead: Bool
    ) -> [UInt8] {
        let page = page ?? ControlPage(contentType: "text/plain", text: status + "\n")
        let head =
            "HTTP/1.1 \(status)\r\n\(fields)Content-Type: \(page.contentType)\r\n"
            + "Content-Length: \(page.text.utf8.count)\r\nConnection: close\r\n\r\n"
        return Array(head.utf8) + (isHead ? [] : Array(page.text.utf8))
    }
}
