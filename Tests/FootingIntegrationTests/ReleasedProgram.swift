import FootingSystem
import Glibc

/// The released program as a user gets it: `bin/footing`.
enum ReleasedProgram {
    static let path =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        .joined(separator: "/") + "/bin/footing"

    static var exists: Bool { unsafe access(path, X_OK) == 0 }

    /// Runs the program through the shell and gives its status and what it printed.
    ///
    /// - Parameter environment: what stands before it, as `NAME=value`.
    static func run(
        _ words: String,
        environment: String = ""
    ) throws -> (status: Int32, output: String) {
        let command = "\(environment) '\(path)' \(words) </dev/null"
        guard let stream = unsafe popen(command, "r") else {
            throw Errno.current
        }
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe fread(&chunk, 1, chunk.count, stream)
            if count == 0 { break }
            output += chunk[..<count]
        }
        let status = unsafe pclose(stream)
        return (status >> 8 & 0xff, String(decoding: output, as: UTF8.self))
    }
}
