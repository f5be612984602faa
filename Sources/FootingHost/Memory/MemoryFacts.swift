internal import FootingSystem

/// Memory of the machine, the limit that holds for this process, and the balloon.
public struct MemoryFacts: Sendable {
    /// What the kernel manages, in bytes (`MemTotal`); a balloon may take from it.
    public let totalBytes: Fact<UInt64>
    /// What can be had without swapping, in bytes (`MemAvailable`).
    public let availableBytes: Fact<UInt64>
    /// The tightest control group limit in bytes; absent where none holds.
    public let limitBytes: Fact<UInt64>
    /// The balloon, absent where there is none.
    public let balloon: Fact<Balloon>

    /// What this process may use at most: the total, or a tighter limit.
    public var usableBytes: UInt64? { smaller(totalBytes.value, limitBytes.value) }

    init(_ root: HostRoot, paravirtual: [ParavirtualDevice]) {
        let path = "proc/meminfo"
        let text: Fact<String>
        do throws(Errno) {
            text = .known(try root.beginning(path))
        } catch {
            text = .absent(HostRoot.reason(path, error))
        }
        func line(_ name: String) -> Fact<UInt64> {
            switch text {
            case .absent(let reason): .absent(reason)
            case .known(let text):
                kibibytes(text.field(name)).map { .known($0) } ?? .absent("\(path) has no \(name)")
            }
        }
        totalBytes = line("MemTotal")
        availableBytes = line("MemAvailable")
        limitBytes = ControlGroup.memoryLimit(root)
        balloon = Balloon.find(root, paravirtual: paravirtual, counted: line("Balloon").value)
    }
}

/// The bytes of a value such as `24684092 kB`; nil if it is none or does not fit.
func kibibytes(_ text: String?) -> UInt64? {
    guard let text, let number = text.dropping(suffix: " kB").flatMap({ UInt64($0.trimmed) }) else {
        return nil
    }
    let product = number.multipliedReportingOverflow(by: 1024)
    return product.overflow ? nil : product.partialValue
}

extension String {
    fileprivate func dropping(suffix: String) -> String? {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : nil
    }
}

/// The limits of the control group this process is in.
enum ControlGroup {
    /// What control groups of version 1 write when there is no limit is just below 2^63.
    private static let unlimitedBytes: UInt64 = 1 << 62
    /// No sane hierarchy is deeper.
    private static let depthMaximum = 32

    static func memoryLimit(_ root: HostRoot) -> Fact<UInt64> {
        guard let text = try? root.beginning("proc/self/cgroup") else {
            return .absent("proc/self/cgroup is not there")
        }
        var limit: UInt64?
        for line in lines(text) {
            let parts = line.utf8.split(
                separator: UInt8(ascii: ":"),
                maxSplits: 2,
                omittingEmptySubsequences: false
            ).map { String(Substring($0)) }
            guard parts.count == 3 else { continue }
            let found: UInt64? =
                if parts[0] == "0" {
                    tightest("sys/fs/cgroup", parts[2], "memory.max", root)
                } else if pieces(parts[1], separator: ",").contains("memory") {
                    tightest("sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes", root)
                } else {
                    nil
                }
            if let found { limit = min(found, limit ?? found) }
        }
        return limit.map { .known($0) } ?? .absent("no control group limits memory")
    }

    /// A limit holds for all below it, so each ancestor is asked; an absent file is no limit.
    private static func tightest(
        _ mount: String,
        _ path: String,
        _ file: String,
        _ root: HostRoot
    ) -> UInt64? {
        var group = path == "/" ? "" : path
        var limit: UInt64?
        for _ in 0..<depthMaximum {
            let text = root.fact("\(mount)\(group)/\(file)").value
            if let value = text.flatMap({ UInt64($0) }), value < unlimitedBytes {
                limit = min(value, limit ?? value)
            }
            if group.isEmpty { break }
            group = parent(group)
        }
        return limit
    }
}
