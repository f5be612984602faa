import FootingSystem
import Glibc

/// A file system with fio and the libraries that it needs, for guests.
enum FioImage {
    /// The program on this machine.
    static let program = "/usr/bin/fio"
    /// Whether it, and what makes the image, are here.
    static let isPossible: Bool = {
        let programs = [program, "/usr/sbin/mke2fs", "/usr/bin/ldd"]
        return programs.allSatisfy { unsafe access($0, X_OK) == 0 }
    }()

    /// The image's file; guests start with it, and none writes to it.
    static func path() throws -> String { try "\(folder.get().path)/image" }

    private static let folder = Result {
        let folder = try ScratchFolder()
        folder.removeAtExit()
        // "libz.so.1 => /lib/libz.so.1 (0x...)", and the loader as "/lib64/ld.so (0x...)".
        let script = """
            cd '\(folder.path)'; mkdir files; cp \(program) files; \
            ldd \(program) | sed 's/.* => //' | grep -o '/[^ ]*' \
            | xargs cp --dereference --target-directory=files; \
            mv files/ld-linux-*.so.* files/loader; \
            /usr/sbin/mke2fs -q -t ext4 -O ^has_journal -d files image 192M; rm -r files
            """
        let process = try ChildProcess(
            limitSeconds: 60,
            ["/bin/sh", "-ec", script],
            descriptors: [:],
            log: "\(folder.path)/log"
        )
        guard process.awaitEnd() == 0 else { throw GuestError("no image: \(folder.text("log"))") }
        return folder
    }
}
