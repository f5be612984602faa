internal import FootingSystem
internal import Glibc

/// Programs of their own that are installed beside this one, and are commands of it.
package enum NeighbourProgram {
    /// `footing kubevirt`: its libraries for XML and YAML are no burden for this program.
    static let kubeVirt = Command(
        name: "kubevirt",
        overview: "Run KubeVirt's virtual machines on the hypervisor that their node has.",
        discussion: """
            Goes on as footing-kubevirt, which is installed beside this program; \
            'footing kubevirt --help' has its commands.
            """,
        program: "footing-kubevirt"
    )

    /// What the neighbour is called on its command line when it is a command of this program.
    package static let kubeVirtName = "footing kubevirt"

    /// Goes on as a program in this one's folder, with the same process and streams.
    ///
    /// - Returns: only if that fails, with the reason.
    static func become(_ program: String, as path: CommandPath, _ words: [String]) -> CommandError {
        let file: String
        do throws(Errno) {
            file = try HostRoot().link("proc/self/exe")
        } catch {
            return CommandError("cannot find this program through", "/proc/self/exe", error)
        }
        let folder = file.split(separator: "/").dropLast().joined(separator: "/")
        let neighbour = "/\(folder)/\(program)"
        // As the kernel gave them: they need not be UTF-8.
        let rest = ProcessArguments.bytes.suffix(words.count)
        var list = unsafe ([Array(path.text.utf8)] + rest).map { word in
            unsafe strdup((word + [0]).map { CChar(bitPattern: $0) })
        }
        unsafe list.append(nil)
        defer { unsafe list.forEach { unsafe free($0) } }
        _ = unsafe execv(neighbour, list)
        return CommandError(
            "cannot run",
            neighbour,
            Errno.current,
            remedy: "install \(program) beside this program"
        )
    }
}
