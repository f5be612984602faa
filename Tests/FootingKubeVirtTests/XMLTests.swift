import FootingSystem
import FootingTestSupport
import Testing

@testable import FootingKubeVirt

@Suite struct XMLDocumentTests {
    private func read(_ text: String) throws -> XMLDocument { try XMLDocument([UInt8](text)) }

    @Test(arguments: Fixture.domains) func `places are those of the source`(_ name: String) throws {
        let source = try Fixture.domain(name)
        let document = try XMLDocument(source)
        #expect(document.source == source)
        for element in document.elements {
            let tag = source[element.startTag].text
            let name = (element.prefix.map { $0 + ":" } ?? "") + element.name
            #expect(tag.hasPrefix("<\(name)") && tag.hasSuffix(">"), "\(tag)")
            if !element.endTag.isEmpty {
                let end = source[element.endTag].text
                #expect(end.hasPrefix("</\(name)") && end.hasSuffix(">"), "\(end)")
            } else {
                #expect(tag.hasSuffix("/>"))
            }
            for attribute in element.attributes {
                guard let place = attribute.place else { continue }
                #expect(source[place].text == attribute.value)
                #expect(source[place.lowerBound - 1] == source[place.upperBound])
            }
            if let parent = element.parent {
                let around = document.elements[parent]
                #expect(element.startTag.lowerBound >= around.startTag.upperBound)
                #expect(element.endTag.upperBound <= around.endTag.lowerBound)
            }
        }
    }

    @Test func `names, namespaces, texts and references are told`() throws {
        let document = try XMLDocument(try Fixture.domain("odd"))
        #expect(document.root["type"] == "kvm")
        #expect(document.root.attributes.map(\.name) == ["id", "type", "type"])
        let name = try #require(document.first("name"))
        #expect(document.elements[name].text == "größe & <type=\"kvm\"> 100%")
        let note = try #require(document.elements.first { $0.name == "note" })
        #expect(note.namespace == "urn:example:note")
        #expect(note["type"] == "kvm")
        let arg = try #require(document.elements.last { $0.name == "arg" })
        #expect(arg["value"] == "a\nb")
        #expect(arg.attribute("value")?.place == nil)
        #expect(arg.namespace == "http://libvirt.org/schemas/domain/qemu/1.0")
        // What stands in a comment, in a CDATA section or in an instruction is no element.
        #expect(document.elements.count { $0.name == "domain" } == 1)
    }

    @Test func `a byte order mark and line ends of Windows are borne`() throws {
        let document = try read("\u{FEFF}<a type='x'>\r\n<b\r\n c='d'/>\r\n</a>\r\n")
        #expect(document.root["type"] == "x")
        let place = try #require(document.root.attribute("type")?.place)
        #expect(document.source[place].text == "x")
        #expect(document.elements[1]["c"] == "d")
    }

    @Test func `long documents keep their places`() throws {
        var text = "<domain type=\"kvm\">"
        for number in 0..<10_000 { text += "\n<element number=\"\(number)\">&lt;</element>" }
        let document = try read(text + "</domain>")
        #expect(document.elements.count == 10_001)
        let last = try #require(document.elements.last)
        #expect(last["number"] == "9999" && last.text == "<")
        let place = try #require(last.attribute("number")?.place)
        #expect(document.source[place].text == "9999")
    }

    static let malformed = [
        "", " ", "text", "<", "<a", "<a>", "<a></b>", "<a/><b/>", "<a b=c/>", "<a b='1' b='2'/>",
        "<a>&unknown;</a>", "<a>&#0;</a>", "<a b='<'/>", "<a>\u{0}</a>", "<a>]]></a>",
        "<a><!-- -- --></a>", "<?xml version='1.0'?><?xml version='1.0'?><a/>",
        "<domain type='kvm'><name>x</name>", "<domain type=\"kvm\"", "<a>\u{FFFF}</a>",
    ]

    @Test(arguments: malformed) func `what is no document is refused`(_ text: String) {
        let error = #expect(throws: XMLReadError.self) { try read(text) }
        guard case .malformed(let words) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(!words.isEmpty && !words.contains("\n"))
    }

    @Test func `every beginning of a document is refused`() throws {
        let source = try Fixture.domain("odd")
        let end = try XMLDocument(source).root.endTag.upperBound
        for count in 0..<end {
            #expect(throws: XMLReadError.self) { try XMLDocument(Array(source[..<count])) }
        }
    }

    static let documentTypes = [
        "<!DOCTYPE domain><domain/>",
        "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
        "<!DOCTYPE a PUBLIC 'x' 'http://127.0.0.1:1/x.dtd'><a/>",
        "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
        "<!DOCTYPE a [<!ENTITY % x SYSTEM 'http://127.0.0.1:1/'> %x;]><a/>",
        "<!DOCTYPE a [<!ATTLIST a type CDATA 'hyperv'>]><a/>",
        """
        <!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
        <!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">
        <!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;"><!ENTITY f "&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;">
        ]><a>&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;</a>
        """,
    ]

    @Test(arguments: documentTypes) func `a document type is refused`(_ text: String) {
        #expect(throws: XMLReadError.documentType) { try read(text) }
    }

    @Test func `other encodings than UTF-8 are refused`() throws {
        #expect(throws: XMLReadError.encoding) {
            try read("<?xml version='1.0' encoding='ISO-8859-1'?><a/>")
        }
        #expect(throws: XMLReadError.encoding) {
            try read("<?xml version='1.0' encoding='US-ASCII'?><a/>")
        }
        #expect(throws: XMLReadError.self) {
            try read("<?xml version='1.0' encoding='UTF-16'?><a/>")
        }
        #expect(throws: XMLReadError.self) {
            try read("<?xml version='1.0' encoding='EBCDIC-CP-US'?><a/>")
        }
        let wide: [UInt8] = [0xFF, 0xFE] + "<a/>".utf16.flatMap { [UInt8($0 & 0xFF), 0] }
        #expect(throws: XMLReadError.self) { try XMLDocument(wide) }
        let big: [UInt8] = [0, 0x3C, 0, 0x61, 0, 0x2F, 0, 0x3E]
        #expect(throws: XMLReadError.self) { try XMLDocument(big) }
        #expect(throws: XMLReadError.self) {
            try XMLDocument([UInt8]("<a>") + [0xE4] + [UInt8]("</a>"))
        }
        #expect(try read("<?xml version='1.0' encoding='utf-8'?><a/>").root.name == "a")
    }

    @Test func `limits hold`() throws {
        var limits = XMLDocument.Limits()
        limits.bytesMaximum = 4
        #expect(try XMLDocument([UInt8]("<a/>"), limits: limits).root.name == "a")
        #expect(throws: XMLReadError.tooLarge) {
            try XMLDocument([UInt8]("<ab/>"), limits: limits)
        }
        limits = XMLDocument.Limits()
        limits.depthMaximum = 3
        #expect(try XMLDocument([UInt8]("<a><b><c/></b></a>"), limits: limits).elements.count == 3)
        #expect(throws: XMLReadError.tooDeep) {
            try XMLDocument([UInt8]("<a><b><c><d/></c></b></a>"), limits: limits)
        }
        limits = XMLDocument.Limits()
        limits.countMaximum = 3
        #expect(try XMLDocument([UInt8]("<a b='1'><c/></a>"), limits: limits).elements.count == 2)
        #expect(throws: XMLReadError.tooMany) {
            try XMLDocument([UInt8]("<a b='1' xmlns:x='y'><c/></a>"), limits: limits)
        }
        let deep = String(repeating: "<a>", count: 100_000)
        #expect(throws: XMLReadError.tooDeep) { try read(deep) }
        let long = "<a b='" + String(repeating: "x", count: 512 << 10) + "'/>"
        #expect(throws: XMLReadError.tooLarge) { try read(long) }
    }

    @Test func `many attributes of one element take no time`() {
        var text = "<a"
        for number in 0..<45_000 { text += " a\(number)=''" }
        let start = ContinuousClock.now
        #expect((try? read(text + "/>").root.attributes.count) == 45_000)
        #expect(start.duration(to: .now) < .seconds(20))
    }

    @Test(.disabled(if: Sanitizer.isOn, "a sanitizer keeps what was freed"))
    func `reading leaves no memory behind`() async {
        // In a process of its own: what other tests take meanwhile would count.
        await #expect(processExitsWith: .success) {
            let source = try Fixture.domain("large")
            let broken = Array(source.dropLast(20))
            let before = XMLDocumentTests.resident()
            for _ in 0..<2000 {
                _ = try XMLDocument(source)
                _ = try? XMLDocument(broken)
                _ = try? XMLDocument([UInt8](XMLDocumentTests.documentTypes[6]))
            }
            let grown = XMLDocumentTests.resident() - before
            precondition(grown < 16 << 20, "\(grown) bytes more")
        }
    }

    private static func resident() -> Int {
        let text = (try? HostRoot().text("proc/self/statm")) ?? ""
        let words = text.split(separator: " ")
        return words.count > 1 ? (Int(words[1]) ?? 0) * 4096 : 0
    }
}

extension ArraySlice<UInt8> {
    var text: String { String(decoding: self, as: UTF8.self) }
}
