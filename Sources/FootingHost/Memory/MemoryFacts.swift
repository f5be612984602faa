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

    /// Above this, in bytes, the kernel slows this process down (`memory.high`).
    public let throttleBytes: Fact<UInt64>
    /// The size of a huge page in bytes, where none is named (`Hugepagesize`).
    public let hugePageBytes: Fact<UInt64>

    /// What this process may use at most: the total, or a tighter limit.
    public var usableBytes: UInt64? {
        smaller(totalBytes.value, smaller(limitBytes.value, throttleBytes.value))
    }

    init(_ root: HostRoot, paravirtual: [ParavirtualDevice], limits: ResourceLimits) {
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
        hugePageBytes = line("Hugepagesize")
        limitBytes = limits.memoryMaximumBytes
        throttleBytes = limits.memoryHighBytes
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
