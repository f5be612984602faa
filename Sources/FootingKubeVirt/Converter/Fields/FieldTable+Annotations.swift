/// The annotations of a VirtualMachineInstance that KubeVirt 1.9 and Footing know.
extension FieldTable {
    /// Those with an effect on a domain.
    static func annotations(on architecture: Architecture) -> Set<String> {
        var known: Set = [
            ProcessorPlacement.evenParity, "kubevirt.io/ignitiondata",
            "kubevirt.io/free-page-reporting-disabled", "sidecar.istio.io/inject",
        ]
        if architecture.isPCI { known.insert(DomainBuilder.rootComplex) }
        if architecture.hasMemoryFiles { known.insert("kubevirt.io/memfd") }
        if architecture == .amd64 {
            known.formUnion(["kubevirt.io/disablePCIHole64", "kubevirt.io/qgs-socket-path"])
        }
        return known
    }

    static let annotationsMap = "metadata.annotations"

    /// Whether an annotation is KubeVirt's or Footing's: one that is not known may be misspelled,
    /// or newer than the converter, and change the domain.
    static func isOwnAnnotation(_ key: Substring) -> Bool {
        let domain = key.prefix { $0 != "/" }
        return ["kubevirt.io", "alpha.kubevirt.io", "hooks.kubevirt.io", "footing"]
            .contains(String(domain))
    }

    /// Those without one, by KubeVirt's `api/core/v1/types.go` of 1.9.
    static let annotationGroups: [Group] = [
        (
            "the cluster's own book-keeping", annotationsMap,
            [
                "kubevirt.io/latest-observed-api-version",
                "kubevirt.io/storage-observed-api-version", "kubevirt.io/vm-generation",
                "kubevirt.io/generation", "kubevirt.io/created-by", "kubevirt.io/nonroot",
                "kubevirt.io/domain", "kubevirt.io/instancetype-name",
                "kubevirt.io/cluster-instancetype-name", "kubevirt.io/preference-name",
                "kubevirt.io/cluster-preference-name", "kubevirt.io/vm-pool-revision-name",
                "kubevirt.io/restore-run-strategy", "kubevirt.io/immediate-data-volume-creation",
                "kubevirt.io/image-volume-skip-digest-resolution",
                "kubevirt.io/ephemeral-provisioning", "kubevirt.io/ephemeral-backup-object",
                "kubevirt.io/memory-overhead-bytes",
                "kubevirt.io/keep-launcher-alive-after-failure",
            ]
        ),
        (
            "how an instance is moved", annotationsMap,
            [
                "kubevirt.io/migrationTransportUnix", "kubevirt.io/create-migration-target",
                "kubevirt.io/evacuationMigration", "kubevirt.io/eviction-source",
                "kubevirt.io/workloadUpdateMigration", "kubevirt.io/volume-update-migration",
                "kubevirt.io/allow-pod-bridge-network-live-migration",
                "kubevirt.io/migrationPendingPodTimeoutSeconds",
                "kubevirt.io/migrationUnschedulablePodTimeoutSeconds",
                "kubevirt.io/migrationUtilityVolumesTimeoutSeconds",
            ]
        ),
        (
            "the launcher acts on it while the guest runs", annotationsMap,
            ["kubevirt.io/pause-guest-agent-probes", "kubevirt.io/libvirt-log-filters"]
        ),
        (
            "the launcher adds free slots for interfaces after the conversion", annotationsMap,
            ["kubevirt.io/pci-topology-version", "kubevirt.io/pci-interface-slot-count"]
        ),
        (
            "a hook changes the domain after the conversion", annotationsMap,
            ["hooks.kubevirt.io/hookSidecars"] + TuningRequest.annotations.map(\.name)
        ),
    ]
}
