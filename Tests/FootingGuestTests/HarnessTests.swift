import FootingSystem
import Testing

/// What the other tests rely on.
@Suite(
    .needs(.emulator),
    .needs(.shell),
    .needs(.program),
    .needs(.initialProcess),
    .needs(.cloudKernel)
)
struct HarnessTests {
    @Test func `a guest that does not boot is an error that says why`() throws {
        // Too little for the archive alone.
        let error = #expect(throws: GuestError.self) { _ = try Guest(Machine(memoryMebibytes: 88)) }
        #expect(error?.description.contains("Kernel panic") == true, "\(error?.description ?? "")")
    }

    @Test func `QEMU's own mistakes are shown`() throws {
        let error = #expect(throws: GuestError.self) {
            _ = try Guest(Machine(options: ["-device", "no-such-device"]))
        }
        #expect(error?.description.contains("'no-such-device' is not a valid device") == true)
    }

    @Test func `statuses are a shell's, and output comes whole`() throws {
        let guest = try SharedGuest.plain.restored()
        #expect(try guest.run("/bin/busybox", "sh", "-c", "exit 3").status == 3)
        #expect(try guest.run("/bin/busybox", "sh", "-c", "kill -9 $$").status == 137)
        #expect(try guest.run("/bin/missing").status == 127)
        let line = String(repeating: "x", count: 999)
        let output = try guest.shell("busybox yes \(line) | busybox head -n 200")
        #expect(output == String(repeating: line + "\n", count: 200))
    }

    @Test func `modules come after those that they need`() throws {
        let modules = try KernelModules(.cloud)
        let names = try modules.order(["sd_mod", "nvme-fabrics", "scsi-common x=1"]).map(\.name)
        #expect(Set(names).count == names.count)
        let disk = try #require(names.firstIndex(of: "sd_mod"))
        #expect(names[..<disk].contains("scsi_mod"))
        #expect(throws: GuestError.self) { try modules.order(["no_such_module"]) }
    }
}
