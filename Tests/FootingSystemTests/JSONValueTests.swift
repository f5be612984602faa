import FootingSystem
import Testing

@Suite struct JSONValueTests {
    private static let texts: [(JSONValue, String)] = [
        (JSONValue.null, "null"),
        (true, "true"),
        (-12, "-12"),
        (JSONValue(UInt64.max), "18446744073709551615"),
        (JSONValue(UInt64(42)), "42"),
        (.integer(.min), "-9223372036854775808"),
        (.number(0.5), "0.5"),
        (.number(1e21), "1e+21"),
        (.array([]), "[]"),
        (.object([:]), "{}"),
        ("", "\"\""),
        ("grün 🧱", "\"grün 🧱\""),
        ("a\"b\\c\n\r\t", #""a\"b\\c\n\r\t""#),
        ("\u{0}\u{1f}\u{7f}", #""\u0000\u001f\u007f""#),
        ("\u{80}\u{9b}31m\u{9f}\u{a0}\u{bf}ä", "\"\\u0080\\u009b31m\\u009f\u{a0}\u{bf}ä\""),
    ]

    @Test(arguments: texts)
    func `values have one text`(value: JSONValue, text: String) {
        #expect(value.text() == text)
    }

    @Test func `many keys in any order take no longer than a sort`() {
        // 7,919 is prime: every number once, in no order.
        let names = (0..<200_000).map { String($0 * 7919 % 200_000) }
        let members = Dictionary(uniqueKeysWithValues: names.map { ($0, JSONValue.integer(1)) })
        var object = JSONObject()
        let duration = ContinuousClock().measure {
            object = JSONObject(members).mapValues { _ in 2 }
            object["7"] = 3
            object["last"] = 4
        }
        #expect(object.keys == names.sorted() + ["last"])
        #expect(object["0"] == 2)
        #expect(object["7"] == 3)
        #expect(object["199999"] == 2)
        // By insertion it would take minutes.
        #expect(duration < .seconds(90))
    }

    @Test func `keys are sorted and levels indented`() {
        let value: JSONValue = ["b": [1, ["x": .null]], "a": "first", "B": [:]]
        #expect(
            value.text() == """
                {
                  "B": {},
                  "a": "first",
                  "b": [
                    1,
                    {
                      "x": null
                    }
                  ]
                }
                """
        )
    }

    @Test func `keys have one order, whatever their Unicode form`() {
        let texts = (0..<10).map { power in
            // The order of a dictionary's keys depends on its capacity.
            var members: [String: JSONValue] = [:]
            members.reserveCapacity(1 << power)
            members["é%"] = 1
            members["e\u{301}"] = 2
            return Array(JSONValue.object(JSONObject(members)).text().utf8)
        }
        #expect(Set(texts) == [Array("{\n  \"e\u{301}\": 2,\n  \"é%\": 1\n}".utf8)])
    }

    @Test func `an object is a dictionary in order`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            var object = JSONObject()
            var model: [String: JSONValue] = [:]
            for step in 0..<Int.random(in: 0...20, using: &random) {
                // Short and long, and many that begin with the same eight bytes.
                let length = Int.random(in: 0...2, using: &random)
                let start = Bool.random(using: &random) ? "abcdefgh" : ""
                let key = start + String(repeating: "x", count: length)
                let value =
                    Int.random(in: 0...3, using: &random) == 0 ? nil : JSONValue(UInt64(step))
                object[key] = value
                model[key] = value
                #expect(object[key] == value)
            }
            #expect(object == JSONObject(model) && object.count == model.count)
            #expect(object.keys == model.keys.sorted())
            #expect(object.isEmpty == model.isEmpty)
            for (key, value) in object { #expect(model[key] == value) }
        }
    }

    @Test func `of two members with one key the last counts`() {
        let twice: JSONObject = ["a": 1, "a": 2]
        #expect(twice == ["a": 2])
    }
}
