import FootingLifecycle
import FootingSystem
import Glibc
import Testing

@testable import FootingCommands

/// What people are told where a disk's server gives no answer.
@Suite struct ServedDiskTests {
    /// What comes of a question to a socket.
    private func message(_ path: String, seconds: UInt64) -> String {
        do throws(ControlError) {
            _ = try ControlClient.ask("resize", at: path, seconds: seconds)
            return "nothing"
        } catch {
            return ServedDisk.failure(error, "disk.footing", "resize").message
        }
    }

    @Test func `A server that does not answer in time may do it all the same`() throws {
        let folder = try PrivateFolder.createTemporary()
        defer { PrivateFolder.remove(folder) }
        let listener = try Socket.listen(unixPath: folder + "/s", backlog: 1)
        let text = message(folder + "/s", seconds: 1)
        try Socket.remove(unixPath: folder + "/s")
        #expect(listener.number >= 0)
        #expect(text.contains("cannot tell whether it was possible to resize 'disk.footing'"))
        #expect(text.contains("may still do it") && text.contains("footing disk info"))
    }

    @Test func `One that ends the connection may have done it`() throws {
        let folder = try PrivateFolder.createTemporary()
        defer { PrivateFolder.remove(folder) }
        let listener = try Socket.listen(unixPath: folder + "/s", backlog: 1)
        let number = listener.number
        let server = try Thread(name: "server") {
            var line = [UInt8](repeating: 0, count: 256)
            let connection = accept(number, nil, nil)
            // All of the request first: one that is refused was not sent.
            _ = unsafe read(connection, &line, line.count)
            close(connection)
        }
        let text = message(folder + "/s", seconds: 5)
        server.join()
        try Socket.remove(unixPath: folder + "/s")
        #expect(listener.number >= 0)
        #expect(text.contains("cannot tell whether") && text.contains("may have done it"))
    }

    @Test func `What was refused, or never asked, was not done`() throws {
        let refusal = ControlError.refusal("no")
        let text = ServedDisk.failure(refusal, "disk.footing", "resize").message
        #expect(text == "cannot resize 'disk.footing': no")
        let folder = try PrivateFolder.createTemporary()
        defer { PrivateFolder.remove(folder) }
        #expect(message(folder + "/s", seconds: 1).hasPrefix("cannot resize 'disk.footing'"))
    }
}
