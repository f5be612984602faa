import Testing

@testable import FootingSystem

@Suite struct JSONWriterTests {
    /// Some begin with the same eight bytes, some are the beginning of another.
    private static let keys: [StaticString] = [
        "name", "size", "sizeBytes", "sizeBytesMaximum", "sizeBytesMinimum", "pci", "pciSlot", "B",
        "availableBytes", "available",
    ]

    @Test func `members have one order, however they are written`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<1000 {
            let chosen = Self.keys.shuffled(using: &random).prefix(.random(in: 0...10))
            var json = JSONWriter()
            var inner = JSONObject()
            let outer = json.beginObject()
            json.key("z")
            json.integer(1)
            json.key("a")
            json.beginArray()
            json.element()
            let object = json.beginObject()
            for (index, key) in chosen.enumerated() {
                json.key(key)
                json.unsigned(UInt64(index))
                inner["\(key)"] = JSONValue(UInt64(index))
            }
            json.end(object)
            json.element()
            json.null()
            json.endArray()
            json.key("m")
            json.string("text")
            json.end(outer)
            let tree: JSONValue = ["z": 1, "a": [.object(inner), .null], "m": "text"]
            #expect(json.text == tree.text())
            #expect(Array(inner.keys) == chosen.map { "\($0)" }.sorted())
        }
    }

    private static let escaped: [(Unicode.Scalar, String)] = [
        ("\"", "\\\""), ("\\", "\\\\"), ("\u{0}", "\\u0000"), ("\u{1f}", "\\u001f"),
        ("\u{7f}", "\\u007f"), ("\u{80}", "\\u0080"), ("\u{9f}", "\\u009f"),
    ]
    private static let plain: [Unicode.Scalar] = [
        " ", "!", "#", "[", "]", "~", "\u{a0}", "\u{ff}", "¢", "ä", "€", "🧱",
    ]

    @Test(arguments: 0..<20)
    func `what needs an escape is found wherever it stands`(place: Int) {
        for after in 0..<10 {
            let head = String(repeating: "a", count: place)
            let tail = String(repeating: "z", count: after)
            for (scalar, text) in Self.escaped {
                let value = JSONValue.string(head + String(scalar) + tail)
                #expect(value.text() == "\"" + head + text + tail + "\"")
            }
            for scalar in Self.plain {
                let text = head + String(scalar) + tail
                #expect(JSONValue.string(text).text() == "\"\(text)\"")
            }
        }
    }

    private static func arePlain(_ bytes: [UInt8]) -> Bool {
        unsafe bytes.withUnsafeBufferPointer { unsafe JSONWriter.arePlain($0) }
    }

    @Test(arguments: 8...40)
    func `plain texts are told from others, whatever their length`(count: Int) {
        let plain = (0x20...0x7e as ClosedRange<UInt8>).filter {
            $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
        }
        for first in plain.indices {
            let bytes = (0..<count).map { plain[(first + $0) % plain.count] }
            #expect(Self.arePlain(bytes), "\(bytes)")
        }
        let special = Array(0..<0x20 as Range<UInt8>) + [0x22, 0x5c, 0x7f, 0xc2]
        for place in 0..<count {
            for byte in special {
                var bytes = (0..<count).map { plain[$0 % plain.count] }
                bytes[place] = byte
                #expect(!Self.arePlain(bytes), "\(bytes)")
            }
        }
    }

    @Test func `a document may be larger than its first room`() throws {
        let texts = (0..<5000).map { JSONValue.string("text number \($0)") }
        let tree = JSONValue.array(texts)
        #expect(try JSONValue(parsing: tree.bytes()) == tree)
    }
}
