import FootingSystem
import Testing

@testable import FootingHost

/// The tables of clouds as a whole: no line may be in another one's shadow.
@Suite struct CloudTableTests {
    private static let id = "file sys/class/dmi/id"

    private func cloud(_ lines: [String]) throws -> CloudIdentity {
        try MachineFixture("table", lines).withRoot { HostReport.gather(root: $0).hardware.cloud }
    }

    /// A text that fits a line and is longer than it, where it may be.
    private func example(_ match: CloudVendor.Match, _ text: String) -> String {
        switch match {
        case .exact: text
        case .prefix: text + "-more"
        case .suffix: "more-" + text
        case .instanceID: text + "0123456789abcdef0"
        }
    }

    @Test func `every line of DMI's table decides where it stands alone`() throws {
        for line in CloudVendor.table {
            var lines = ["\(Self.id)/\(line.field.rawValue) \(example(line.match, line.text))"]
            if let companion = line.companion {
                lines.append("\(Self.id)/\(companion.field.rawValue) \(companion.text)")
            }
            if line.needsVirtualMachine { lines.append("file sys/hypervisor/type xen") }
            let cloud = try cloud(lines)
            #expect(cloud.provider.value == line.provider, "\(lines)")
            #expect(cloud.brand.value == line.brand, "\(lines)")
            #expect(cloud.evidence.first?.source == "sys/class/dmi/id/\(line.field.rawValue)")
        }
    }

    @Test func `a text that is not quite a line's names no cloud`() throws {
        for line in CloudVendor.table {
            let text: String =
                switch line.match {
                case .exact: line.text + "x"
                case .prefix: "x" + line.text
                case .suffix: line.text + "x"
                case .instanceID: line.text + "xyz"
                }
            let lines = ["\(Self.id)/\(line.field.rawValue) \(text)"]
            #expect(try cloud(lines).provider.value == "none", "\(lines)")
        }
    }

    @Test func `every line outside of DMI is seen where it stands alone`() throws {
        for trace in CloudTrace.table {
            let text = example(trace.match, trace.text)
            var lines: [String]
            switch trace.place {
            case .serial: lines = ["\(Self.id)/product_serial \(text)"]
            case .path: lines = ["file \(text) x"]
            case .commandLine: lines = ["file proc/cmdline quiet \(text) ro"]
            case .label: lines = ["link dev/disk/by-label/\(text) -> ../../vdz"]
            case .port: lines = ["file sys/class/virtio-ports/vport0p1/name \(text)"]
            case .initEnvironment:
                lines = ["file proc/1/environ container=lxc\\0\(text)\\0"]
            }
            if trace.onXen { lines.append("file sys/hypervisor/type xen") }
            let cloud = try cloud(lines)
            #expect(cloud.provider.value == trace.provider, "\(lines)")
            #expect(cloud.evidence.count == 1, "\(lines)")
        }
    }

    @Test func `every provider that can be asked can be named by DMI`() {
        let named = Set(CloudVendor.table.map(\.provider))
        for service in MetadataService.table {
            #expect(named.contains(service.provider), "\(service.provider)")
        }
    }
}
