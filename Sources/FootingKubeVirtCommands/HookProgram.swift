internal import FootingCommands
internal import FootingKubeVirt
internal import FootingSystem
internal import Glibc

/// The program under the name of a hook, as KubeVirt's sidecar shim runs it
/// (`cmd/sidecars/sidecar_shim.go`).
///
/// What it writes on standard output becomes the domain, whatever it is, and a status other than 0
/// fails the virtual machine: so both are for what must not be otherwise.
enum HookProgram {
    /// The hooks by their names.
    enum Hook: String {
        case onDefineDomain
        case preCloudInitIso
    }

    /// Where the KubeVirt resource is looked for, below the root.
    static let resourcePath = "etc/footing/kubevirt.yaml"

    /// What makes the hook strict by being there, below the root; it may be empty.
    ///
    /// Part of the image, it holds also where the resource is missing or cannot be read.
    static let strictPath = "etc/footing/strict"

    /// Runs a hook and gives the exit status.
    ///
    /// - Parameter root: the machine; nil for the live one.
    static func run(
        _ hook: Hook,
        _ words: [[UInt8]],
        console: Console,
        root: HostRoot? = nil
    ) -> Int32 {
        // Who reads the log may have gone: no reason to fail.
        _ = signal(SIGPIPE, SIG_IGN)
        let value = hook == .onDefineDomain ? "domain" : "cloud-init"
        let arguments = HookArguments(words, names: ["vmi", value])
        // Alone, as a person asks: among others it would end up as a domain.
        if words.count == 1, ["--help", "-h", "--version"].contains(arguments.unknown.first) {
            let isVersion = arguments.unknown.first == "--version"
            console.write(isVersion ? Release.version + "\n" : help(hook, value))
            return console.outputFailure == nil ? 0 : 1
        }
        guard let bytes = arguments.values[value] else {
            console.writeError("Error: --\(value) is missing\n\(help(hook, value))")
            return 64
        }
        guard hook == .onDefineDomain else {
            return finish(bytes, console)
        }
        return defineDomain(arguments.values["vmi"], bytes, arguments.unknown, console, root)
    }

    private static func defineDomain(
        _ manifest: [UInt8]?,
        _ domain: [UInt8],
        _ unknown: [String],
        _ console: Console,
        _ given: HostRoot?
    ) -> Int32 {
        let root: HostRoot
        do throws(Errno) {
            if let given { root = given } else { root = try HostRoot() }
        } catch {
            console.remark("the root cannot be opened: \(error); the domain is handed on")
            return finish(domain, console)
        }
        let isStrict = root.exists(strictPath)
        let (cluster, findings) = cluster(at: resourcePath, root: root, isNeeded: isStrict)
        let others = unknown.map { Finding(.trouble, "the argument \($0) is not known") }
        let hook = DomainHook(
            cluster: cluster,
            isStrict: isStrict,
            findings: findings + others,
            root: root
        )
        let outcome = hook.run(manifest: manifest, domain: domain)
        let status: Int32 = outcome.domain.map { finish($0, console) } ?? 1
        // Behind the domain: nothing that happens to the log may cost that.
        console.writeError(outcome.record.line + "\n")
        return status
    }

    /// The KubeVirt resource below a root; nil where there is none, and a finding if it is needed.
    static func cluster(
        at path: String,
        root: HostRoot,
        isNeeded: Bool
    ) -> (cluster: ClusterConfiguration?, findings: [Finding]) {
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try root.bytes(path)
        } catch {
            let isAbsent = error == .noSuchFile || error == .notDirectory
            if isAbsent, !isNeeded { return (nil, []) }
            return (nil, [Finding(.trouble, "/\(path): \(error)")])
        }
        do throws(ManifestError) {
            return (try ClusterConfiguration(parsing: bytes), [])
        } catch {
            return (nil, [Finding(.trouble, "/\(path): \(error)")])
        }
    }

    private static func finish(_ bytes: [UInt8], _ console: Console) -> Int32 {
        console.write(bytes: bytes)
        guard let failure = console.outputFailure else { return 0 }
        console.writeError("Error: cannot write to standard output: \(failure)\n")
        return 1
    }

    private static func help(_ hook: Hook, _ value: String) -> String {
        let what =
            hook == .onDefineDomain
            ? "Choose the hypervisor of a domain, and tune its disks, before libvirt gets it."
            : "Hand cloud-init's data on as it is."
        return """
            OVERVIEW: \(what)

            KubeVirt's sidecar shim runs this; 'footing kubevirt define-domain --help' has more.

            USAGE: \(hook.rawValue) --vmi <json> --\(value) <text>

            """
    }
}
