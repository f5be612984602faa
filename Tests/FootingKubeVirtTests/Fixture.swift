import FootingSystem
import FootingTestSupport

@testable import FootingKubeVirt

/// Domains and manifests in `Fixtures`, written for these tests.
enum Fixture {
    static let domains = ["plain", "large", "one-line", "odd", "plugged"]

    private static var folder: String {
        let path = #filePath
        return String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]) + "/Fixtures"
    }

    static func domain(_ name: String) throws -> [UInt8] {
        try HostRoot(path: folder).bytes("\(name).xml")
    }
}

/// A clock that stands still, at 2026-11-21T15:35:07Z.
struct FixedClock: TimeSource {
    var nanoseconds: UInt64 { 0 }
    var unixSeconds: UInt64 { 1_795_275_307 }
}

/// A machine made of files.
final class FakeMachine {
    private let directory: TemporaryDirectory
    let root: HostRoot

    /// - Parameters:
    ///   - devices: names below `/dev`.
    ///   - misc: the text of `/proc/misc`.
    init(devices: [String] = [], misc: String? = nil, nodes: String? = nil) throws {
        directory = try TemporaryDirectory()
        try directory.directory("dev")
        for device in devices { try directory.file("dev/\(device)", "") }
        if let misc {
            try directory.directory("proc")
            try directory.file("proc/misc", misc)
        }
        if let nodes {
            for path in ["sys", "sys/devices", "sys/devices/system", "sys/devices/system/node"] {
                try directory.directory(path)
            }
            try directory.file("sys/devices/system/node/online", nodes)
        }
        root = try HostRoot(path: directory.path)
    }

    /// A link that leads to itself: not absent, and cannot be looked at either.
    func loop(_ device: String) throws {
        try directory.link("dev/\(device)", to: device)
    }

    func folder(_ path: String) throws { try directory.directory(path) }
}

extension [UInt8] {
    init(_ text: String) { self = Array(text.utf8) }

    var text: String { String(decoding: self, as: UTF8.self) }
}
