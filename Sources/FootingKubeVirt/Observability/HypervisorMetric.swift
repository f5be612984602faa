/// The metric `kubevirt_vmi_hypervisor_type`, as OpenMetrics text, version 1.0.0.
public enum HypervisorMetric {
    /// Its name.
    public static let name = "kubevirt_vmi_hypervisor_type"

    /// One sample for each virtual machine: of several decisions about one the last counts.
    public static func text(_ records: [DecisionRecord]) -> String {
        var samples: [String: String] = [:]
        for record in records {
            let key = label("namespace", record.namespace) + "," + label("name", record.name)
            samples[key] =
                key + "," + label("node", record.node ?? "") + ","
                + label("hypervisor_type", record.hypervisor)
        }
        var text = "# TYPE \(name) gauge\n"
        text += "# HELP \(name) What a virtual machine runs on: mshv, kvm, qemu or unknown.\n"
        for key in samples.keys.sorted() { text += "\(name){\(samples[key] ?? "")} 1\n" }
        return text + "# EOF\n"
    }

    private static func label(_ name: String, _ value: String) -> String {
        var text = "\(name)=\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            // No other control character has a place in a name.
            case _ where scalar.value < 0x20 || scalar.value == 0x7F: text += "?"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}
