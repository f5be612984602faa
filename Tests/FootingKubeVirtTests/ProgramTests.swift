import FootingSystem
import FootingTestSupport
import Glibc
import Testing

@testable import FootingCommands
@testable import FootingKubeVirtCommands

/// The commands as a user sees them, and the hooks as KubeVirt does.
@Suite struct ProgramTests {
    struct Outcome: Equatable {
        var status: Int32
        var output = ""
        var error = ""
    }

    /// Runs something with streams that are kept.
    private func kept(_ body: (Console) -> Int32) -> Outcome {
        let streams = Locked(Outcome(status: 0))
        let console = Console(columns: 100, progressColumns: nil) { stream, text throws(Errno) in
            streams.withLock { outcome in
                if stream == .output { outcome.output += text } else { outcome.error += text }
            }
        }
        let status = body(console)
        return streams.withLock { outcome in
            outcome.status = status
            return outcome
        }
    }

    private func run(_ words: String...) -> Outcome {
        let root = KubeVirtCommand.declaration(name: "footing kubevirt")
        return kept { FootingProgram.run(words, root: root, console: $0) }
    }

    private func hook(
        _ hook: HookProgram.Hook,
        _ words: [String],
        root: HostRoot? = nil
    ) -> Outcome {
        kept { HookProgram.run(hook, words.map { [UInt8]($0) }, console: $0, root: root) }
    }

    static let resource = """
        kind: KubeVirt
        metadata: {annotations: {footing/device-resource: assigned}}
        spec: {configuration: {developerConfiguration: {featureGates: [HyperVL1VH, Nonsense]}}}
        """

    @Test func `the declaration has no mistakes`() {
        let root = KubeVirtCommand.declaration(name: "footing-kubevirt")
        #expect(DeclarationValidator.problems(in: root).isEmpty)
        #expect(KubeVirtCommand.name(of: "footing kubevirt") == "footing kubevirt")
        #expect(KubeVirtCommand.name(of: "/usr/bin/footing-kubevirt") == "footing-kubevirt")
    }

    @Test func `gates as a table and as JSON`() throws {
        let folder = try TemporaryDirectory()
        try folder.file("kubevirt.yaml", Self.resource)
        let path = folder.path("kubevirt.yaml")
        #expect(
            run("gates", path).output == """
                HyperVL1VH              Alpha  on: listed in featureGates
                ConfigurableHypervisor  Alpha  off by default
                Sidecar                 Alpha  off by default
                Plugins                 Alpha  off by default
                Nonsense                -      off: no such gate

                """
        )
        #expect(run("gates", path, "HyperVL1VH").status == 0)
        #expect(run("gates", path, "HyperVL1VH", "Plugins").status == 1)
        let all = run("gates", path, "--all", "--json")
        let json = try JSONValue(parsing: [UInt8](all.output))
        #expect(json.member("wish")?.stringValue == "transparent")
        guard case .array(let gates) = json.member("gates") else {
            Issue.record("no gates")
            return
        }
        #expect(gates.count == 87)
        #expect(run("gates").status == 64)
        let missing = run("gates", folder.path("missing"))
        #expect(missing.status == 1)
        #expect(missing.error.hasPrefix("Error: cannot read"))
        try folder.file("broken.yaml", "kind: [")
        #expect(run("gates", folder.path("broken.yaml")).error.contains("cannot use"))
    }

    @Test func `a domain is defined from files and from texts`() throws {
        let folder = try TemporaryDirectory()
        try folder.directory("dev")
        try folder.file("dev/mshv", "")
        try folder.directory("etc")
        try folder.directory("etc/footing")
        try folder.file("etc/footing/kubevirt.yaml", Self.resource)
        try folder.file("domain.xml", "<domain type='kvm'/>\n")
        let vmi = #"{"spec":{"domain":{"cpu":{"model":"host-passthrough"}}}}"#
        let words = ["--vmi", vmi, "--root", folder.path]
        let file = "@" + folder.path("domain.xml")
        let outcome = run("define-domain", words[0], words[1], words[2], words[3], "--domain", file)
        #expect(outcome.status == 0)
        #expect(outcome.output == "<domain type='hyperv'/>\n")
        #expect(outcome.error.hasSuffix("}\n"))
        let text = run("define-domain", "--root", folder.path, "--domain=<domain type='xen'/>")
        #expect(text.output == "<domain type='xen'/>")
        let strict = run(
            "define-domain",
            "--root",
            folder.path,
            "--domain=<domain type='xen'/>",
            "--strict"
        )
        #expect(strict.status == 1 && strict.output.isEmpty)
        #expect(run("define-domain").status == 64)
    }

    @Test func `standard input is given once`() {
        let lines = [
            ["define-domain", "--vmi", "-", "--domain", "-"],
            ["define-domain", "--vmi", "@-", "--domain", "-"],
            ["define-domain", "--domain", "-", "--kubevirt", "-"],
            ["define-domain", "--domain", "x", "--vmi", "-", "--kubevirt", "-"],
            ["convert", "-", "--context", "-"], ["preflight", "-", "--kubevirt", "-"],
            ["condition", "--vmi", "-"],
        ]
        for line in lines {
            let root = KubeVirtCommand.declaration(name: "footing kubevirt")
            let outcome = kept { FootingProgram.run(line, root: root, console: $0) }
            #expect(outcome.status == 64, "\(line)")
            #expect(outcome.error.contains("can be standard input"), "\(line)")
        }
    }

    @Test func `standard input is read as it is, be it a socket`() async {
        await #expect(processExitsWith: .success) {
            var ends: [Int32] = [-1, -1]
            let kind = Int32(SOCK_STREAM.rawValue)
            precondition(unsafe socketpair(AF_UNIX, kind, 0, &ends) == 0)
            precondition(dup2(ends[0], STDIN_FILENO) == STDIN_FILENO)
            let file = FileDescriptor(owning: ends[1])
            do { try file.write(ProgramTests.resource) } catch { preconditionFailure("\(error)") }
            _ = close(file.release())
            let outcome = ProgramTests().run("gates", "-", "HyperVL1VH")
            precondition(outcome.status == 0, outcome.error)
        }
    }

    @Test func `the hook by its name`() throws {
        let folder = try TemporaryDirectory()
        try folder.directory("dev")
        try folder.file("dev/mshv", "")
        let root = try HostRoot(path: folder.path)
        let vmi = #"{"metadata":{"name":"a"},"spec":{"domain":{}}}"#
        let words = ["--vmi", vmi, "--domain", "<domain type='kvm'/>"]
        let off = hook(.onDefineDomain, words, root: root)
        #expect(off.status == 0)
        #expect(off.output == "<domain type='kvm'/>")
        #expect(off.error.split(separator: "\n").count == 1)
        try folder.directory("etc")
        try folder.directory("etc/footing")
        try folder.file("etc/footing/kubevirt.yaml", Self.resource)
        #expect(hook(.onDefineDomain, words, root: root).output == "<domain type='hyperv'/>")
        // What a later KubeVirt may say besides is no reason to fail.
        let more = hook(.onDefineDomain, ["--phase", "boot"] + words, root: root)
        #expect(more.output == "<domain type='hyperv'/>")
        #expect(more.error.contains("the argument --phase is not known"))
        let version = hook(.onDefineDomain, ["--version", "v1alpha3"] + words, root: root)
        #expect(version.output == "<domain type='hyperv'/>")
        #expect(hook(.onDefineDomain, ["--vmi", vmi]).status == 64)
        #expect(hook(.onDefineDomain, ["--help"]).output.contains("onDefineDomain --vmi"))
        #expect(hook(.onDefineDomain, ["--version"]).output == Release.version + "\n")
    }

    @Test func `a resource that cannot be read hands the domain on`() throws {
        let folder = try TemporaryDirectory()
        try folder.directory("etc")
        try folder.directory("etc/footing")
        try folder.file("etc/footing/kubevirt.yaml", "kind: [")
        let root = try HostRoot(path: folder.path)
        let words = ["--vmi", "{}", "--domain", "<domain type='kvm'/>"]
        let outcome = hook(.onDefineDomain, words, root: root)
        #expect(outcome.status == 0)
        #expect(outcome.output == "<domain type='kvm'/>")
        #expect(outcome.error.contains("/etc/footing/kubevirt.yaml"))
    }

    @Test func `strictness that is part of the image outlives the resource`() throws {
        let words = ["--vmi", #"{"spec":{}}"#, "--domain", "<domain type='kvm'/>"]
        let rows: [(isStrict: Bool, resource: String?, status: Int32)] = [
            (false, nil, 0), (true, nil, 1), (false, "kind: [", 0), (true, "kind: [", 1),
            (true, "kind: KubeVirt", 0),
        ]
        for row in rows {
            let folder = try TemporaryDirectory()
            try folder.directory("etc")
            try folder.directory("etc/footing")
            if row.isStrict { try folder.file("etc/footing/strict", "") }
            if let text = row.resource { try folder.file("etc/footing/kubevirt.yaml", text) }
            let outcome = hook(.onDefineDomain, words, root: try HostRoot(path: folder.path))
            #expect(outcome.status == row.status, "\(row)")
            #expect(outcome.output == (row.status == 0 ? words[3] : ""), "\(row)")
            if row.status == 1 { #expect(outcome.error.contains("/etc/footing/kubevirt.yaml")) }
            let people = run("define-domain", "--root", folder.path, "--domain", words[3])
            #expect(people.status == row.status, "\(row)")
        }
    }

    @Test func `cloud-init's data pass through`() {
        let words = ["--vmi", "{}", "--cloud-init", "{\"a\": 1}\n"]
        let outcome = hook(.preCloudInitIso, words)
        #expect(outcome == Outcome(status: 0, output: "{\"a\": 1}\n"))
        #expect(hook(.preCloudInitIso, ["--vmi", "{}"]).status == 64)
    }

    @Test func `a domain that cannot be written is a failure`() {
        let console = Console(columns: 80, progressColumns: nil) { stream, _ throws(Errno) in
            if stream == .output { throw .noSpace }
        }
        let words = ["--vmi", "{}", "--domain", "<domain type='kvm'/>"].map { [UInt8]($0) }
        #expect(HookProgram.run(.onDefineDomain, words, console: console) == 1)
    }

    @Test func `preflight warns, and fails where it is strict`() throws {
        let folder = try TemporaryDirectory()
        try folder.file("vmi.yaml", "kind: VirtualMachineInstance\nspec: {domain: {}}\n")
        let path = folder.path("vmi.yaml")
        let outcome = run("preflight", path, "--libvirt", "11.9.0")
        #expect(outcome.status == 0)
        #expect(outcome.output.split(separator: "\n").count == 3)
        #expect(run("preflight", path, "--strict").status == 1)
        #expect(run("preflight", path, "--qemu", "new").status == 64)
        let json = try JSONValue(parsing: [UInt8](run("preflight", path, "--json").output))
        #expect(json.member("schema")?.stringValue == "footing.kubevirt-preflight/1")
    }

    @Test func `a plugin is printed where both gates are on`() throws {
        let folder = try TemporaryDirectory()
        try folder.file("off.yaml", Self.resource)
        let both = Self.resource.replacing("Nonsense", with: "Plugins")
        try folder.file("on.yaml", both)
        #expect(run("plugin").output.hasPrefix("apiVersion: plugin.kubevirt.io/v1alpha1\n"))
        #expect(run("plugin", "--kubevirt", folder.path("on.yaml")).status == 0)
        let off = run("plugin", "--kubevirt", folder.path("off.yaml"))
        #expect(off.status == 1 && off.output.isEmpty)
        #expect(off.error.contains("the gate Plugins is off by default"))
        #expect(run("plugin", "--name", "A").status == 64)
        #expect(run("plugin", "--form", "hooks").status == 64)
        #expect(run("plugin", "--form", "launcherHooks").output.contains("  launcherHooks:\n"))
        for (version, isKnown) in [("v1.9.0-rc.2", true), ("v1.9.0", false), ("v2.0.0", false)] {
            try folder.file(
                "\(version).yaml",
                both + "\nstatus: {observedKubeVirtVersion: \(version)}\n"
            )
            let path = folder.path("\(version).yaml")
            #expect(run("plugin", "--kubevirt", path).status == (isKnown ? 0 : 1), "\(version)")
            #expect(run("plugin", "--kubevirt", path, "--form", "domainHooks").status == 0)
        }
    }

    @Test func `a log becomes a condition and a metric`() throws {
        let folder = try TemporaryDirectory()
        try folder.directory("dev")
        let hook = hook(
            .onDefineDomain,
            [
                "--vmi", #"{"metadata":{"name":"vm","namespace":"ns"}}"#, "--domain",
                "<domain type='kvm'/>",
            ],
            root: try HostRoot(path: folder.path)
        )
        try folder.file("log", "noise {\n2026 stderr F " + hook.error + "more noise\n")
        let path = folder.path("log")
        #expect(run("metrics", path).output.contains("hypervisor_type=\"kvm\"} 1\n"))
        let condition = run("condition", path)
        #expect(condition.status == 0)
        #expect(condition.output.contains("\"reason\": \"GateOff\""))
        // Of several virtual machines the one that is named.
        let other = hook.error.replacing("\"vm\"", with: "\"other\"")
            .replacing("GateOff", with: "L1VHSelected")
        try folder.file("both", hook.error + other)
        #expect(run("condition", folder.path("both")).status == 64)
        for (name, space, reason) in [
            ("vm", "ns", "GateOff"), ("other", "ns", "L1VHSelected"), ("vm", "else", nil),
            ("third", "ns", nil),
        ] {
            let metadata = "metadata: {name: \(name), namespace: \(space)}"
            let file = "\(space)-\(name).yaml"
            try folder.file(file, "kind: VirtualMachineInstance\n\(metadata)\n")
            let patch = run("condition", folder.path("both"), "--vmi", folder.path(file))
            #expect(patch.status == (reason == nil ? 1 : 0), "\(space)/\(name)")
            #expect(patch.output.contains("\"reason\": \"\(reason ?? "")\"") == (reason != nil))
        }
        try folder.file("empty", "nothing\n")
        #expect(run("condition", folder.path("empty")).status == 1)
        #expect(run("metrics", folder.path("empty")).output.hasSuffix("# EOF\n"))
    }

    @Test func `a node is reported`() throws {
        let folder = try TemporaryDirectory()
        try folder.directory("dev")
        try folder.file("dev/mshv", "")
        try folder.file("kubevirt.yaml", Self.resource)
        let outcome = run(
            "node",
            "--root",
            folder.path,
            "--kubevirt",
            folder.path("kubevirt.yaml")
        )
        #expect(
            outcome.output == """
                /dev/mshv is there
                /dev/kvm is not there
                partition parent
                on mshv: domain type hyperv, at most 255 processors, models host-passthrough and \
                maximum, no live migration, not confidential
                label footing/mshv=true
                label footing/kvm=false
                a virtual machine does not run: kvm not present and emulation is not allowed

                """
        )
        try folder.file("dev/kvm", "")
        let both = run("node", "--root", folder.path, "--kubevirt", folder.path("kubevirt.yaml"))
        #expect(
            both.output.hasSuffix(
                "a virtual machine runs on mshv (domain type hyperv): the gate HyperVL1VH is on "
                    + "and /dev/mshv is there\n"
            )
        )
        let json = run("node", "--root", folder.path, "--json")
        #expect(try JSONValue(parsing: [UInt8](json.output)).member("labels") != nil)
    }
}
