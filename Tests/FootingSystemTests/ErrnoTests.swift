import FootingSystem
import FootingTestSupport
import Glibc
import Testing

@Suite struct ErrnoTests {
    @Test(arguments: [
        (Errno.noSpace, "No space left on device (ENOSPC)"),
        (.noSuchFile, "No such file or directory (ENOENT)"),
        (.again, "Resource temporarily unavailable (EAGAIN)"),
        (.tooLarge, "Value too large for defined data type (EOVERFLOW)"),
        (Errno(rawValue: 4242), "Unknown error 4242 (4242)"),
    ])
    func `describes the number in words and by name`(error: Errno, text: String) {
        #expect(error.description == text)
    }

    @Test func `takes over what the C library left behind`() {
        #expect(close(-1) == -1)
        #expect(Errno.current == Errno(rawValue: EBADF))
    }

    @Test func `a missing file is thrown as ENOENT`() {
        #expect(throws: Errno.noSuchFile) {
            _ = try FileDescriptor.open("/nonexistent/file", .readOnly).release()
        }
    }
}
