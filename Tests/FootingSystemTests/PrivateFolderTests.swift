import FootingSystem
import FootingTestSupport
import Testing

@Suite struct PrivateFolderTests {
    @Test func `folders above that are missing are made too`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("a/b/c")
        #expect(throws: Errno.noSuchFile) { try PrivateFolder.create(path) }
        try PrivateFolder.createWithParents(path)
        try PrivateFolder.check(path)
        try PrivateFolder.createWithParents(path + "/")
        try directory.file("a/file", "x")
        #expect(throws: Errno.notDirectory) {
            try PrivateFolder.createWithParents(directory.path("a/file/d"))
        }
    }
}
