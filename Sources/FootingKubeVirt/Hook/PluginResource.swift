/// The same change without any code in a pod: a resource of KubeVirt's plugins (1.9 and later).
///
/// virt-launcher evaluates its expressions itself. Types:
/// `staging/src/kubevirt.io/api/plugin/v1alpha1/types.go`; the expressions have KubeVirt's and
/// libvirtxml's Go names (`pkg/virt-launcher/virtwrap/plugins/cel`).
public struct PluginResource: Sendable, Hashable {
    /// The label of virtual machines that are meant.
    public static let label = "footing/hypervisor"
    /// Its value.
    public static let labelValue = "mshv"

    /// The version of KubeVirt whose fields are known to be those of ``Form/domainHooks``.
    public static let knownVersion = "v1.9.0-rc.2"

    /// What a version of KubeVirt calls the list of hooks that change a domain.
    public enum Form: String, Sendable, Hashable, CaseIterable {
        /// `spec.domainHooks`, of 1.9.0-rc.2.
        case domainHooks
        /// `spec.launcherHooks` with a `hookPoint`, of what is to come after it.
        case launcherHooks
    }

    /// What the list is called.
    public let form: Form
    /// Whether the device must be among the virtual machine's limits; not where every pod gets it
    /// in another way.
    public let needsDevice: Bool
    /// The name of the resource, by which KubeVirt orders plugins.
    public let name: String
    /// Whether every virtual machine of the cluster is meant, not only those with the label.
    public let isForAll: Bool
    /// Whether a failure of the plugin fails the virtual machine.
    public let isStrict: Bool

    /// A resource; the name must be one of Kubernetes'.
    ///
    /// - Returns: nil for a name that is no DNS subdomain (RFC 1123).
    public init?(
        name: String = "footing-hyperv-l1vh",
        form: Form = .domainHooks,
        isForAll: Bool,
        isStrict: Bool,
        needsDevice: Bool = true
    ) {
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        func isPlain(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte)
        }
        let isName = labels.allSatisfy { label in
            guard let first = label.utf8.first, let last = label.utf8.last else { return false }
            return isPlain(first) && isPlain(last)
                && label.utf8.allSatisfy { isPlain($0) || $0 == UInt8(ascii: "-") }
        }
        guard isName, name.utf8.count <= 253 else { return nil }
        self.name = name
        self.form = form
        self.needsDevice = needsDevice
        self.isForAll = isForAll
        self.isStrict = isStrict
    }

    /// The expression that says whether a virtual machine is meant.
    ///
    /// By its label, and by the device among its limits, without which the domain could not start.
    /// Of a domain that is on the Microsoft hypervisor already it is not, so that twice is once.
    public var condition: String {
        var parts = [#"(domainSpec.Type == "kvm" || domainSpec.Type == "qemu")"#]
        if needsDevice {
            let limits = "vmi.Spec.Domain.Resources.Limits"
            let device = VirtualMachineFacts.deviceResource
            parts.insert(#"has(\#(limits)) && "\#(device)" in \#(limits)"#, at: 0)
        }
        if !isForAll {
            parts.insert(
                #"has(vmi.Labels) && "\#(Self.label)" in vmi.Labels && "#
                    + #"vmi.Labels["\#(Self.label)"] == "\#(Self.labelValue)""#,
                at: 0
            )
        }
        return parts.joined(separator: " && ")
    }

    /// The expression that makes the change: KubeVirt merges it into the domain.
    public var mutation: String { #"Domain{Type: "hyperv"}"# }

    /// The resource in YAML.
    public var yaml: String {
        """
        apiVersion: plugin.kubevirt.io/v1alpha1
        kind: Plugin
        metadata:
          name: \(name)
        spec:
          failureStrategy: \(isStrict ? "Fail" : "Ignore")
          condition: '\(condition)'
        \(hooks)

        """
    }

    private var hooks: String {
        switch form {
        case .domainHooks:
            """
              domainHooks:
              - cel:
                  expression: '\(mutation)'
            """
        case .launcherHooks:
            """
              launcherHooks:
              - cel:
                  hookPoint: GuestDefinition
                  expression: '\(mutation)'
            """
        }
    }
}
