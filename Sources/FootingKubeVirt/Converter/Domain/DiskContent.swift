/// What a disk shows: where it lies in the launcher's pod, and in which format.
struct DiskContent {
    enum Source: Equatable {
        case none
        case file(String)
        /// A block device, and the name that KubeVirt writes beside it.
        case device(String, name: String?)
    }

    struct Backing {
        var kind: String
        var format: String
        var source: Source
    }

    var kind = "file"
    var format = "raw"
    var source: Source
    var backing: Backing?
    /// Its own file, of which what is discarded is free at once.
    var alwaysDiscards = false
    /// Storage of the cluster, of which an unused block can be given back.
    var isStorage = false
    /// The host's metrics, whose disk KubeVirt sets up in its own way.
    var isMetrics = false

    static func file(_ path: String) -> DiskContent { DiskContent(source: .file(path)) }
}

extension DomainBuilder {
    private static let privateFolder = "/var/run/kubevirt-private"

    /// Where a disk's volume lies: upstream's paths.
    func content(_ disk: DiskFields) throws(ConversionError) -> DiskContent {
        guard let index = instance.volumes.firstIndex(where: { $0.name == disk.name }) else {
            guard disk.device == .cdrom else {
                throw .impossible("\(disk.path): no volume “\(disk.name)”")
            }
            // A drive without a medium.
            return DiskContent(kind: "block", source: .none, isStorage: true)
        }
        let volume = instance.volumes[index]
        let folder = Self.privateFolder
        switch volume.source {
        case .hostDisk(let path): return try hostDisk(volume, path)
        case .claim, .dataVolume:
            return storage(volume.name)
        case .ephemeral:
            return overlay(volume, over: storage(volume.name))
        case .containerDisk:
            let format = context.volumes[volume.name]?.format ?? context.containerDiskFormat
            guard let format else {
                throw .missing(
                    "\(volume.path).containerDisk",
                    "give volumes.\(volume.name).format (qcow2 or raw) in the context, or "
                        + "containerDiskFormat for all"
                )
            }
            var base = DiskContent.file("/var/run/kubevirt/container-disks/disk_\(index).img")
            base.format = format
            return overlay(volume, over: base)
        case .noCloud: return cloudInit("noCloud.iso")
        case .configDrive: return cloudInit("configdrive.iso")
        case .emptyDisk:
            var content = DiskContent.file("/var/run/libvirt/empty-disks/\(volume.name).qcow2")
            content.format = "qcow2"
            content.alwaysDiscards = true
            return content
        case .sysprep: return .file("\(folder)/sysprep-disks/\(volume.name).iso")
        case .configMap: return .file("\(folder)/config-map-disks/\(volume.name).iso")
        case .secret: return .file("\(folder)/secret-disks/\(volume.name).iso")
        case .downwardAPI: return .file("\(folder)/downwardapi-disks/\(volume.name).iso")
        case .serviceAccount: return .file("\(folder)/service-account-disk/service-account.iso")
        case .downwardMetrics:
            var content = DiskContent.file("\(folder)/downwardapi-disks/vhostmd0")
            content.isMetrics = true
            return content
        case .noDisk:
            throw .impossible("\(disk.path): the volume “\(disk.name)” cannot be a disk")
        }
    }

    private func hostDisk(
        _ volume: VolumeFields,
        _ path: String
    ) throws(ConversionError) -> DiskContent {
        guard let file = path.split(separator: "/").last, file != "..", file != "." else {
            throw .impossible("\(volume.path).hostDisk.path: “\(path)” is no file")
        }
        if context.volumes[volume.name]?.isHotplugged == true { return storage(volume.name) }
        return .file("\(Self.privateFolder)/vmi-disks/\(volume.name)/\(file)")
    }

    private func storage(_ name: String) -> DiskContent {
        let known = context.volumes[name]
        let isHotplugged = known?.isHotplugged == true
        let hotplug = "/var/run/kubevirt/hotplug-disks/\(name)"
        guard known?.isBlock == true else {
            let path = "\(Self.privateFolder)/vmi-disks/\(name)/disk.img"
            return DiskContent(
                source: .file(isHotplugged ? "\(hotplug).img" : path),
                isStorage: true
            )
        }
        return DiskContent(
            kind: "block",
            source: .device(
                isHotplugged ? hotplug : "/dev/\(name)",
                name: isHotplugged ? nil : name
            ),
            isStorage: true
        )
    }

    private func overlay(_ volume: VolumeFields, over base: DiskContent) -> DiskContent {
        DiskContent(
            format: "qcow2",
            source: .file("\(context.ephemeralDisks)/\(volume.name)/disk.qcow2"),
            backing: DiskContent.Backing(
                kind: base.kind,
                format: base.format,
                source: base.source
            ),
            alwaysDiscards: true
        )
    }

    private func cloudInit(_ file: String) -> DiskContent {
        .file("\(context.cloudInit)/\(instance.namespace)/\(instance.name)/\(file)")
    }
}
