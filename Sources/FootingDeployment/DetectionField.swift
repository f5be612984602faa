internal import FootingHost

/// A fact that can be told in one word, for scripts.
public enum DetectionField: String, CaseIterable, Sendable {
    case hypervisor, container, virtualization, role, product, version
    case xenMode = "xen-mode"
    case cloud, brand, environment, facets
    case cpus
    case numaNodes = "numa-nodes"
    case memoryBytes = "memory-bytes"
    case balloon

    /// The word, and whether the answer is "yes": a virtual machine, a container, a cloud, or
    /// whatever the field asks for, was found.
    public func word(_ detection: Detection) -> (text: String, isFound: Bool) {
        let report = detection.report
        let info = report.hardware.virtualization
        let isVirtual = info.isVirtualMachine.value == true
        let hypervisor = info.hypervisor.value?.rawValue ?? "unknown"
        func found(_ text: String?) -> (text: String, isFound: Bool) {
            (text ?? "none", text != nil && text != "none")
        }
        switch self {
        case .hypervisor: return (hypervisor, isVirtual)
        case .container: return found(info.container)
        case .virtualization:
            if info.container != "none" { return (info.container, true) }
            // A host is no virtual machine, whatever it is the host of.
            return (isVirtual ? hypervisor : "none", isVirtual)
        case .role: return found(info.role.rawValue)
        case .product: return found(info.product.value)
        case .version: return found(info.version.value)
        case .xenMode: return found(info.xenMode.value?.rawValue)
        case .cloud: return found(report.hardware.cloud.provider.value)
        case .brand: return found(report.hardware.cloud.brand.value)
        case .environment: return (detection.context.kind.rawValue, true)
        case .facets:
            let names = detection.context.facets.map(\.name)
            return found(names.isEmpty ? nil : names.joined(separator: ","))
        case .cpus: return found(report.hardware.processor.online.value.map { String($0.count) })
        case .numaNodes:
            let count = report.numa.nodes.count
            return (String(count), count > 0)
        case .memoryBytes: return found(report.memory.totalBytes.value.map { String($0) })
        case .balloon: return found(report.memory.balloon.value?.kind)
        }
    }
}
