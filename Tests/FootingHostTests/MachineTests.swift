import FootingDeployment
import FootingHost
import FootingSystem
import Testing

@Suite struct MachineTests {
    @Test(arguments: MachineFixture.all)
    func `a recorded machine is what it is`(_ fixture: MachineFixture) throws {
        try fixture.withRoot { root in
            let document = Detection(root: root).json()
            #expect(!fixture.expectations.isEmpty)
            for (path, expected) in fixture.expectations {
                #expect(
                    document[path: path]?.plain == expected,
                    "\(fixture.name): \(path)\n\(document[path: "virtualization"]?.text() ?? "")"
                )
            }
        }
    }

    @Test(arguments: MachineFixture.several)
    func `every absent fact has a reason`(_ fixture: MachineFixture) throws {
        try fixture.withRoot { root in
            let document = Detection(root: root, path: "/var/lib/disk.img").json()
            guard case .array(let absences)? = document[path: "absent"] else {
                Issue.record("no list of absences")
                return
            }
            let names = Set(absences.compactMap { $0[path: "fact"]?.plain })
            for case .some(let reason) in absences.map({ $0[path: "reason"]?.plain }) {
                #expect(!reason.isEmpty)
            }
            for path in ["virtualization", "memory", "cloud", "machine", "cpu"] {
                guard case .object(let members)? = document[path: path] else { continue }
                for (name, value) in members where value == .null {
                    #expect(names.contains("\(path).\(name)"), "\(path).\(name) without a reason")
                }
            }
        }
    }

    @Test(arguments: MachineFixture.several)
    func `every conclusion shows evidence`(_ fixture: MachineFixture) throws {
        try fixture.withRoot { root in
            let detection = Detection(root: root)
            let info = detection.report.hardware.virtualization
            if let hypervisor = info.hypervisor.value, hypervisor != .none {
                #expect(!info.evidence.isEmpty)
                #expect(info.evidence.allSatisfy { !$0.source.isEmpty && !$0.says.isEmpty })
            }
            #expect(!detection.context.evidence.isEmpty)
            #expect(detection.profile.values.allSatisfy { !$0.reason.isEmpty })
            let explanation = detection.explanation()
            for item in info.evidence { #expect(explanation.utf8.count > item.says.utf8.count) }
            #expect(info.evidence.allSatisfy { explanation.contains($0.says) })
            #expect(explanation.contains("therefore: \(detection.context.kind.rawValue)"))
        }
    }
}

@Suite struct ReplayTests {
    @Test func `nothing of the live machine reaches a replayed one`() throws {
        // Were any absolute path or the processor itself asked, this tree would have facts.
        try MachineFixture("bare", ["link proc -> /proc", "link sys -> /sys", "link run -> /run"])
            .withRoot { root in
                let report = HostReport.gather(root: root, path: "/tmp")
                #expect(report.hardware.virtualization.hypervisor.value == nil)
                #expect(report.hardware.virtualization.evidence.isEmpty)
                #expect(report.hardware.processor.vendor.value == nil)
                #expect(report.hardware.block.isEmpty)
                #expect(report.hardware.pci.isEmpty)
                #expect(report.memory.totalBytes.value == nil)
                #expect(report.path?.type.value == nil)
            }
    }

    @Test func `links of a replayed tree are followed within it`() throws {
        let lines = [
            "link proc/one -> /etc/fact", "file etc/fact inside", "link up -> ../../../etc",
        ]
        try MachineFixture("links", lines).withRoot { root throws in
            #expect(try root.attribute("proc/one") == "inside")
            #expect(try root.names("up") == ["fact"])
            #expect(try root.link("up/../proc/one") == "/etc/fact")
            #expect(!root.exists("up/hostname"))
            #expect(throws: Errno.noSuchFile) { try root.status("up/hostname") }
            #expect(throws: Errno.invalidArgument) { try root.link("etc/fact") }
        }
    }

    @Test func `an attribute larger than a page is refused, a beginning is cut`() throws {
        try MachineFixture("sizes", ["huge a 4096", "huge b 4097"]).withRoot { root throws in
            #expect(try root.attribute("a").utf8.count == 4096)
            #expect(throws: Errno.tooLarge) { try root.attribute("b") }
            #expect(try root.beginning("b").utf8.count == 4096)
            #expect(try root.firstBytes("b", count: 3) == [0x41, 0x41, 0x41])
        }
    }

    @Test func `a folder with more names than the buffer holds gives them all`() throws {
        let lines = (0..<400).map { "file d/\(String(repeating: "n", count: 60))\($0) x" }
        try MachineFixture("many", lines).withRoot { root throws in
            #expect(try root.names("d").count == 400)
        }
    }
}

@Suite struct FixtureTests {
    @Test(arguments: MachineFixture.several)
    func `every fixture says where it comes from`(_ fixture: MachineFixture) throws {
        let table = try MachineFixture.folderRoot().text("README.md")
        let line = table.split(separator: "\n").first { $0.hasPrefix("| `\(fixture.name)` | ") }
        let cells = line?.split(separator: "|").map { trim($0) } ?? []
        #expect(cells.count == 3 && cells.allSatisfy { !$0.isEmpty }, "\(fixture.name)")
    }
}
