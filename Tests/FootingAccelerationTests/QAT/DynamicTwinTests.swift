import FootingSystem
import Glibc
import Testing

@testable import FootingAcceleration

/// Whether a program beside this one may take over.
@Suite struct DynamicTwinTests {
    /// Programs, and what is said of them; nil: they are the twin.
    static let programs: [(script: String, problem: String?)] = [
        ("[ \"$1\" = --version ] && echo 1.2.3", nil),
        ("echo 1.2.4", "is not of version 1.2.3"),
        ("echo 1.2.3 and more", "is not of version 1.2.3"),
        ("yes 1.2.3", "is not of version 1.2.3"),
        ("exit 127", "does not run here"),
    ]

    @Test(arguments: programs)
    func `only the same version takes over`(script: String, problem: String?) throws {
        let folder = try TemporaryFolder()
        try folder.write("twin", Array("#!/bin/sh\n\(script)\n".utf8))
        try #require(folder.run("chmod +x twin") == 0)
        var found: String?
        do throws(AccelerationError) {
            try DynamicTwin.check("\(folder.path)/twin", version: "1.2.3")
        } catch {
            found = error.description
        }
        if let problem {
            #expect(found?.contains(problem) == true, "\(found ?? "taken")")
        } else {
            #expect(found == nil)
        }
    }

    @Test
    func `a twin that is not there is named`() {
        let expected = AccelerationError.unavailable(
            "/nowhere/twin: No such file or directory (ENOENT)"
        )
        #expect(throws: expected) { try DynamicTwin.check("/nowhere/twin", version: "1") }
    }

    @Test
    func `a process that can load libraries goes on as it is`() throws {
        #expect(!DynamicTwin.isNeeded)
        try DynamicTwin.takeOver(root: HostRoot(), configuration: QATConfiguration(use: .all))
    }
}
