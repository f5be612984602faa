import FootingSystem
import Foundation
import Testing

@testable import FootingLifecycle

/// A folder of a test's own, short enough for a socket's path.
private struct Folder {
    let folder: ControlFolder

    init() {
        let name = "footing-control-\(UInt32.random(in: 0 ... .max))"
        folder = ControlFolder(path: "/tmp/\(name)")
    }

    func remove() { try? FileManager.default.removeItem(atPath: folder.path) }
}

@Suite struct ControlTests {
    private static let fine: JSONValue = ["fine": true]

    private func withServer(
        answer: @escaping ControlServer.Answer = { $0.command == "status" ? fine : nil },
        _ body: (String) throws -> Void
    ) throws {
        let place = Folder()
        defer { place.remove() }
        try place.folder.create()
        let path = place.folder.path + "/1-2-3.sock"
        let server = try ControlServer(path: path, answer: answer)
        try server.start()
        defer { server.stop() }
        try body(path)
    }

    /// Sends bytes as they are and gives all that comes back.
    private func raw(_ bytes: [UInt8], to path: String) throws -> String {
        let socket = try Socket.connect(unixPath: path)
        try socket.setTimeouts(receiveMilliseconds: 5000, sendMilliseconds: 5000)
        try unsafe bytes.withUnsafeBytes { _ = try unsafe socket.send($0, waits: true) }
        Socket.shutDown(socket, .sending)
        let buffer = AlignedBuffer(count: 65536)
        var text = ""
        while let count = try? unsafe socket.receive(into: buffer.bytes, waits: true), count > 0 {
            text += unsafe String(decoding: buffer.bytes[..<count], as: UTF8.self)
        }
        return text
    }

    @Test func argumentsArriveAndRefusalsComeBack() throws {
        let answer: ControlServer.Answer = { (request) throws(ControlError) -> JSONValue? in
            if request.arguments == .null { throw ControlError.refusal("nothing to go by") }
            return ["was": request.arguments, "command": .string(request.command)]
        }
        try withServer(answer: answer) { path in
            let result = try ControlClient.ask("keep", ["name": "a b"], at: path, seconds: 5)
            #expect(result == ["was": ["name": "a b"], "command": "keep"])
            let error = #expect(throws: ControlError.self) {
                _ = try ControlClient.ask("keep", at: path)
            }
            #expect(error?.kind == .refused && error?.detail == "nothing to go by")
        }
    }

    @Test func `a command is answered`() throws {
        try withServer { path in
            let reply1 = try ControlClient.ask("status", at: path)
            #expect(reply1 == Self.fine)
            let reply2 = try ControlClient.ask("status", at: path)
            #expect(reply2 == Self.fine)
        }
    }

    @Test func `an unknown command is refused with its name`() throws {
        try withServer { path in
            let error = #expect(throws: ControlError.self) {
                _ = try ControlClient.ask("stop", at: path)
            }
            #expect(error?.kind == .refused)
            #expect(error?.description == "no such command: 'stop'")
        }
    }

    @Test(arguments: [
        "\n", "{}\n", "[]\n", "{\"command\":1}\n", "status\n", "{\"command\":\"status\"",
        "{\"command\":\"status\"}{}\n", String(repeating: "[", count: 4000) + "\n",
        String(repeating: " ", count: 9000) + "\n", "\u{0}\u{1}\n", "",
    ])
    func `what is no request is refused, and the next one answered`(_ text: String) throws {
        try withServer { path in
            let answer = try raw(Array(text.utf8), to: path)
            #expect(answer.isEmpty || answer.contains("\"error\""), "\(answer)")
            let reply3 = try ControlClient.ask("status", at: path)
            #expect(reply3 == Self.fine)
        }
    }

    @Test func `a large answer arrives whole`() throws {
        let text = String(repeating: "x", count: 1_000_000)
        try withServer(answer: { _ in .string(text) }) { path in
            let reply4 = try ControlClient.ask("status", at: path)
            #expect(reply4 == .string(text))
        }
    }

    @Test(arguments: ["", "[]", "{\"format\":2,\"result\":{}}", "{\"format\":1}", "x"])
    func `an answer of another kind is no result`(_ text: String) {
        let error = #expect(throws: ControlError.self) {
            _ = try ControlClient.result(Array(text.utf8))
        }
        #expect(error?.kind == .invalid)
    }

    @Test func `who does not listen is told apart`() throws {
        let place = Folder()
        defer { place.remove() }
        try place.folder.create()
        let path = place.folder.path + "/gone.sock"
        let absent = #expect(throws: ControlError.self) {
            _ = try ControlClient.ask("status", at: path)
        }
        #expect(absent?.kind == .notServed)
        // The socket of a server that was killed: its file is there, and nobody listens.
        _ = try Socket.listen(unixPath: path, backlog: 1)
        let stale = #expect(throws: ControlError.self) {
            _ = try ControlClient.ask("status", at: path)
        }
        #expect(stale?.kind == .notServed)
        let server = try ControlServer(path: path) { _ in true }
        try server.start()
        let reply5 = try ControlClient.ask("any", at: path)
        #expect(reply5 == true)
        server.stop()
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func `a container is found by every path that leads to it`() throws {
        let place = Folder()
        defer { place.remove() }
        try place.folder.create()
        let path = place.folder.path
        try Data().write(to: URL(filePath: path + "/disk"))
        try FileManager.default.linkItem(atPath: path + "/disk", toPath: path + "/hard")
        let link = path + "/soft"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "disk")
        try Data().write(to: URL(filePath: path + "/other"))
        let sockets = try ["disk", "hard", "soft"].map {
            try place.folder.socket(ofContainer: "\(path)/\($0)")
        }
        #expect(Set(sockets).count == 1)
        #expect(try place.folder.socket(ofContainer: path + "/other") != sockets[0])
    }

    @Test func `a folder that others may enter is refused`() throws {
        let place = Folder()
        defer { place.remove() }
        try place.folder.create()
        try place.folder.create()
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755],
            ofItemAtPath: place.folder.path
        )
        #expect(throws: Errno.notPermitted) { try place.folder.create() }
        let link = Folder()
        defer { link.remove() }
        try FileManager.default.createSymbolicLink(
            atPath: link.folder.path,
            withDestinationPath: "/tmp"
        )
        #expect(throws: Errno.notDirectory) { try link.folder.create() }
    }

    @Test func `a folder that is not there has no sockets`() throws {
        #expect(try ControlFolder(path: "/tmp/footing-none-at-all").sockets().isEmpty)
    }

    @Test func `who sends a byte now and then holds up nobody for long, nor the end`() throws {
        let place = Folder()
        defer { place.remove() }
        try place.folder.create()
        let path = place.folder.path + "/slow.sock"
        let server = try ControlServer(path: path) { _ in Self.fine }
        try server.start()
        let slow = try Socket.connect(unixPath: path)
        // Its line has two seconds in all, not two for each byte.
        let clock = SystemClock()
        let start = clock.nanoseconds
        var answered = false
        while clock.nanoseconds - start < 8_000_000_000, !answered {
            unsafe [UInt8(ascii: " ")].withUnsafeBytes {
                _ = try? unsafe slow.send($0, waits: true)
            }
            answered = (try? ControlClient.ask("status", at: path)) == Self.fine
        }
        #expect(answered)
        // Another one that sends nothing: the end does not wait for it.
        let idle = try Socket.connect(unixPath: path)
        usleep(100_000)
        let end = clock.nanoseconds
        server.stop()
        #expect(clock.nanoseconds - end < 1_500_000_000)
        withExtendedLifetime(idle) {}
    }

    @Test func `nobody is asked in a folder that others may enter`() throws {
        let place = Folder()
        defer { place.remove() }
        try place.folder.create()
        let path = place.folder.path
        try Data().write(to: URL(filePath: path + "/disk"))
        let server = try place.folder.server(forContainer: path + "/disk") { _ in Self.fine }
        try server.start()
        defer { server.stop() }
        let mine = try place.folder.ask("status", ofContainer: path + "/disk")
        #expect(mine == Self.fine)
        #expect(try place.folder.sockets().count == 1)
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: path)
        let error = #expect(throws: ControlError.self) {
            _ = try place.folder.ask("status", ofContainer: path + "/disk")
        }
        #expect(error?.kind == .unusable)
        #expect(throws: Errno.notPermitted) { _ = try place.folder.sockets() }
    }
}
