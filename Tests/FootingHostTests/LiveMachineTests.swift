import FootingDeployment
import FootingHost
import FootingSystem
import Foundation
import Testing

/// The machine the tests run on, against the tools that are installed on it.
@Suite struct LiveMachineTests {
    private static func path(_ tool: String) -> String? {
        ["/usr/bin/", "/bin/", "/usr/sbin/"].map { $0 + tool }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    private static func output(_ tool: String, _ arguments: String...) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(path(tool)))
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private let report: HostReport

    init() throws {
        report = HostReport.gather(root: try HostRoot(), path: "/")
    }

    /// What systemd calls what the report calls by another name.
    private static let systemdNames = [
        "microsoft": "hyperv", "oracle": "virtualbox", "amazon": "kvm", "google": "kvm",
    ]

    @Test(.enabled(if: path("systemd-detect-virt") != nil, "systemd-detect-virt is missing"))
    func `systemd agrees on the hypervisor`() throws {
        let theirs = try Self.output("systemd-detect-virt", "--vm")
        let info = report.hardware.virtualization
        let ours = info.hypervisor.value?.rawValue
        // A host is no machine to systemd; and it knows fewer names.
        if info.isVirtualMachine.value == false {
            #expect(theirs == "none" || theirs == "microsoft" || theirs == "oracle")
        } else if theirs != "vm-other" {
            #expect(ours == Self.systemdNames[theirs] ?? theirs)
        }
    }

    @Test(.enabled(if: path("systemd-detect-virt") != nil, "systemd-detect-virt is missing"))
    func `systemd agrees on the container`() throws {
        let theirs = try Self.output("systemd-detect-virt", "--container")
        let ours = report.hardware.virtualization.container
        // Control groups, Apptainer and others are seen here and missed there.
        if theirs != "none" {
            #expect(
                ours == (theirs.hasPrefix("lxc") ? "lxc" : theirs.replacing("container-", with: ""))
            )
        }
    }

    @Test(.enabled(if: path("lscpu") != nil, "lscpu is missing"))
    func `lscpu agrees on processors and nodes`() throws {
        let lines = try Self.output("lscpu").split(separator: "\n")
        func value(_ name: String) -> String? {
            lines.first { $0.hasPrefix(name + ":") }
                .map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) }
        }
        if let vendor = value("Vendor ID") {
            #expect(report.hardware.processor.vendor.value == vendor)
        }
        if let online = value("On-line CPU(s) list"), !online.contains("-"), !online.contains(",") {
            #expect(report.hardware.processor.online.value == [Int(online) ?? -1])
        }
        if let nodes = value("NUMA node(s)") {
            #expect(report.numa.nodes.count == Int(nodes))
        }
    }

    @Test(.enabled(if: path("lsblk") != nil, "lsblk is missing"))
    func `lsblk agrees on disks, sizes and queues`() throws {
        let text = try Self.output("lsblk", "-b", "-d", "-n", "-r", "-o", "NAME,SIZE,ROTA,SCHED")
        // Some versions list devices of size 0, as an unused zram; the report never does.
        let theirs = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
            .filter { $0.count > 1 && $0[1] != "0" }
        #expect(report.hardware.block.map(\.name).sorted() == theirs.map { $0[0] }.sorted())
        for line in theirs where line.count >= 3 {
            let disk = report.hardware.block.first { $0.name == line[0] }
            #expect(disk.map { String($0.sizeBytes) } == line[1])
            #expect(disk?.rotational.value == (line[2] == "1"))
            if line.count > 3 { #expect(disk?.scheduler.value == line[3]) }
        }
    }

    @Test func `the kernel's own files agree`() throws {
        let root = try HostRoot()
        let meminfo = try root.text("proc/meminfo")
        let total = meminfo.split(separator: "\n").first.map(String.init) ?? ""
        let kibibytes = total.split(separator: " ").compactMap { UInt64($0) }.first
        #expect(report.memory.totalBytes.value == kibibytes.map { $0 * 1024 })
        #expect(report.hardware.pci.count == ((try? root.names("sys/bus/pci/devices").count) ?? 0))
        #expect(report.path?.type.value != nil)
        #expect(!Detection(root: root).json().text().isEmpty)
    }
}
