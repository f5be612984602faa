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
            return Array(JSONValue.object(members).text().utf8)
        }
        #expect(Set(texts) == [Array("{\n  \"e\u{301}\": 2,\n  \"é%\": 1\n}".utf8)])
    }
}
