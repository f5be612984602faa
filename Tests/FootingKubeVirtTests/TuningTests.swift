import FootingSystem
import Testing

@testable import FootingKubeVirt

/// What annotations do to a domain's disks.
@Suite struct TuningTests {
    private func run(
        _ annotations: [String: String],
        _ domain: [UInt8],
        disks: String = "",
        nodes: String? = "0-1\n"
    ) throws -> DomainHook.Outcome {
        let machine = try FakeMachine(nodes: nodes)
        let list = annotations.map { "\"\($0.key)\":\"\($0.value)\"" }.joined(separator: ",")
        let manifest =
            #"{"metadata":{"name":"vm","annotations":{\#(list)}},"#
            + #""spec":{"domain":{"devices":{"disks":[\#(disks)]}}}}"#
        let hook = DomainHook(cluster: nil, root: machine.root, clock: FixedClock())
        return hook.run(manifest: [UInt8](manifest), domain: domain)
    }

    /// The lines of the output that the input does not have.
    private func added(_ output: [UInt8]?, _ input: [UInt8]) -> [String] {
        let before = Set(input.text.split(separator: "\n"))
        return (output ?? []).text.split(separator: "\n").filter { !before.contains($0) }
            .map { String($0.drop { $0 == " " }) }
    }

    static let driver = #"<driver error_policy="stop" name="qemu" type="raw" discard="unmap""#

    static let plain: [(annotations: [String: String], lines: [String])] = [
        (
            ["footing/io-threads": "2"],
            ["<iothreads>1</iothreads>", driver + #" iothread="1"></driver>"#]
        ),
        (
            ["footing/io-threads": "auto"],
            ["<iothreads>1</iothreads>", driver + #" iothread="1"></driver>"#]
        ),
        (["footing/queues": "auto"], [driver + #" queues="4"></driver>"#]),
        (["footing/queues": "2"], [driver + #" queues="2"></driver>"#]),
        (["footing/queues": "9"], [driver + #" queues="4"></driver>"#]),
        (["footing/discard": "unmap"], []),
        (
            ["footing/discard": "ignore"],
            [#"<driver error_policy="stop" name="qemu" type="raw" discard="ignore"></driver>"#]
        ),
        (["footing/cache": "none"], [driver + #" cache="none"></driver>"#]),
        (["footing/io": "io_uring"], [driver + #" io="io_uring"></driver>"#]),
        (["footing/io": "native"], []),
        (
            ["footing/io": "native", "footing/cache": "directsync"],
            [driver + #" cache="directsync" io="native"></driver>"#]
        ),
        (
            ["footing/numa-node": "1"],
            ["<numatune>", #"<memory mode="preferred" nodeset="1"></memory>"#, "</numatune>"]
        ),
        (["footing/numa-node": "2"], []),
        (["footing/disks": "other", "footing/cache": "none"], []),
        (
            ["footing/disks": "other, root", "footing/cache": "none"],
            [driver + #" cache="none"></driver>"#]
        ),
        (["footing/disks": "root"], []),
        (["other/io": "native"], []),
    ]

    @Test func `each annotation makes its change and no other`() throws {
        let domain = try Fixture.domain("plain")
        for row in Self.plain {
            let outcome = try run(row.annotations, domain)
            #expect(
                added(outcome.domain, domain).sorted() == row.lines.sorted(),
                "\(row.annotations)"
            )
            #expect(outcome.record.typeAfter == "kvm")
            #expect(outcome.record.changes.allSatisfy { !$0.why.isEmpty })
            #expect(outcome.record.changes.isEmpty == row.lines.isEmpty)
            // Twice is once.
            let output = try #require(outcome.domain)
            let again = try run(row.annotations, output)
            #expect(again.domain == output, "\(row.annotations)")
            #expect(again.record.changes.isEmpty, "\(row.annotations)")
        }
    }

    @Test func `everything at once, on any form of source`() throws {
        let annotations = [
            "footing/io-threads": "auto", "footing/queues": "auto", "footing/discard": "unmap",
            "footing/io": "native", "footing/cache": "none", "footing/numa-node": "0",
        ]
        for name in Fixture.domains {
            let domain = try Fixture.domain(name)
            let outcome = try run(annotations, domain)
            let output = try #require(outcome.domain)
            let before = try XMLDocument(domain)
            let after = try XMLDocument(output)
            let known: Set = ["iothreads", "numatune", "memory"]
            let names = after.elements.map(\.name)
            #expect(
                names.filter { !known.contains($0) }
                    == before.elements.map(\.name).filter { !known.contains($0) }
            )
            #expect(after.first("numatune") != nil && after.first("iothreads") != nil, "\(name)")
            #expect(try run(annotations, output).domain == output)
            // Comments, instructions and CDATA sections are no elements: they are all there.
            for part in ["<!-- kept -->", "<?libvirt", "<![CDATA[", "<!-- the end -->"]
            where domain.text.contains(part) {
                #expect(output.text.contains(part))
            }
        }
    }

    @Test func `disks on other buses, CDs, LUNs and those without a driver stay`() throws {
        let domain = try Fixture.domain("odd")
        let output = try #require(try run(["footing/cache": "none"], domain).domain)
        let changed = try XMLDocument(output).elements.filter { $0["cache"] == "none" }
        #expect(changed.count == 1)
        #expect(output.text.contains("<driver name='qemu' type='raw' cache=\"none\"/>"))
        let large = try Fixture.domain("large")
        let out = try #require(try run(["footing/io": "threads"], large).domain)
        let document = try XMLDocument(out)
        #expect(document.elements.count { $0["io"] == "threads" } == 10)
        #expect(document.elements.count { $0["io"] == "native" } == 1)
    }

    @Test func `processors times devices does not exhaust memory`() throws {
        let domain = try Fixture.domain("large")
        let outcome = try run(["footing/queues": "auto"], domain)
        let document = try XMLDocument(try #require(outcome.domain))
        // 128 for all, of which two interfaces have 16 each; ten disks share the rest.
        let queues = document.elements.filter { $0.name == "driver" }.compactMap { $0["queues"] }
        #expect(queues.filter { $0 == "9" }.count == 10)
        #expect(queues.filter { $0 == "16" }.count == 2)
    }

    static let budgets:
        [(
            request: TuningRequest.Amount, processors: Int, disks: Int, others: Int,
            mebibytes: UInt64?,
            perDisk: Int
        )] = [
            (.automatic, 1, 1, 0, nil, 1), (.automatic, 4, 1, 0, nil, 4),
            (.automatic, 64, 1, 0, nil, 16), (.automatic, 64, 20, 0, nil, 6),
            (.automatic, 64, 200, 0, nil, 1), (.automatic, 16, 1, 500, nil, 1),
            (.automatic, 16, 4, 0, 128, 1), (.automatic, 16, 2, 0, 1024, 8),
            (.automatic, 16, 1, 0, 0, 1), (.exactly(8), 4, 1, 0, nil, 4),
            (.exactly(8), 64, 1, 0, nil, 8), (.exactly(64), 64, 1, 0, nil, 16),
            (.exactly(2), 64, 100, 0, 65_536, 1),
        ]

    @Test func `the budget of queues is a table`() {
        for (number, row) in Self.budgets.enumerated() {
            let budget = QueueBudget(
                request: row.request,
                processors: row.processors,
                disks: row.disks,
                others: row.others,
                memoryBytes: row.mebibytes.map { $0 << 20 }
            )
            #expect(budget.perDisk == row.perDisk, "row \(number)")
            #expect(!budget.explanation.isEmpty)
        }
    }

    @Test func `threads are shared out in turn, and at most four by themselves`() throws {
        let domain = try Fixture.domain("large")
        let outcome = try run(["footing/io-threads": "auto"], domain)
        let document = try XMLDocument(try #require(outcome.domain))
        let count = try #require(document.first("iothreads"))
        #expect(document.elements[count].text == "4")
        let threads = document.elements.compactMap { $0["iothread"] }
        #expect(threads == ["1", "2", "3", "4", "1", "2", "3", "4", "1", "2"])
    }

    @Test func `what is there already is kept`() throws {
        let source = try Fixture.domain("plain").text
        let threads = source.replacing(
            "  <vcpu",
            with: "  <iothreads>3</iothreads>\n  <vcpu"
        )
        let outcome = try run(["footing/io-threads": "1"], [UInt8](threads))
        #expect(outcome.domain?.text == threads)
        #expect(outcome.record.findings.map(\.code) == [.annotation])
        let node = source.replacing(
            "  <vcpu",
            with: "  <numatune><memory mode='strict' nodeset='0'/></numatune>\n  <vcpu"
        )
        #expect(try run(["footing/numa-node": "0"], [UInt8](node)).domain?.text == node)
    }

    /// Each annotation, and all of them.
    static let single: [[String: String]] = [
        ["footing/io-threads": "auto"], ["footing/io-threads": "2"], ["footing/io-threads": "16"],
        ["footing/queues": "auto"], ["footing/queues": "3"], ["footing/discard": "unmap"],
        ["footing/io": "threads"], ["footing/io": "io_uring"], ["footing/cache": "writeback"],
        ["footing/cache": "directsync"], ["footing/numa-node": "1"],
        ["footing/io-threads": "2", "footing/disks": "data,volume3,root"],
        [
            "footing/io-threads": "3", "footing/queues": "auto", "footing/discard": "unmap",
            "footing/io": "native", "footing/cache": "none", "footing/numa-node": "0",
        ],
    ]

    /// KubeVirt's second call for one start: devices as libvirt has them, the rest as at first.
    @Test(arguments: Fixture.domains) func `devices read back make the same domain`(
        _ name: String
    ) throws {
        let domain = try Fixture.domain(name)
        let place = try devices(domain)
        for annotations in Self.single {
            let first = try run(annotations, domain)
            let tuned = try #require(first.domain)
            let spliced =
                domain[..<place.lowerBound] + tuned[try devices(tuned)]
                + domain[place.upperBound...]
            let second = try run(annotations, Array(spliced))
            #expect(second.domain == tuned, "\(annotations)")
            #expect(second.record.findings == first.record.findings, "\(annotations)")
            let document = try XMLDocument(tuned)
            let threads = document.elements.compactMap { $0["iothread"].flatMap { Int($0) } }
            let count = document.first("iothreads").flatMap { Int(document.elements[$0].text) }
            #expect(threads.max() ?? 0 <= count ?? 0, "\(annotations)")
            // What is there already is no news the second time either.
            let again = try run(annotations, tuned)
            #expect(again.record.findings == first.record.findings, "\(annotations)")
        }
    }

    private func devices(_ domain: [UInt8]) throws -> Range<Int> {
        let document = try XMLDocument(domain)
        return document.elements[try #require(document.first("devices"))].place
    }

    @Test func `threads that devices name are there, however they name them`() throws {
        let source = try Fixture.domain("plain").text
        for driver in [
            #"discard="unmap" iothread="7"></driver>"#,
            #"discard="unmap"><iothreads><iothread id="7"/></iothreads></driver>"#,
        ] {
            let domain = source.replacing(#"discard="unmap"></driver>"#, with: driver)
            let output = try run(["footing/io-threads": "1"], [UInt8](domain)).domain
            #expect(output?.text.contains("<iothreads>7</iothreads>") == true)
            #expect(output?.text.contains(driver) == true)
        }
        // Without the annotation it is not ours.
        let named = source.replacing("discard=\"unmap\"", with: "iothread=\"7\"")
        #expect(
            try run(["footing/queues": "4"], [UInt8](named)).domain?.text.contains("<iothr")
                == false
        )
    }

    @Test func `processors that are not plugged in do not count`() throws {
        let domain = try Fixture.domain("plugged")
        let queues = try run(["footing/queues": "auto"], domain)
        #expect(queues.domain?.text.split(separator: "queues=\"2\"").count == 4)
        let threads = try run(["footing/io-threads": "auto"], domain)
        #expect(threads.domain?.text.contains("<iothreads>1</iothreads>") == true)
    }

    /// The drivers of the disks `data`, `shared` and `logs`: cache and io.
    static let pairs: [(annotations: [String: String], drivers: [String], findings: Int)] = [
        (["footing/cache": "writeback"], ["writeback threads", "none native", "writeback -"], 1),
        (
            ["footing/cache": "writethrough"],
            ["writethrough threads", "none native", "writethrough -"], 1
        ),
        (
            ["footing/cache": "directsync"],
            Array(repeating: "directsync native", count: 2)
                + ["directsync -"], 0
        ),
        (
            ["footing/cache": "writeback", "footing/io": "native"],
            ["writeback threads", "none native", "writeback -"], 3
        ),
        (
            ["footing/cache": "writeback", "footing/io": "io_uring"],
            ["writeback io_uring", "none io_uring", "writeback io_uring"], 1
        ),
        (["footing/io": "native"], ["none native", "none native", "- -"], 1),
        (["footing/cache": "none"], ["none native", "none native", "none -"], 0),
    ]

    @Test func `cache and io suit each other, and the disk`() throws {
        let domain = try Fixture.domain("plugged")
        for row in Self.pairs {
            let outcome = try run(row.annotations, domain)
            let document = try XMLDocument(try #require(outcome.domain))
            let drivers = document.elements.filter { $0.name == "driver" }
            #expect(
                drivers.map { "\($0["cache"] ?? "-") \($0["io"] ?? "-")" } == row.drivers,
                "\(row.annotations)"
            )
            #expect(outcome.record.findings.count == row.findings, "\(row.annotations)")
        }
    }

    @Test func `of a pair that cannot be changed as a whole nothing is`() throws {
        let source = try Fixture.domain("plugged").text
        for (from, to) in [("io=\"native\"", "io=\"n&#97;tive\""), ("=\"none\"", "=\"n&#111;ne\"")]
        {
            let domain = source.replacing(from, with: to)
            let annotations = ["footing/cache": "writeback", "footing/disks": "data"]
            let outcome = try run(annotations, [UInt8](domain))
            #expect(outcome.domain?.text == domain)
            #expect(outcome.record.findings.map(\.code) == [.annotation])
        }
    }

    @Test func `storage that refuses direct I/O is not asked for it`() throws {
        let source = try Fixture.domain("plain").text
            .replacing("discard=\"unmap\"", with: "cache=\"writethrough\"")
        let outcome = try run(["footing/cache": "none"], [UInt8](source))
        #expect(outcome.domain?.text == source)
        #expect(outcome.record.findings.count == 1)
        // The manifest chose it: then it is no sign of refusal.
        let chosen = try run(
            ["footing/cache": "none"],
            [UInt8](source),
            disks: #"{"name":"root","cache":"writethrough"}"#
        )
        #expect(chosen.domain?.text == source.replacing("writethrough", with: "none"))
    }

    static let mistakes = [
        "footing/io-threads": ["0", "17", "-1", "", "many", "auto "],
        "footing/queues": ["0", "65", "1.5", "AUTO"],
        "footing/discard": ["on", ""], "footing/io": ["aio", "io-uring"],
        "footing/cache": ["unsafe", "default", "none;"],
        "footing/numa-node": ["-1", "1024", "auto", "0,1"], "footing/disks": ["", ",", " , "],
        "footing/quques": ["auto"],
    ]

    @Test func `a mistake in an annotation is told and changes nothing`() throws {
        let domain = try Fixture.domain("plain")
        for (name, values) in Self.mistakes {
            for value in values {
                let outcome = try run([name: value], domain)
                #expect(outcome.domain == domain, "\(name)=\(value)")
                #expect(outcome.record.findings.map(\.code) == [.annotation], "\(name)=\(value)")
            }
        }
    }

    @Test func `lists of nodes`() {
        #expect(NodeList.parse("0\n") == [0])
        #expect(NodeList.parse("0-2,5") == [0, 1, 2, 5])
        for text in ["", "a", "2-1", "0-1024", "-1", "0--1", "99999999999"] {
            #expect(NodeList.parse(text) == nil)
        }
    }
}
