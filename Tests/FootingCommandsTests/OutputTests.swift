import FootingSystem
import Testing

@testable import FootingCommands

@Suite struct OutputTests {
    @Test func `columns are aligned and lines have no end of spaces`() {
        var table = TextTable([("DEVICE", .left), ("SIZE", .right), ("NOTE", .left)])
        table.add(["vda", "10 GiB", ""])
        table.add(["nvme0n1", "931 GiB", "über"])
        let expected = """
            DEVICE      SIZE  NOTE
            vda       10 GiB
            nvme0n1  931 GiB  über

            """
        #expect(table.text() == expected)
    }

    @Test func `a table without titles can be indented`() {
        var table = TextTable(alignments: [.left, .left])
        #expect(table.text() == "")
        table.add(["Size:", "10 GiB"])
        table.add(["Blocks:", "7"])
        #expect(table.text(indentation: 2) == "  Size:    10 GiB\n  Blocks:  7\n")
    }

    @Test func `a remark gives no orders to the terminal, and is one line`() {
        let texts = Locked("")
        let console = Console(columns: 80, progressColumns: nil) { stream, text throws(Errno) in
            #expect(stream == .error)
            texts.withLock { $0 += text }
        }
        console.remark("no '\u{1b}[2Jdisk\u{9b}0m'\nfooting: closed cleanly\r")
        #expect(texts.withLock { $0 } == "footing: no '.[2Jdisk.0m'.footing: closed cleanly.\n")
    }

    private func progress(columns: Int?, _ body: (inout ProgressLine) -> Void) -> String {
        let texts = Locked("")
        let console = Console(columns: 80, progressColumns: columns) { _, text throws(Errno) in
            texts.withLock { $0 += text }
        }
        var line = ProgressLine(console)
        body(&line)
        return texts.withLock { $0 }
    }

    @Test func `progress replaces its line and is taken away`() {
        let output = progress(columns: 12) { line in
            line.clear()
            line.show("preparing")
            line.show("preparing")
            line.show("a line that is too long")
            line.clear()
            line.clear()
        }
        #expect(output == "\rpreparing\u{1b}[K\ra line that\u{1b}[K\r\u{1b}[K")
    }

    @Test func `progress is for terminals`() {
        #expect(progress(columns: nil) { $0.show("preparing") } == "")
    }

    @Test func `progress counts whole percents`() {
        let output = progress(columns: 80) { line in
            for done in 0...200 { line.show("Writing", done: UInt64(done), total: 200) }
            line.show("Writing", done: 0, total: 0)
        }
        #expect(output.split(separator: "\r").count == 101)
        #expect(output.hasSuffix("\rWriting 100 % of 200 B\u{1b}[K"))
    }

    @Test func `no control character reaches a terminal`() {
        let text = "a\u{1b}[31mb\u{9b}31m\r\tc\u{7f}\u{0}\nü\u{a0}🧱\u{80}\u{9f}"
        #expect(TerminalText.harmless(text) == "a.[31mb.31m..c..\nü\u{a0}🧱..")
        #expect(TerminalText.harmless("a\r\nb") == "a.\nb")
        #expect(TerminalText.harmless("a\nb", keepsLineFeeds: false) == "a.b")
    }

    @Test func `errors, answers and reports have no orders for the terminal`() throws {
        let outcome = Outcome.of("disk", "\u{1b}]0;title\u{7}")
        #expect(outcome.status == 64)
        #expect(outcome.error.contains(".]0;title."))
        #expect(!outcome.error.contains("\u{1b}"))
    }

    @Test func `error messages are put together`() {
        let error = CommandError("cannot open", "a b", .noSuchFile)
        #expect(error.message == "cannot open 'a b': No such file or directory (ENOENT)")
        let advised = CommandError("cannot open", "a", "it is in use", remedy: "stop the server")
        #expect(advised.message == "cannot open 'a': it is in use. Stop the server")
        #expect(advised.kind == .failure)
    }

    @Test func `long words stand alone when text is wrapped`() {
        let lines = TextWrap.lines("a bb incomprehensible c\n\nd", columns: 5)
        #expect(lines == ["a bb", "incomprehensible", "c", "", "d"])
    }
}
