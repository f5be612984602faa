internal import CQAT
public import FootingSystem
internal import Glibc

/// The same program, dynamically linked: `footing-dynamic`, installed beside `footing`.
///
/// A static program cannot load libraries. Where one is needed, the process goes on as the twin,
/// with the same command line, number and standard streams. Nothing else stays: do this first.
public enum DynamicTwin {
    /// Its name, in the folder of the program.
    public static let name = "footing-dynamic"

    /// Whether this process can load libraries itself.
    public static var isNeeded: Bool { qat_can_load() == 0 }

    /// How long the twin may take to say its version.
    private static let limitMilliseconds: Int32 = 5000

    /// Goes on as the twin, if nothing but this process keeps QAT from being used.
    ///
    /// - Parameters:
    ///   - root: the machine.
    ///   - configuration: what QAT may be used for.
    /// - Returns: only where there is nothing to go on for.
    /// - Throws: why the twin cannot be run; the process is then as it was.
    public static func takeOver(
        root: HostRoot,
        configuration: QATConfiguration
    ) throws(AccelerationError) {
        guard isNeeded, QATObstacle.first(root: root, configuration: configuration) == nil else {
            return
        }
        let program: String
        do throws(Errno) {
            program = try HostRoot().link("proc/self/exe")
        } catch {
            throw .unavailable("/proc/self/exe: \(error)")
        }
        let folder = program.split(separator: "/").dropLast().joined(separator: "/")
        let path = "/\(folder)/\(name)"
        try check(path, version: Release.version)
        throw .unavailable("\(path): \(execute(path))")
    }

    /// Whether it starts here, with all the libraries it needs, and is of this version.
    static func check(_ path: String, version: String) throws(AccelerationError) {
        var buffer = [CChar](repeating: 0, count: 256)
        let size = buffer.count
        let count = unsafe qat_output(path, "--version", &buffer, size, limitMilliseconds)
        guard count >= 0 else {
            throw .unavailable("\(path): \(Errno(rawValue: Int32(-count)))")
        }
        let output = String(
            decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) },
            as: UTF8.self
        )
        guard output == "\(version)\n" else {
            throw .unavailable(
                output.isEmpty
                    ? "\(path) does not run here" : "\(path) is not of version \(version)"
            )
        }
    }

    /// Becomes the twin; returns only with the reason why not.
    private static func execute(_ path: String) -> Errno {
        var words = unsafe ProcessArguments.all.map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        let status = unsafe qat_become(path, &words)
        return Errno(rawValue: -status)
    }
}
