/// Which hypervisor a cluster's gates ask for.
public enum HypervisorWish: Sendable, Hashable {
    /// KVM, or software where that is allowed: what KubeVirt does without any gate.
    case kernel(Cause)
    /// `ConfigurableHypervisor` with `hyperv-direct`: KubeVirt itself chooses the Microsoft
    /// hypervisor, for the whole cluster and without KVM to fall back to.
    case hyperVDirect
    /// `HyperVL1VH`: the Microsoft hypervisor where its device is there, else as without the gate.
    case transparent

    /// Why it is KVM.
    public enum Cause: Sendable, Hashable {
        /// `HyperVL1VH` is off, by this rule.
        case gateOff(FeatureGates.Verdict.Rule)
        /// `ConfigurableHypervisor` is on and names KVM.
        case configured
        /// `ConfigurableHypervisor` names a hypervisor that is not known.
        case unknownHypervisor(String)
    }
}
