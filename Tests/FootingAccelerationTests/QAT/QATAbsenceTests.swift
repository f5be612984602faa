import FootingHost
import FootingSystem
import Glibc
import Testing

@testable import FootingAcceleration

/// What is said and done where QAT is not there.
@Suite(.timeLimit(.minutes(2))) struct QATAbsenceTests {
    @Test
    func `without a device, a direct call says so`() throws {
        let folder = try TemporaryFolder()
        let root = try HostRoot(path: folder.path)
        let accelerator = QATAccelerator(
            QATConfiguration(use: .all, encrypts: true),
            root: root,
            software: SoftwareAccelerator()
        )
        #expect(!accelerator.isAvailable)
        #expect(accelerator.obstacle?.step == .device)
        let unavailable = AccelerationError.unavailable("QAT: no QAT device")
        #expect(throws: unavailable) { try accelerator.compressed([Shapes.text(16_384)]) }
        #expect(throws: unavailable) { try accelerator.decompressed([([1], 16_384)]) }
        #expect(throws: unavailable) { _ = try accelerator.cipher(key: makeSecret(Array(0..<32))) }
        var registry = CapabilityRegistry()
        accelerator.register(in: &registry)
        #expect(registry["qat.compression"].state == .absent("no QAT device"))
        accelerator.close()
    }

    @Test
    func `a library that is not there names its packages`() {
        let error = #expect(throws: AccelerationError.self) {
            _ = try QATLibrary(memory: "/nowhere/libusdm.so.0", driver: "/nowhere/libqat.so.4")
        }
        let text = error?.description ?? ""
        #expect(text.hasPrefix("/nowhere/libusdm.so.0: cannot open shared object file"))
        #expect(text.contains("install libqat4"))
    }

    @Test
    func `another library than QATlib is refused by name`() {
        let error = #expect(throws: AccelerationError.self) {
            _ = try QATLibrary(memory: "libm.so.6", driver: "libm.so.6")
        }
        #expect(error?.description.contains("it has no qaeMemAllocNUMA") == true)
    }

    @Test(.enabled("libqat.so.4 is not installed") { StandIn.isInstalled("libqat.so.4") })
    func `the genuine library finds no device and says nothing`() throws {
        let library = try QATLibrary.shared()
        #expect(!library.isStandIn)
        #expect(!library.isAvailable)
    }

    /// Plans of the stand-in with which there is nothing to use, and what is said.
    static let useless: [(field: String, value: UInt32, text: String)] = [
        ("is_available", 0, "the library finds no device that is set up for it"),
        ("start_status", UInt32(bitPattern: -1), "icp_sal_userStart failed (-1)"),
        ("is_down", 1, "stand-in 0 is not up"),
        ("has_verify", 0, "stand-in 0 does not compress and verify deflate"),
        ("intermediate", 2, "stand-in 0 wants buffers of its own"),
        ("dc_instances", 0, "the library has no instance for this process"),
    ]

    @Test(arguments: useless)
    func `construction never fails`(field: String, value: UInt32, text: String) throws {
        let standIn = try StandIn()
        standIn.set(field, value)
        let accelerator = standIn.accelerator { $0.encrypts = false }
        #expect(accelerator.operations.isEmpty)
        #expect(accelerator.obstacle?.step == .start)
        #expect(accelerator.obstacle?.problem.hasPrefix(text) == true)
        let error = #expect(throws: AccelerationError.self) {
            try accelerator.compressed([Shapes.text(16_384)])
        }
        #expect(error?.description.hasPrefix("QAT: \(text)") == true)
        accelerator.close()
        let isStarted = field != "is_available" && field != "start_status"
        #expect(standIn.get("stops") == (isStarted ? 1 : 0))
        #expect(standIn.leftovers == [:])
        #expect(standIn.mistakes == [:])
    }

    @Test
    func `a device without recovery, decompression and encryption is used for the rest`() throws {
        let standIn = try StandIn()
        for field in ["has_recovery", "has_decompression", "has_gcm"] { standIn.set(field, 0) }
        let accelerator = standIn.accelerator()
        #expect(accelerator.operations == [.compressDeflate])
        let block = Shapes.text(16_384)
        let compressed = try accelerator.compressed([block])[0]
        #expect(standIn.software.inflated(compressed ?? [], count: block.count) == block)
        var registry = CapabilityRegistry()
        accelerator.register(in: &registry)
        #expect(registry.has("qat.compression"))
        #expect(!registry.has("qat.encryption"))
        accelerator.close()
        #expect(standIn.mistakes == [:])
    }

    @Test
    func `one start at a time`() throws {
        let standIn = try StandIn()
        let first = standIn.accelerator()
        #expect(standIn.accelerator().obstacle?.problem == "it is already used in this process")
        first.close()
        let second = standIn.accelerator()
        #expect(second.obstacle == nil)
        second.close()
        #expect(standIn.get("starts") == 2)
        #expect(standIn.get("stops") == 2)
    }
}

extension StandIn {
    /// Whether the loader finds a library; it stays loaded then.
    static func isInstalled(_ name: String) -> Bool {
        unsafe dlopen(name, RTLD_NOW | RTLD_LOCAL) != nil
    }
}
