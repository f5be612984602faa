/// Where metadata servers live: nothing else is ever connected to.
///
/// A closed list of literal addresses; `footing_connect_metadata` checks the number once more.
enum MetadataAddress: String, CaseIterable, Sendable {
    /// What most clouds use; link-local, so no router passes it on.
    case common = "169.254.169.254"
    /// Scaleway's, link-local.
    case scaleway = "169.254.42.42"
    /// Alibaba's, which is not link-local: elsewhere it may be anyone's. Asked only by DMI's word.
    case alibaba = "100.100.100.200"

    /// The address in host byte order.
    var number: UInt32 {
        rawValue.split(separator: ".").reduce(0) { $0 << 8 | (UInt32($1) ?? 0) }
    }

    /// Whether no router passes it on (169.254.0.0/16).
    var isLinkLocal: Bool { number >> 16 == 0xa9fe }
}

/// One request to a metadata server.
struct MetadataRequest: Sendable {
    var method = "GET"
    let path: String
    var headers: [(name: String, value: String)] = []
    var body = ""

    /// The request in HTTP/1.1; the connection ends behind the answer.
    func bytes(host: String) -> [UInt8] {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: footing\r\n"
        for header in headers { text += "\(header.name): \(header.value)\r\n" }
        if method != "GET" { text += "Content-Length: \(body.utf8.count)\r\n" }
        return Array("\(text)Connection: close\r\n\r\n\(body)".utf8)
    }
}

/// How one cloud's metadata server is asked, and what proves that it is that cloud's.
struct MetadataService: Sendable {
    /// A session token that a first request fetches; it stays in memory and is never shown.
    struct Token: Sendable {
        /// Fetches it.
        let request: MetadataRequest
        /// The member that holds it; nil where it is the whole answer.
        var member: String?
        /// The header field that carries it from then on.
        let header: String
        /// What stands before it there.
        var prefix = ""
    }

    /// Where something stands in what the server says.
    enum Place: Sendable {
        /// The whole answer.
        case body
        /// A member of the answer, names joined by dots.
        case member(String)
        /// The whole answer to a further request.
        case further(String)
    }

    /// What is made of a text before it is shown.
    enum Form: Sendable {
        case whole
        /// What stands behind the last slash.
        case lastName
        /// The same without the last dash and what follows: the region of `europe-west1-b`.
        case regionOfZone
    }

    /// A text that the first answer must have.
    struct Proof: Sendable {
        let place: Place
        let pattern: MetadataPattern

        init(_ place: Place, _ pattern: MetadataPattern) {
            self.place = place
            self.pattern = pattern
        }
    }

    /// A fact that the server tells.
    struct Detail: Sendable {
        let place: Place
        var form = Form.whole

        init(_ place: Place, _ form: Form = .whole) {
            self.place = place
            self.form = form
        }
    }

    /// The provider's name in the report.
    let provider: String
    /// Where its server is.
    var address = MetadataAddress.common
    /// The token, where one is needed.
    ///
    /// On EC2 there is no way around it: IMDSv1 is never used.
    var token: Token?
    /// Header fields of each request behind the token's.
    var headers: [(name: String, value: String)] = []
    /// What is asked first, and proves the provider.
    let path: String
    /// A header field that each answer must have.
    var answerHeader: (name: String, value: String)?
    /// All of them must hold.
    let proofs: [Proof]
    /// The instance's id: the place of the first proof, unless told otherwise.
    let instanceID: Detail
    /// The region; nil where the provider does not tell.
    var region: Detail?
    /// The zone; nil where the provider does not tell.
    var zone: Detail?
    /// The instance type; nil where the provider does not tell.
    var instanceType: Detail?

    /// A request behind the token's.
    func request(_ path: String, token: String?) -> MetadataRequest {
        var headers = headers
        if let token, let place = self.token {
            headers.append((place.header, place.prefix + token))
        }
        return MetadataRequest(path: path, headers: headers)
    }
}
