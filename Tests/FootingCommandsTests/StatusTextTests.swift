import FootingSystem
import Testing

@testable import FootingCommands

/// What another process says of a disk, as people see it.
@Suite struct StatusTextTests {
    @Test func `an answer of nothing makes a text all the same`() {
        for status: JSONValue in [.null, [], [:], "x", ["pressure": ["sources": [1, "x"]]]] {
            let text = StatusText(status).text
            #expect(text.hasPrefix("disk "))
        }
    }

    @Test func `numbers of any size and texts of many lines do no harm`() {
        let largest = JSONValue.unsigned(.max)
        let status: JSONValue = [
            "path": "disk\npressure  all is well\u{1b}[2J", "uptimeSeconds": largest,
            "disk": ["blockCache": ["hits": largest, "misses": largest]],
            "memory": ["usedBytes": largest, "budgetBytes": largest],
            "pressure": [
                "balloon": ["absent": "none\nat all"],
                "decisions": [["reason": "one\ntwo", "budgetBytes": largest]],
            ],
        ]
        let text = StatusText(status).text
        #expect(!text.contains("\u{1b}"))
        let names = text.split(separator: "\n").map { $0.prefix { $0 != " " } }
        #expect(
            names == [
                "disk", "uri", "running", "clients", "limits", "memory", "cache", "log", "io",
                "compression", "encryption", "snapshots", "scrub", "machine", "group", "balloon",
                "decided",
            ]
        )
    }
}
