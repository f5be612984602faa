import FootingSystem
import Glibc

@testable import FootingAcceleration

/// The stand-in for libqat.so.4: a copy of its own for each test, and so without a past.
///
/// It is loaded by its path, and says that it is one: nothing here is a property of a device.
@safe
final class StandIn {
    /// What goes wrong with a request; the numbers of `qat_stand_in.h`.
    enum Fault: UInt32, CaseIterable {
        case none, overflow, verifyError, restarting, failed, lost, late, corrupt, wrongDigest,
            short
    }

    enum Event: UInt32 {
        case restarting, restarted, fatalError
    }

    typealias Set = @convention(c) (UnsafePointer<CChar>, UInt32) -> Void
    typealias Get = @convention(c) (UnsafePointer<CChar>) -> UInt32
    typealias Notify = @convention(c) (UInt32) -> Void
    typealias Release = @convention(c) () -> Void

    let library: QATLibrary
    let software = SoftwareAccelerator()
    private let handle: UnsafeMutableRawPointer
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        let path = "\(folder.path)/stand-in.so"
        let program = try HostRoot().link("proc/self/exe")
        let built = program.split(separator: "/").dropLast().joined(separator: "/")
        guard folder.run("cp '/\(built)/libfooting-qat-stand-in.so' stand-in.so") == 0 else {
            throw Errno.noSuchFile
        }
        library = try QATLibrary(memory: path, driver: path)
        guard library.isStandIn, let handle = unsafe dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            throw Errno.noDevice
        }
        unsafe self.handle = handle
    }

    private func symbol<Function>(_ name: String, as type: Function.Type) -> Function {
        guard let address = unsafe dlsym(handle, name) else {
            preconditionFailure("the stand-in has no \(name)")
        }
        return unsafe unsafeBitCast(address, to: type)
    }

    /// Sets a field of its plan.
    func set(_ field: String, _ value: UInt32) {
        unsafe symbol("stand_in_set", as: Set.self)(field, value)
    }

    /// Reads one of its counts.
    func get(_ field: String) -> UInt32 {
        unsafe symbol("stand_in_get", as: Get.self)(field)
    }

    /// Lets late answers come.
    func release() { symbol("stand_in_release", as: Release.self)() }

    /// Tells of an event.
    func notify(_ event: Event) { symbol("stand_in_notify", as: Notify.self)(event.rawValue) }

    /// Lets so many requests go wrong, after so many that do not.
    func plan(_ fault: Fault, count: UInt32, after: UInt32 = 0) {
        set("fault_after", after)
        set("fault_count", count)
        set("fault", fault.rawValue)
    }

    /// An accelerator with it.
    func accelerator(
        _ change: (inout QATConfiguration) -> Void = { _ in }
    ) -> QATAccelerator {
        var configuration = QATConfiguration(use: .all, encrypts: true)
        configuration.depth = 4
        // Longer than any answer takes beside other tests.
        configuration.timeoutMilliseconds = 20_000
        change(&configuration)
        return QATAccelerator(configuration, obstacle: nil, software: software) {
            () throws(AccelerationError) in
            library
        }
    }

    /// What the caller did wrong, by its name; empty if nothing.
    var mistakes: [String: UInt32] {
        let names = [
            "foreign_pointers", "freed_in_flight", "nested_polls", "unverified", "misuses",
            "kept_secrets",
        ]
        return Dictionary(uniqueKeysWithValues: names.map { ($0, get($0)) }).filter { $0.value > 0 }
    }

    /// What was begun and not ended.
    var leftovers: [String: UInt32] {
        let names = ["live_sessions", "live_instances", "live_memory"]
        return Dictionary(uniqueKeysWithValues: names.map { ($0, get($0)) }).filter { $0.value > 0 }
    }

    /// Waits for something that another thread does.
    static func eventually(_ condition: () -> Bool) -> Bool {
        for _ in 0..<4000 {
            if condition() { return true }
            usleep(5000)
        }
        return condition()
    }
}

extension QATAccelerator {
    /// Compresses a batch; nil for what does not get smaller.
    func compressed(_ blocks: [[UInt8]]) throws -> [[UInt8]?] {
        let sources = blocks.map { GuardedMemory($0) }
        let targets = blocks.map { GuardedMemory($0.count) }
        let batch = zip(sources, targets).map {
            unsafe AcceleratedBlock(source: UnsafeRawBufferPointer($0.bytes), target: $1.bytes)
        }
        // An array goes after its last use, and these refer to it by address alone.
        defer { withExtendedLifetime(sources) {} }
        return try zip(try compress(batch), targets).map { result, target in
            try result.get().map { Array(target.content[..<$0]) }
        }
    }

    /// Decompresses a batch; nil for what is damaged.
    func decompressed(_ blocks: [(compressed: [UInt8], count: Int)]) throws -> [[UInt8]?] {
        let sources = blocks.map { GuardedMemory($0.compressed) }
        let targets = blocks.map { GuardedMemory($0.count) }
        let batch = zip(sources, targets).map {
            unsafe AcceleratedBlock(source: UnsafeRawBufferPointer($0.bytes), target: $1.bytes)
        }
        defer { withExtendedLifetime(sources) {} }
        return zip(try decompress(batch), targets).map { result, target in
            (try? result.get()).map { target.content }
        }
    }
}

extension Accelerator {
    /// What the processor makes of a compressed block; nil if it is damaged.
    func inflated(_ compressed: [UInt8], count: Int) -> [UInt8]? {
        let source = GuardedMemory(compressed)
        let target = GuardedMemory(count)
        let result: Void? = unsafe try? decompress(
            UnsafeRawBufferPointer(source.bytes),
            into: target.bytes,
            .deflate
        )
        return result.map { target.content }
    }

    /// A block compressed by deflate.
    func deflated(_ block: [UInt8]) throws -> [UInt8] {
        let source = GuardedMemory(block)
        let target = GuardedMemory(block.count)
        let count = unsafe try compress(
            UnsafeRawBufferPointer(source.bytes),
            into: target.bytes,
            .deflate,
            .fast
        )
        return Array(target.content[..<(count ?? 0)])
    }
}

extension BlockCipher {
    /// Encrypts bytes; the tag follows them.
    func sealed(_ block: [UInt8], _ nonce: BlockNonce, _ associated: [UInt8]) throws -> [UInt8] {
        let source = GuardedMemory(block)
        let target = GuardedMemory(block.count)
        let extra = GuardedMemory(associated)
        let tag = unsafe try seal(
            UnsafeRawBufferPointer(source.bytes),
            into: target.bytes,
            nonce: nonce,
            associatedData: UnsafeRawBufferPointer(extra.bytes)
        )
        let proof = GuardedMemory(AuthenticationTag.byteCount)
        unsafe tag.store(into: proof.bytes)
        return target.content + proof.content
    }

    /// Decrypts bytes that a tag follows.
    func opened(_ sealed: [UInt8], _ nonce: BlockNonce, _ associated: [UInt8]) throws -> [UInt8] {
        let count = sealed.count - AuthenticationTag.byteCount
        let source = GuardedMemory(Array(sealed[..<count]))
        let target = GuardedMemory(count)
        let extra = GuardedMemory(associated)
        let proof = GuardedMemory(Array(sealed[count...]))
        unsafe try open(
            UnsafeRawBufferPointer(source.bytes),
            into: target.bytes,
            nonce: nonce,
            associatedData: UnsafeRawBufferPointer(extra.bytes),
            tag: AuthenticationTag(UnsafeRawBufferPointer(proof.bytes))
        )
        return target.content
    }
}
