internal import FootingSystem

/// Who made a processor, and what it is called, by CPUID or by `/proc/cpuinfo`.
struct ProcessorNames {
    let vendor: String?
    /// That of the first processor.
    let model: String?
    /// All that differ, in the order of the processors; one where all are alike.
    let models: [String]

    /// Where each architecture writes the model: x86 and Itanium, Loongson, MIPS, RISC-V, POWER and
    /// SPARC, old kernels for Arm.
    private static let lines = [
        "model name", "Model Name", "cpu model", "uarch", "cpu", "Processor",
    ]

    /// No machine has cores of more kinds.
    private static let countMaximum = 64

    init(_ root: HostRoot, _ cpuid: CPUIDFacts, _ text: String?) {
        let implementer = text?.field("CPU implementer")
        let told = cpuid.vendor.flatMap { $0.isEmpty ? nil : $0 }
        vendor =
            told ?? text?.field("vendor_id") ?? implementer.map(ArmProcessor.vendor)
            ?? text?.field("vendor") ?? text?.field("mvendorid")
        if let model = cpuid.model {
            self.model = model
            models = [model]
            return
        }
        var found: [String] = []
        var isKnown = false
        // Only Arm's kernels run on processors that differ and say so.
        for entry in implementer == nil ? [] : ProcessorText(root)?.entries ?? [] {
            guard let maker = entry.fields["CPU implementer"], let part = entry.fields["CPU part"],
                found.count < Self.countMaximum
            else { continue }
            let known = ArmProcessor.model(implementer: maker, part: part)
            let name = known ?? "\(ArmProcessor.vendor(maker)) \(part)"
            isKnown = isKnown || known != nil
            if !found.contains(name) { found.append(name) }
        }
        // What no table has keeps its place by its numbers; a line that names it says more.
        let numbers = isKnown ? [] : found
        if !isKnown { found = [] }
        if found.isEmpty, let implementer, let part = text?.field("CPU part"),
            let name = ArmProcessor.model(implementer: implementer, part: part)
        {
            found = [name]
        }
        if found.isEmpty, let line = Self.lines.lazy.compactMap({ text?.field($0) }).first {
            found = [line]
        }
        if found.isEmpty { found = numbers }
        models = found
        model = found.first
    }
}
