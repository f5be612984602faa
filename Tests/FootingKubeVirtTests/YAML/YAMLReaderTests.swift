import Testing

@testable import FootingKubeVirt

@Suite struct YAMLReaderTests {
    /// A value without its places.
    indirect enum Plain: Equatable {
        case null, bool(Bool), integer(Int128), decimal(String), string(String)
        case list([Plain])
        case map([[Plain]])

        init(_ node: YAMLNode) {
            switch node.value {
            case .null: self = .null
            case .bool(let flag): self = .bool(flag)
            case .integer(let number): self = .integer(number)
            case .decimal(let text): self = .decimal(text)
            case .string(let text): self = .string(text)
            case .list(let items): self = .list(items.map(Plain.init))
            case .map(let members):
                self = .map(members.map { [.string($0.key), Plain($0.node)] })
            }
        }
    }

    private func read(_ text: String) throws -> [Plain] {
        try YAMLNode.documents(in: Array(text.utf8)).map(Plain.init)
    }

    private func failure(_ text: String, _ limits: YAMLLimits = YAMLLimits()) -> YAMLError? {
        #expect(throws: YAMLError.self) {
            try YAMLNode.documents(in: Array(text.utf8), limits: limits)
        }
    }

    @Test func `A document keeps its order and its kinds`() throws {
        let found = try read("b: 1\na:\n- yes\n- '1'\n- ~\nc: {d: 0.5, \"e\": f}\n")
        #expect(
            found == [
                .map([
                    [.string("b"), .integer(1)],
                    [.string("a"), .list([.bool(true), .string("1"), .null])],
                    [
                        .string("c"),
                        .map([
                            [.string("d"), .decimal("0.5")], [.string("e"), .string("f")],
                        ]),
                    ],
                ])
            ]
        )
    }

    @Test func `JSON is read as what it says`() throws {
        let text = "\t{\"a\":[1,-2.50,true,null,\"x\\u00e9\\/\\ud83d\\ude00\"],\"b\":{}}\n"
        #expect(
            try read(text) == [
                .map([
                    [
                        .string("a"),
                        .list([
                            .integer(1), .decimal("-2.50"), .bool(true), .null,
                            .string("xé/😀"),
                        ]),
                    ],
                    [.string("b"), .map([])],
                ])
            ]
        )
    }

    @Test func `Half a surrogate pair is refused, and one outside of JSON is what it is`() throws {
        #expect(failure("{\"a\": \"\\ud83d\"}") != nil)
        #expect(failure("{\"a\": \"\\\\ud83d\\ude00\"}") != nil)
        #expect(
            try read("a: '\\ud83d\\ude00'") == [.map([[.string("a"), .string("\\ud83d\\ude00")]])]
        )
    }

    @Test func `Keys become texts as Kubernetes makes them`() throws {
        #expect(
            try read("on: 1\n8080: 2\n0x10: 3\n'null': 4\n") == [
                .map([
                    [.string("true"), .integer(1)], [.string("8080"), .integer(2)],
                    [.string("16"), .integer(3)], [.string("null"), .integer(4)],
                ])
            ]
        )
        #expect(failure("~: 1")?.problem == .unsupportedKey)
        #expect(failure("[a]: 1")?.problem == .unsupportedKey)
        #expect(failure("{a: b}: 1")?.problem == .unsupportedKey)
        #expect(failure("1.5: 1")?.problem == .unsupportedKey)
    }

    @Test func `A key that stands twice is refused where it stands`() {
        let error = failure("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n")
        #expect(error?.problem == .duplicateKey("c"))
        #expect(error?.position == YAMLPosition(line: 5, column: 3))
        #expect(error?.description == "line 5, column 3: the key “c” stands twice")
        #expect(failure("on: 1\ntrue: 2")?.problem == .duplicateKey("true"))
    }

    @Test func `Documents of a stream, empty ones left out`() throws {
        #expect(
            try read("---\n---\na\n...\n# nothing\n---\nb\n--- ~\n") == [
                .string("a"), .string("b"),
            ]
        )
        #expect(try read("") == [])
        var limits = YAMLLimits()
        limits.documentsMaximum = 2
        #expect(failure("--- a\n--- b\n--- c\n", limits)?.position.line == 3)
    }

    @Test func `Aliases stand for their anchors, within one document`() throws {
        #expect(
            try read("a: &x [1]\nb: *x\n") == [
                .map([[.string("a"), .list([.integer(1)])], [.string("b"), .list([.integer(1)])]])
            ]
        )
        #expect(failure("a: *x")?.problem == .unknownAlias("x"))
        #expect(failure("a: &x [*x]")?.problem == .unknownAlias("x"))
        #expect(failure("--- &x a\n--- *x\n")?.problem == .unknownAlias("x"))
    }

    /// As `go.yaml.in/yaml/v2` does it: what stands before a merge is changed by it.
    @Test(arguments: [
        ("{<<: *a, y: 0}", "{x: 1, y: 0}"), ("{y: 0, <<: *a}", "{y: 2, x: 1}"),
        ("{<<: [*a, *b]}", "{y: 2, z: 4, x: 1}"), ("{y: 0, <<: [*a, *b]}", "{y: 2, z: 4, x: 1}"),
        ("{<<: [*a, *b], y: 0}", "{y: 0, z: 4, x: 1}"),
        ("{<<: *a, <<: *b}", "{x: 1, y: 3, z: 4}"),
        ("{<<: *a, w: 5, <<: []}", "{x: 1, y: 2, w: 5}"),
    ])
    func `A merged map is put in where it stands`(merged: String, written: String) throws {
        let base = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: "
        #expect(try read(base + merged) == (try read(base + written)))
    }

    @Test func `A merge takes maps alone, and no key is written twice`() throws {
        #expect(failure("a: &a {x: 1}\nb: {x: 2, <<: *a, x: 3}")?.problem == .duplicateKey("x"))
        #expect(failure("a: &a {x: 1}\nb: {<<: [*a, 1]}")?.problem == .invalidMerge)
        #expect(try read("{\"<<\": 1}") == [.map([[.string("<<"), .integer(1)]])])
        #expect(failure("<<: 1")?.problem == .invalidMerge)
        #expect(failure("<<: [1]")?.problem == .invalidMerge)
    }

    @Test func `A billion laughs are counted before they are made`() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...12 {
            let uses = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(uses)]\n"
        }
        guard case .tooLarge = failure(text)?.problem else {
            Issue.record("not refused as too large")
            return
        }
        let merges = "a: &a {x: 1}\nb:\n" + String(repeating: "- {<<: *a}\n", count: 100_000)
        guard case .tooLarge = failure(merges)?.problem else {
            Issue.record("merges are not counted")
            return
        }
    }

    @Test func `Depth and size have limits`() throws {
        let deep = String(repeating: "[", count: 65) + String(repeating: "]", count: 65)
        #expect(failure(deep)?.position == YAMLPosition(line: 1, column: 65))
        #expect(try read(String(deep.dropFirst().dropLast())).count == 1)
        #expect(failure(String(repeating: "- ", count: 100_000))?.position.column == 129)
        // Through aliases, each of which stands for more depth than it has itself.
        let ten = String(repeating: "[", count: 10)
        let close = String(repeating: "]", count: 10)
        var chain = "a0: &a0 \(ten)\(close)\n"
        for level in 1...6 { chain += "a\(level): &a\(level) \(ten)*a\(level - 1)\(close)\n" }
        // A map and six tens fit, seven do not.
        let error = failure(chain)
        guard case .tooLarge = error?.problem else {
            Issue.record("depth through aliases has no limit: \(String(describing: error))")
            return
        }
        #expect(error?.position.line == 7)
        let nested = "a: &a [[1]]\n"
        let rest = { (count: Int) in
            nested + "b: " + String(repeating: "[", count: count) + "*a"
                + String(repeating: "]", count: count)
        }
        #expect(try read(rest(61)).count == 1)
        #expect(failure(rest(62)) != nil)
        var limits = YAMLLimits()
        limits.textBytesMaximum = 3
        #expect(failure("abcd", limits) != nil)
        #expect(try YAMLNode.documents(in: Array("abc".utf8), limits: limits).count == 1)
    }

    @Test func `Tags that say what stands there are taken`() throws {
        #expect(
            try read("[!!str 1, !!int 1, !!float 1, !!bool y, !!null ~, ! 1, !!seq [], !!map {}]")
                == [
                    .list([
                        .string("1"), .integer(1), .integer(1), .bool(true), .null, .string("1"),
                        .list([]), .map([]),
                    ])
                ]
        )
        for text in ["!!int x", "!!bool 1", "!!binary aGk=", "!own x", "!!map []", "!!seq {}"] {
            guard case .unsupportedTag = failure(text)?.problem else {
                Issue.record("\(text) is taken")
                continue
            }
        }
        #expect(failure("a: .inf")?.problem == .notFinite)
    }

    @Test(arguments: [
        "a: b: c", "{", "\"", "a:\n\t- b", "%YAML 9.9\n---\n", "- a\nb", "*", "&", "!<", "\u{7}",
        "@a", "`a", "? [", "|9a\n", "--- >\u{0}",
    ])
    func `What is malformed is refused with its place`(text: String) {
        let error = failure(text)
        guard case .malformed(let words) = error?.problem else {
            Issue.record("\(text): \(String(describing: error))")
            return
        }
        #expect(!words.isEmpty)
    }

    @Test func `Memory that is refused is given back once`() {
        // Twice would end the process.
        for _ in 0..<10 {
            #expect(throws: YAMLError(.outOfMemory, at: YAMLPosition(line: 1, column: 1))) {
                _ = try YAMLParser([UInt8]("a: 1"), hasMemory: false)
            }
        }
    }

    @Test func `Bytes that are no UTF-8 are refused`() {
        for bytes: [UInt8] in [
            [0xFF], [0x61, 0x3A, 0x20, 0xC3], [0xED, 0xA0, 0x80], [0xC0, 0x80],
        ] {
            #expect(throws: YAMLError.self) { try YAMLNode.documents(in: bytes) }
        }
    }

    @Test func `Every beginning of a document ends in a value or an error`() {
        let text = """
            a: &x {b: [1, 'two', "th\\u0072ee"], c: !!str 4}
            d: |-
              text
            e: *x
            <<: *x
            ? f
            : - g
              - h
            ---
            "i"
            ...

            """
        let bytes = Array(text.utf8)
        for count in 0...bytes.count {
            _ = try? YAMLNode.documents(in: Array(bytes.prefix(count)))
        }
    }
}
