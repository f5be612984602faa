internal import FootingNBD
internal import FootingSystem

/// `qemu-img`, which reads and writes an image while this process serves the disk to it.
enum ImageTool {
    /// Serves an export at a socket that nobody else can reach, and runs `qemu-img convert`.
    ///
    /// - Parameters:
    ///   - input: a file that it may open as `/proc/self/fd/3`.
    ///   - words: the arguments, given the disk's URI.
    ///   - line: shows how far it is.
    static func convert(
        _ export: any Export,
        _ task: String,
        _ line: inout ProgressLine,
        input: Int32? = nil,
        _ words: (String) -> [String]
    ) throws(CommandError) {
        let folder: String
        do throws(Errno) { folder = try PrivateFolder.createTemporary() } catch {
            throw CommandError("cannot make a folder in", "/tmp", error)
        }
        let socket = folder + "/disk.sock"
        // Until the server has removed the one, and this the other.
        let folderMark = UnfinishedFile(folder, isFolder: true)
        let socketMark = UnfinishedFile(socket)
        defer {
            PrivateFolder.remove(folder)
            extend(folderMark)
            extend(socketMark)
        }
        let server: Server
        do throws(NBDError) {
            server = try Server(export: export, configuration: Configuration())
            try server.listen(unixPath: socket)
            try server.start()
        } catch {
            throw CommandError(error.description)
        }
        var failure: CommandError?
        do throws(CommandError) {
            let uri = "nbd+unix:///?socket=\(socket)"
            try run(["qemu-img", "convert", "-p"] + words(uri), input, task, &line)
        } catch {
            failure = error
        }
        // What the client wrote is acknowledged, and durable when this returns.
        do throws(NBDError) { try server.stop(within: .seconds(30)) } catch {
            failure = failure ?? CommandError(error.description)
        }
        if let failure { throw failure }
    }

    /// Keeps a mark until here.
    private static func extend(_ mark: borrowing UnfinishedFile) {}

    private static func run(
        _ words: [String],
        _ input: Int32?,
        _ task: String,
        _ line: inout ProgressLine
    ) throws(CommandError) {
        var shown = line
        let result: ChildProcess.Result
        do throws(Errno) {
            result = try ChildProcess.run(words, input: input) { text in
                // "    (12.34/100%)", again and again.
                guard let percent = text.split(separator: "(").last?.split(separator: "/").first,
                    let number = Double(percent), (0...100).contains(number)
                else { return }
                shown.show("\(task) \(Int(number)) %")
            }
        } catch {
            line = shown
            guard error == .noSuchFile else { throw CommandError("cannot run", words[0], error) }
            throw CommandError(
                "cannot run",
                words[0],
                "it is not installed",
                remedy: "it is in the package qemu-utils of Debian and Ubuntu, qemu-img elsewhere"
            )
        }
        line = shown
        if result.status == 0 { return }
        let lines = result.lastOutput.split { $0 == "\n" || $0 == "\r" || $0 == "\r\n" }
        let reason = lines.last { $0.contains("qemu-img") } ?? lines.last ?? ""
        throw CommandError(
            "'\(words[0])' ended with status \(result.status): "
                + TerminalText.harmless(String(reason), keepsLineFeeds: false)
        )
    }

    /// Lets a signal remove what is not complete, before it ends the program.
    static func cleanUpOnSignals() throws(CommandError) {
        do throws(Errno) { try UnfinishedFile.removeOnSignals() } catch {
            throw CommandError("cannot handle", "signals", error)
        }
    }

    /// A path that is never taken for a protocol and its address.
    static func file(_ path: String) -> String { path.hasPrefix("/") ? path : "./" + path }
}
