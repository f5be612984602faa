internal import CQAT
internal import FootingSystem
internal import Glibc

/// QATlib, loaded at run time: `libqat.so.4` and `libusdm.so.0`.
///
/// Loaded once and for good. It allows one start in a process, and one thread that polls.
@safe
final class QATLibrary: @unchecked Sendable {
    // Sendable: the functions never change, and the library has locks of its own.
    let functions: UnsafePointer<qat_functions>
    private let isStarted = Locked(false)

    /// The one that is installed.
    private static let installed = Result<QATLibrary, AccelerationError> {
        () throws(AccelerationError) in
        guard qat_can_load() != 0 else {
            throw .unavailable("a static program cannot load libqat.so.4; footing-dynamic can")
        }
        let library = try QATLibrary(memory: "libusdm.so.0", driver: "libqat.so.4")
        if library.isStandIn { throw .unavailable("libqat.so.4 is a stand-in for tests") }
        return library
    }

    /// The one that is installed, loaded by the first who asks.
    ///
    /// - Throws: with the loader's reason and the packages' names.
    static func shared() throws(AccelerationError) -> QATLibrary { try installed.get() }

    /// Loads two libraries, which may be one.
    init(memory: String, driver: String) throws(AccelerationError) {
        let table = UnsafeMutablePointer<qat_functions>.allocate(capacity: 1)
        unsafe table.initialize(to: qat_functions())
        var text = [CChar](repeating: 0, count: 512)
        let size = text.count
        guard unsafe qat_load(memory, driver, table, &text, size) == 0 else {
            unsafe table.deallocate()
            let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            let reason = String(decoding: bytes, as: UTF8.self)
            throw .unavailable(
                "\(reason); install libqat4 (Debian, Ubuntu) or qatlib (Fedora, RHEL)"
            )
        }
        unsafe functions = UnsafePointer(table)
    }

    // The library stays loaded, and so may callers within it: the table is never freed.

    /// Whether a test's stand-in was loaded: what that does says nothing about a device.
    var isStandIn: Bool { unsafe functions.pointee.is_stand_in != 0 }

    /// Whether it finds a device that is set up for it: silent, unlike ``start()``.
    var isAvailable: Bool { unsafe functions.pointee.is_available() != 0 }

    /// Starts it for this process; one at a time, until ``stop()``.
    func start() throws(AccelerationError) {
        try isStarted.withLock { isStarted throws(AccelerationError) in
            if isStarted { throw .unavailable("it is already used in this process") }
            // What it opens, it leaves open for programs that are executed later.
            let before = Self.openDescriptors()
            let status = unsafe functions.pointee.start("SSL")
            for number in Self.openDescriptors().subtracting(before) {
                _ = fcntl(number, F_SETFD, FD_CLOEXEC)
            }
            guard status == QAT_SUCCESS else {
                throw .unavailable(
                    "icp_sal_userStart failed (\(status)): perhaps other processes use all of"
                        + " it; see POLICY in /etc/sysconfig/qat"
                )
            }
            isStarted = true
        }
    }

    /// Ends the start, and unmaps all memory of the device.
    func stop() {
        isStarted.withLock { isStarted in
            precondition(isStarted, "stopped, but not started")
            unsafe _ = functions.pointee.stop()
            isStarted = false
        }
    }

    private static func openDescriptors() -> Set<Int32> {
        let names = (try? HostRoot().names("proc/self/fd")) ?? []
        // Those that listing them took are closed by now.
        return Set(names.compactMap { Int32($0) }.filter { fcntl($0, F_GETFD) >= 0 })
    }

    /// The instances of one service.
    func instances(_ service: QATService) -> [qat_instance] {
        var count: UInt16 = 0
        let counted =
            service == .compression
            ? unsafe functions.pointee.dc_count(&count)
            : unsafe functions.pointee.count(service.rawValue, &count)
        guard counted == QAT_SUCCESS, count > 0 else { return unsafe [] }
        var handles = unsafe [qat_instance?](repeating: nil, count: Int(count))
        let given =
            service == .compression
            ? unsafe functions.pointee.dc_instances(count, &handles)
            : unsafe functions.pointee.instances(service.rawValue, count, &handles)
        return unsafe given == QAT_SUCCESS ? handles.compactMap { unsafe $0 } : []
    }
}

/// What an instance does, by its number in `CpaAccelerationServiceType`.
enum QATService: UInt32, Sendable, CaseIterable {
    case compression = 1
    case encryption = 6
}
