import FootingSystem
import Foundation
import Testing

@testable import FootingLifecycle

/// Metrics over the control socket, for clients that speak HTTP, well or badly.
@Suite struct HTTPTests {
    private static let text = "# EOF\n"

    private static func page(_ path: String) -> ControlPage? {
        path == "/metrics" ? ControlPage(contentType: "text/x", text: text) : nil
    }

    private func withServer(_ body: (String) throws -> Void) throws {
        let folder = ControlFolder(path: "/tmp/footing-http-\(UInt32.random(in: 0 ... .max))")
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        try folder.create()
        let path = folder.path + "/1.sock"
        let server = try ControlServer(path: path) { _ in true }
        var duties = ControlServer.Duties()
        duties.page = Self.page
        try server.start(duties)
        defer { server.stop() }
        try body(path)
        // Whatever was said before, commands are answered.
        let reply = try ControlClient.ask("any", at: path)
        #expect(reply == true)
    }

    private func exchange(_ parts: [String], at path: String) throws -> String {
        let socket = try Socket.connect(unixPath: path)
        try socket.setTimeouts(receiveMilliseconds: 5000, sendMilliseconds: 5000)
        for part in parts {
            _ = try? unsafe Array(part.utf8).withUnsafeBytes {
                try unsafe socket.send($0, waits: true)
            }
            usleep(parts.count > 1 ? 20_000 : 0)
        }
        let buffer = AlignedBuffer(count: 65536)
        var text = ""
        while let count = try? unsafe socket.receive(into: buffer.bytes, waits: true), count > 0 {
            text += unsafe String(decoding: buffer.bytes[..<count], as: UTF8.self)
        }
        return text
    }

    @Test(arguments: [
        ["GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"],
        ["GET /metrics HTTP/1.0\r\n\r\n"], ["GET /metrics?x=1 HTTP/1.1\n\n"],
        ["GET /met", "rics HTTP/1.1\r", "\nHost: x\r\n\r", "\n"],
    ])
    func `a page is sent whole, with its length`(_ request: [String]) throws {
        try withServer { path in
            let answer = try exchange(request, at: path)
            #expect(
                answer == "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 6\r\n"
                    + "Connection: close\r\n\r\n# EOF\n"
            )
        }
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\n\r\n", "404 Not Found"),
        ("GET /metrics/.. HTTP/1.1\r\n\r\n", "404 Not Found"),
        ("GET \u{ff}\u{0} HTTP/1.1\r\n\r\n", "404 Not Found"),
        ("POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
        ("DELETE / HTTP/1.0\r\n\r\n", "405 Method Not Allowed"),
        (
            "GET /metrics HTTP/1.1\r\nX: \(String(repeating: "x", count: 9000))\r\n\r\n",
            "431 Request Header Fields Too Large"
        ),
    ])
    func `anything else is refused by its status`(_ request: String, _ status: String) throws {
        try withServer { path in
            let answer = try exchange([request], at: path)
            #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 \(status)\r\n"), "\(answer)")
            // A client that is still sending when it is refused may see nothing of the answer.
            #expect(!answer.isEmpty || request.utf8.count > 8192)
        }
    }

    @Test(arguments: [
        "GET /metrics HTTP/2.0\r\n\r\n", "GET  /metrics HTTP/1.1\r\n\r\n", "get / HTTP/1.1\r\n\r\n",
        "GET /metrics\r\n\r\n", " / HTTP/1.1\r\n\r\n", "GET / x HTTP/1.1\r\n\r\n",
    ])
    func `what is no HTTP is refused as a command`(_ request: String) throws {
        try withServer { path in
            let answer = try exchange([request], at: path)
            #expect(answer.isEmpty || answer.contains("\"error\""), "\(answer)")
        }
    }

    @Test func `a command in a body or a header does nothing`() throws {
        try withServer { path in
            let command = "{\"command\":\"any\"}\n"
            let inBody = "POST / HTTP/1.1\r\nContent-Length: 18\r\n\r\n\(command)"
            let answer1 = try exchange([inBody], at: path)
            #expect(!answer1.contains("result"))
            let inHeader = "GET /metrics HTTP/1.1\r\n\(command)\r\n\r\n"
            let answer2 = try exchange([inHeader], at: path)
            #expect(answer2.contains("# EOF") && !answer2.contains("result"))
        }
    }

    @Test func `who asks for the head gets no more`() {
        let request = Array("HEAD /metrics HTTP/1.1\r\n\r\n".utf8)
        let answer = HTTPExchange.answer(to: request, page: Self.page)
        let text = String(decoding: answer, as: UTF8.self)
        #expect(text.contains("Content-Length: 6\r\n"))
        #expect(text.hasSuffix("\r\n\r\n"))
    }

    @Test func `bytes in any order make an answer`() {
        var random = SeededRandom(seed: 5)
        let words = ["GET", "HEAD", " ", " ", "/metrics", "?", "HTTP/1.1", "\r\n", "\n", "\u{0}"]
        for _ in 0..<20_000 {
            var bytes: [UInt8] = []
            for _ in 0..<1 + random.next() % 12 {
                bytes += words[Int(random.next() % UInt64(words.count))].utf8
            }
            let line = bytes.prefix { $0 != 10 }
            guard HTTPExchange.isRequestLine(line) else { continue }
            _ = HTTPExchange.isWhole(bytes)
            #expect(!HTTPExchange.answer(to: bytes, page: Self.page).isEmpty)
        }
    }

    @Test func `a tick comes while others ask and while nobody does`() throws {
        let folder = ControlFolder(path: "/tmp/footing-tick-\(UInt32.random(in: 0 ... .max))")
        defer { try? FileManager.default.removeItem(atPath: folder.path) }
        try folder.create()
        let path = folder.path + "/1.sock"
        let server = try ControlServer(path: path) { _ in true }
        let ticks = Locked(0)
        var duties = ControlServer.Duties()
        duties.tickMilliseconds = 20
        duties.onTick = { ticks.withLock { $0 += 1 } }
        try server.start(duties)
        defer { server.stop() }
        usleep(200_000)
        let idle = ticks.withLock { $0 }
        #expect(idle >= 1 && idle < 100)
        let clock = SystemClock()
        let start = clock.nanoseconds
        while clock.nanoseconds - start < 400_000_000 {
            _ = try ControlClient.ask("any", at: path)
        }
        #expect(ticks.withLock { $0 } > idle)
    }
}
