internal import FootingSystem

/// What uses block devices: mounts, swap, partitions and holders.
///
/// Facts of sysfs and of this process's mount table only. A container sees its own mounts, and a
/// signature on the disk (LVM, ZFS, MD) is not read: whoever hands a namespace over must open it
/// exclusively and look for signatures first.
final class DeviceUsage: Sendable {
    private let mountedNumbers: Set<String>
    private let mountedNames: Set<String>
    private let swaps: Set<String>
    private let blindness: String?

    init(_ root: HostRoot, container: String) {
        let table = MountTable(root)
        mountedNumbers = Set(table?.mounts.map(\.number) ?? [])
        mountedNames = Set(table?.mounts.map { lastComponent($0.source) } ?? [])
        let swapLines = (try? root.beginning("proc/swaps", limitBytes: 16384)).map(lines) ?? []
        swaps = Set(
            swapLines.dropFirst().compactMap { line in
                pieces(line, separator: " ").first.map { lastComponent(trimTab($0)) }
            }
        )
        if container != "none" {
            blindness = "a container sees only its own mounts"
        } else if table == nil {
            blindness = "proc/self/mountinfo is not there"
        } else {
            blindness = nil
        }
    }

    func isFree(_ name: String, number: String?, _ root: HostRoot) -> Fact<Bool> {
        if mountedNames.contains(name) || swaps.contains(name) { return .known(false) }
        if let number, mountedNumbers.contains(number) { return .known(false) }
        let folder = "sys/block/\(name)"
        let hasPartitions = root.namesIfPresent(folder).contains { $0.hasPrefix("\(name)p") }
        if hasPartitions || !root.namesIfPresent("\(folder)/holders").isEmpty {
            return .known(false)
        }
        return blindness.map { .absent($0) } ?? .known(true)
    }
}

private func trimTab(_ text: String) -> String {
    pieces(text, separator: "\t").first ?? text
}
