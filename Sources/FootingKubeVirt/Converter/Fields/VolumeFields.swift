/// A volume of `spec.volumes`, as far as its disk depends on it.
struct VolumeFields {
    enum Source: Hashable {
        /// A file of the host; only its last step names it in the pod.
        case hostDisk(path: String)
        case claim
        case dataVolume
        /// A claim that is only read; what is written goes to a file that ends with the pod.
        case ephemeral
        case noCloud
        case configDrive
        case sysprep
        case containerDisk
        case emptyDisk
        case configMap
        case secret
        case downwardAPI
        case serviceAccount
        case downwardMetrics
        /// One that is no disk: it is mounted, or written by the cluster.
        case noDisk
    }

    var name: String
    var path: String
    var source: Source

    /// What a volume can be, in upstream's order.
    private static let sources: [(key: String, source: Source)] = [
        ("containerDisk", .containerDisk), ("cloudInitNoCloud", .noCloud),
        ("cloudInitConfigDrive", .configDrive), ("sysprep", .sysprep),
        ("persistentVolumeClaim", .claim), ("dataVolume", .dataVolume),
        ("emptyDisk", .emptyDisk), ("configMap", .configMap), ("secret", .secret),
        ("downwardAPI", .downwardAPI), ("serviceAccount", .serviceAccount),
        ("downwardMetrics", .downwardMetrics), ("memoryDump", .noDisk),
        ("containerPath", .noDisk),
    ]

    init(_ reader: FieldReader) throws(ConversionError) {
        name = try reader.name()
        path = reader.path
        if let disk = try reader.child("hostDisk") {
            guard let file = try disk.word("path") else {
                throw disk.error("path", "is required")
            }
            source = .hostDisk(path: file)
            return
        }
        if let ephemeral = try reader.child("ephemeral") {
            guard try ephemeral.isPresent("persistentVolumeClaim") else {
                throw ephemeral.error("persistentVolumeClaim", "is required")
            }
            source = .ephemeral
            return
        }
        for (key, source) in Self.sources where try reader.isPresent(key) {
            self.source = source
            return
        }
        throw reader.error("name", "the volume has no source that is converted")
    }
}
