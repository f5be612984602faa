internal import CFooting
internal import FootingSystem

/// What systemd tells a service to listen to (its document `MEMORY_PRESSURE.md`).
public struct ServiceManagerPressure: Sendable, Equatable {
    /// The path to watch; `/dev/null` turns the watching off; nil where nothing is said.
    public var watch: String?
    /// What to write there first, in base 64.
    public var write: String?

    /// What a service manager says.
    public init(watch: String? = nil, write: String? = nil) {
        self.watch = watch
        self.write = write
    }

    /// What this process was told: `$MEMORY_PRESSURE_WATCH` and `$MEMORY_PRESSURE_WRITE`.
    public static func inherited() -> ServiceManagerPressure {
        func variable(_ name: String) -> String? {
            unsafe footing_environment(name).map { unsafe String(cString: $0) }
        }
        return ServiceManagerPressure(
            watch: variable("MEMORY_PRESSURE_WATCH"),
            write: variable("MEMORY_PRESSURE_WRITE")
        )
    }

    /// Whether pressure is not to be watched at all.
    var isOff: Bool { watch == "/dev/null" }

    /// Opens what is to be watched.
    ///
    /// - Returns: nil where nothing is said, or the watching is off.
    func open(
        _ root: HostRoot
    ) throws(PressureTrigger.Refusal) -> (owner: WaitedFile.Owner, kind: WaitedFile.Kind)? {
        guard let watch, !watch.isEmpty, !isOff else { return nil }
        guard root.isLive else {
            throw PressureTrigger.Refusal("a recorded machine has no service manager")
        }
        guard watch.utf8.first == UInt8(ascii: "/"), watch.utf8.count < 4096 else {
            throw PressureTrigger.Refusal("$MEMORY_PRESSURE_WATCH is no absolute path")
        }
        guard let first = write.map({ Base64.bytes($0) }) ?? [] else {
            throw PressureTrigger.Refusal("$MEMORY_PRESSURE_WRITE is not in base 64")
        }
        do throws(Errno) {
            return try open(watch, first, root)
        } catch {
            throw PressureTrigger.Refusal(PressureTrigger.reason(watch, error))
        }
    }

    private func open(
        _ path: String,
        _ first: [UInt8],
        _ root: HostRoot
    ) throws(Errno) -> (owner: WaitedFile.Owner, kind: WaitedFile.Kind) {
        switch try root.status(path).kind {
        case .socket:
            let socket = try Socket.connect(unixPath: path)
            try Self.send(first, to: socket)
            try socket.setNonBlocking(true)
            return (WaitedFile.Owner(socket), .stream(.serviceManager))
        case .pipe:
            // Read and write: a FIFO that has a writer does not end.
            let file = try root.open(path, [.readWrite, .nonBlocking])
            try file.write(String(decoding: first, as: UTF8.self))
            return (WaitedFile.Owner(file), .stream(.serviceManager))
        case .regular:
            let file = try root.open(path, [.readWrite, .nonBlocking])
            // Only the kernel's own files tell of pressure; into others nothing is to be written.
            guard Self.kernels.contains(try file.fileSystem().magic) else { throw .invalidArgument }
            try file.write(String(decoding: first, as: UTF8.self))
            return (WaitedFile.Owner(file), .trigger(.serviceManager))
        case .blockDevice, .directory, .symbolicLink, .other: throw .noDevice
        }
    }

    /// `proc` and `cgroup2` of `include/uapi/linux/magic.h`.
    private static let kernels: [Int64] = [0x9fa0, 0x6367_7270]

    /// Without the signal that a write to a peer that is gone would raise.
    private static func send(
        _ bytes: [UInt8],
        to socket: borrowing FileDescriptor
    ) throws(Errno) {
        if bytes.isEmpty { return }
        let result: Result<Int, Errno> = unsafe bytes.withUnsafeBytes { buffer in
            do throws(Errno) {
                return .success(try unsafe socket.send(buffer, waits: false))
            } catch {
                return .failure(error)
            }
        }
        guard try result.get() == bytes.count else { throw .again }
    }
}

/// RFC 4648, section 4.
enum Base64 {
    /// The bytes; nil if the text is no base 64, or longer than anybody has to write.
    static func bytes(_ text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count % 4 == 0, digits.count <= 8192 else { return nil }
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: digits.count, by: 4) {
            let group = digits[start..<start + 4]
            let padding = group.reversed().prefix { $0 == UInt8(ascii: "=") }.count
            guard padding == 0 || (padding <= 2 && start + 4 == digits.count) else { return nil }
            var word: UInt32 = 0
            for digit in group.dropLast(padding) {
                guard let value = value(digit) else { return nil }
                word = word << 6 | value
            }
            word <<= UInt32(6 * padding)
            for index in 0..<3 - padding {
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(16 - 8 * index)))
            }
        }
        return bytes
    }

    private static func value(_ digit: UInt8) -> UInt32? {
        switch digit {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(digit) - 65
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(digit) - 71
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(digit) + 4
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
