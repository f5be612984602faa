import Testing

@Suite struct ScannerTests {
    private func blanked(_ text: String) -> String {
        String(decoding: SwiftText.blanked(text), as: UTF8.self)
    }

    private static let texts: [(String, String)] = [
        ("a // b { \n}", "a        \n}"),
        ("a /* { /* } */ { */ b", "a                   b"),
        ("f(\"{\") {", "f(   ) {"),
        ("f(\"\") {", "f(  ) {"),
        ("f(\"\\\"{\") {", "f(     ) {"),
        ("\"a\\(b { \"}\" })c\" {", "   (b {     })   {"),
        ("#\"{\\(\"# {", "        {"),
        ("#\"\\#(a)\"# {", "    (a)   {"),
        ("\"\"\"\n{ \" }\n\"\"\" {", "   \n     \n    {"),
        ("func `a { b`() {", "func        () {"),
        ("#expect(a)", "#expect(a)"),
        ("\"open\n{", "     \n{"),
    ]

    @Test(arguments: texts)
    func `only code is left`(text: String, expected: String) {
        #expect(blanked(text) == expected)
    }

    private static let functions: [(String, [Int])] = [
        ("func a() {\n}", [2]),
        ("func a(\n  b: C = { }\n) throws -> D {\n  if e { }\n}", [5]),
        ("func a()\n  -> Int\n  where T: U\n{\n}", [5]),
        ("init() { }\ndeinit {\n}", [1, 2]),
        ("protocol P {\n  func a()\n  init(b: C)\n  var d: E { get }\n}", [1]),
        ("var a: Int {\n  get {\n  }\n  set(b) {\n  }\n}", [6, 2, 2]),
        ("let a = B.init(c) { }\nvar b = {\n}()", []),
        ("var c: D\nfor e in f {\n}", []),
        ("func outer() {\n  func inner() {\n  }\n}", [4, 2]),
        ("// func a() {\n\"func b() {\"", []),
    ]

    @Test(arguments: functions)
    func `bodies are measured from their first line`(text: String, lengths: [Int]) {
        #expect(FunctionScanner.functions(in: text).map(\.lineCount) == lengths)
    }

    @Test func `bodies of C functions are measured from their name`() {
        let text = "struct a {\n};\nint b(void)\n{\n  if (c) {\n  }\n}\n"
        #expect(FunctionScanner.cFunctions(in: text) == [.init(line: 3, lineCount: 5)])
    }
}
