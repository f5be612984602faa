/// The fields that the converter knows without reading them, with the reason.
///
/// A path is relative to a VirtualMachineInstance and has no indices; what belongs to a
/// VirtualMachine alone begins with `machine`.
struct FieldTable {
    /// Deliberately without effect on the domain.
    var withoutEffect: [String: String] = [:]
    /// The same for maps with free keys: every key of theirs that is not read.
    var freeKeys: [String: String] = [:]
    /// KubeVirt's, but beyond the converter's subset: more than "unknown" can be said.
    var notConverted: [String: String] = [:]

    /// Why a key of a map has no effect; nil if it would have one, or is unknown.
    func reasonWithoutEffect(_ pattern: String, in map: String) -> String? {
        if let reason = withoutEffect[pattern] { return reason }
        if map == Self.annotationsMap, Self.isOwnAnnotation(pattern.dropFirst(map.utf8.count + 1)) {
            return nil
        }
        return freeKeys[map]
    }

    /// Why a key is not converted.
    func reasonNotConverted(_ pattern: String, in map: String) -> String {
        notConverted[pattern]
            ?? (map == Self.annotationsMap ? "unknown annotation" : "unknown field")
    }

    static let known = FieldTable(
        withoutEffect: expanded(withoutEffectGroups + annotationGroups),
        freeKeys: [
            annotationsMap: "no annotation of KubeVirt's or Footing's",
            "spec.domain.resources.requests": "the pod's share of the node",
            "spec.domain.resources.limits": "the pod's share of the node",
        ],
        notConverted: expanded(notConvertedGroups)
    )

    typealias Group = (reason: String, map: String, keys: [String])

    private static func expanded(_ groups: [Group]) -> [String: String] {
        var table: [String: String] = [:]
        for group in groups {
            for key in group.keys {
                table[group.map.isEmpty ? key : "\(group.map).\(key)"] = group.reason
            }
        }
        return table
    }

    private static let objectKeys = [
        "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers",
        "generateName", "generation", "managedFields", "ownerReferences", "resourceVersion",
        "selfLink", "labels", "name", "namespace", "uid",
    ]

    private static let claimKeys = ["claimName", "readOnly", "hotpluggable"]

    private static let cloudInitKeys = [
        "secretRef", "userDataBase64", "userData", "networkDataSecretRef", "networkDataBase64",
        "networkData",
    ]

    private static let content = "content of the disk's image, which the launcher makes"
    private static let schedules = "decides where and how the pod runs"
    private static let observed = "what the cluster observed"

    private static let withoutEffectGroups: [Group] = [
        ("the object's life in the cluster", "metadata", objectKeys),
        (
            "the object's life in the cluster", "machine.metadata",
            objectKeys + ["annotations"]
        ),
        ("decides when an instance runs, not how", "machine.spec", ["running", "runStrategy"]),
        (
            "prepares volumes before an instance starts", "machine.spec",
            ["dataVolumeTemplates", "updateVolumesStrategy"]
        ),
        (observed, "", ["status"]),
        (
            schedules, "spec",
            [
                "priorityClassName", "nodeSelector", "affinity", "schedulerName", "tolerations",
                "topologySpreadConstraints", "evictionStrategy", "dnsPolicy", "dnsConfig",
                "resourceClaims", "serviceAccountName",
            ]
        ),
        (
            "the launcher acts on it while the guest runs", "spec",
            [
                "livenessProbe", "readinessProbe", "terminationGracePeriodSeconds",
            ]
        ),
        (content, "spec", ["hostname", "subdomain"]),
        (schedules, "spec.domain.resources", ["overcommitGuestOverhead"]),
        (schedules, "spec.domain.memory", ["reservedOverhead"]),
        ("the node sets the scheduler of running threads", "spec.domain.cpu.realtime", ["mask"]),
        (
            "the launcher keeps the variables on a volume", "spec.domain.firmware.bootloader.efi",
            [
                "persistent"
            ]
        ),
        (
            "the pod's image", "spec.domain.firmware.kernelBoot.container",
            [
                "image", "imagePullSecret", "imagePullPolicy",
            ]
        ),
        (
            "SEV's owner asks for it while the guest starts", "spec.domain.launchSecurity.sev",
            [
                "attestation"
            ]
        ),
        ("upstream has no element for it", "spec.domain.features.apic", ["endOfInterrupt"]),
        ("told to the guest by cloud-init", "spec.domain.devices.disks[]", ["tag"]),
        ("told to the guest by cloud-init", "spec.domain.devices.interfaces[]", ["tag"]),
        ("told to the guest by cloud-init", "spec.domain.devices.hostDevices[]", ["tag"]),
        ("told to the guest by cloud-init", "spec.domain.devices.gpus[]", ["tag"]),
        (
            "the node's device plugin finds a device by it; the context names that device",
            "spec.domain.devices.hostDevices[]", ["deviceName"]
        ),
        (
            "the node's device plugin finds a device by it; the context names that device",
            "spec.domain.devices.gpus[]", ["deviceName"]
        ),
        (
            "the launcher answers the guest with it", "spec.domain.devices.interfaces[]",
            [
                "dhcpOptions"
            ]
        ),
        ("a network in the pod", "spec.networks[]", ["pod", "multus"]),
        (
            "a plugin of the cluster; the context says what it attaches",
            "spec.domain.devices.interfaces[].binding", ["name"]
        ),
        (
            "passt's alone; elsewhere the launcher lets them through",
            "spec.domain.devices.interfaces[]",
            ["ports"]
        ),
        (
            "the node gives it to the function", "spec.domain.devices.interfaces[]",
            ["macAddress"]
        ),
        ("a function of the host has its own", "spec.domain.devices.interfaces[]", ["model"]),
        ("a name of the port", "spec.domain.devices.interfaces[].ports[]", ["name"]),
        (content, "spec.volumes[].cloudInitNoCloud", cloudInitKeys),
        (content, "spec.volumes[].cloudInitConfigDrive", cloudInitKeys),
        (content, "spec.volumes[].sysprep", ["secret", "configMap"]),
        (content, "spec.volumes[].configMap", ["name", "optional", "volumeLabel"]),
        (content, "spec.volumes[].secret", ["secretName", "optional", "volumeLabel"]),
        (content, "spec.volumes[].downwardAPI", ["fields", "volumeLabel"]),
        (content, "spec.volumes[].serviceAccount", ["serviceAccountName"]),
        (
            "the pod's image", "spec.volumes[].containerDisk",
            ["image", "imagePullSecret", "imagePullPolicy", "path"]
        ),
        ("which storage the cluster attaches", "spec.volumes[].persistentVolumeClaim", claimKeys),
        (
            "which storage the cluster attaches",
            "spec.volumes[].ephemeral.persistentVolumeClaim", claimKeys
        ),
        (
            "which storage the cluster attaches", "spec.volumes[].dataVolume",
            [
                "name", "hotpluggable",
            ]
        ),
        ("the node makes the file", "spec.volumes[].hostDisk", ["type", "capacity", "shared"]),
        ("the launcher makes the file", "spec.volumes[].emptyDisk", ["capacity"]),
        ("storage beside the disks", "spec.volumes[].memoryDump", claimKeys),
        ("mounted into the pod", "spec.volumes[].containerPath", ["path", "readOnly"]),
        (
            observed, "status",
            [
                "nodeName", "reason", "conditions", "phase", "phaseTransitionTimestamps",
                "interfaces", "guestOSInfo", "migrationState", "migrationMethod",
                "migrationTransport", "qosClass", "launcherContainerImageVersion",
                "evacuationNodeName", "activePods", "kernelBootStatus", "fsFreezeStatus",
                "virtualMachineRevisionName", "selinuxContext", "machine", "currentCPUTopology",
                "memory", "changedBlockTracking",
            ]
        ),
        (
            observed, "status.volumeStatus[]",
            [
                "phase", "reason", "message", "size", "memoryDumpVolume", "containerDiskVolume",
                "persistentVolumeClaimInfo",
            ]
        ),
    ]

    private static let needsContext = "not converted; the context's volumes can say it"

    private static let notConvertedGroups: [Group] = [
        (
            "not converted: the cluster fills in what these stand for; apply them first",
            "machine.spec", ["instancetype", "preference"]
        ),
        (
            "not converted: the launcher sets keys and passwords in the guest", "spec",
            [
                "accessCredentials"
            ]
        ),
        ("not converted", "spec", ["utilityVolumes"]),
        ("not converted: devices of resource claims", "spec.networks[]", ["resourceClaim"]),
        (
            "not converted: devices of resource claims", "spec.domain.devices.gpus[]",
            [
                "claimName", "requestName",
            ]
        ),
        (
            "not converted: devices of resource claims", "spec.domain.devices.hostDevices[]",
            [
                "claimName", "requestName",
            ]
        ),
        ("not converted", "spec.domain.devices.gpus[]", ["virtualGPUOptions"]),
        ("not converted", "spec.domain.devices.disks[]", ["changedBlockTracking"]),
        (
            "has an effect on disks alone", "spec.domain.devices.disks[]",
            [
                "shareable", "serial",
            ]
        ),
        (
            "not converted: KubeVirt has no such binding any more",
            "spec.domain.devices.interfaces[]", ["slirp", "macvtap", "passt"]
        ),
        ("not converted", "spec.domain.devices.interfaces[]", ["portRanges"]),
        (
            "has no effect with this binding", "spec.domain.devices.interfaces[]",
            ["acpiIndex", "bootOrder", "state"]
        ),
        ("has no effect without a graphics device", "spec.domain.devices", ["video"]),
        ("has no effect without a serial console", "spec.domain.devices", ["logSerialConsole"]),
        ("has no effect on this architecture", "spec.domain", ["launchSecurity"]),
        ("has no effect on this architecture", "spec.domain.cpu", ["maxSockets"]),
        ("has no effect on this architecture", "spec.domain.devices", ["useVirtioTransitional"]),
        (
            "has no effect on this architecture", annotationsMap,
            [
                DomainBuilder.rootComplex, "kubevirt.io/memfd", "kubevirt.io/disablePCIHole64",
                "kubevirt.io/qgs-socket-path",
            ]
        ),
        (
            "not converted: amd64 has these kinds, one of them for a guest",
            "spec.domain.launchSecurity", ["sev", "snp", "tdx"]
        ),
        (
            "has no effect on this architecture", "spec.domain.devices.watchdog",
            [
                "i6300esb", "diag288",
            ]
        ),
        (
            "has an effect with ioThreadsPolicy supplementalPool alone", "spec.domain",
            [
                "ioThreads"
            ]
        ),
        (needsContext, "status.volumeStatus[]", ["hotplugVolume"]),
        ("not converted", "status", ["topologyHints", "migratedVolumes"]),
    ]
}
