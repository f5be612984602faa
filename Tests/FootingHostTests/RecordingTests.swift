import FootingDeployment
@_spi(Testing) import FootingHost
import FootingSystem
import Testing

/// What a detect of a machine gives, live and from its recording.
struct Replay {
    let live: JSONValue
    let replayed: JSONValue
    let recording: MachineRecording
    let counts: [HostRecorder.Question: Int]

    init(_ path: String, asking file: String? = nil) throws {
        let recorder = try HostRecorder(path: path)
        let root = try recorder.root()
        live = Self.document(root, file)
        counts = recorder.counts
        recording = try MachineRecording(recorder, path: file, program: "test")
        let machine = try MachineRecording.machine(in: recording.bytes, path: path)
        replayed = Self.document(machine.root, machine.path)
    }

    /// Where the replay differs from what it should be, stand-ins taken for their secrets.
    var differences: [String] {
        // A kernel's release has the form of an address here, and is looked at as none.
        let expected = live.mapping { text in
            text.contains("-microsoft-standard") ? text : recording.standIn(for: text)
        }
        return expected.differences(from: replayed)
    }

    /// The report and the capabilities.
    private static func document(_ root: HostRoot, _ path: String?) -> JSONValue {
        let detection = Detection(root: root, path: path)
        let registry = CapabilityRegistry.gather(root: root, report: detection.report)
        return ["report": detection.json(), "capabilities": .array(registry.all.map(\.json))]
    }
}

@Suite struct RecordingTests {
    @Test(arguments: MachineFixture.several)
    func `a recording gives the machine's own report`(_ fixture: MachineFixture) throws {
        try fixture.withRoot { root in
            let replay = try Replay(root.path, asking: "/var/lib/disk.img")
            #expect(replay.recording.bytes.count < 64 << 10)
            #expect(replay.recording.omitted.isEmpty)
            #expect(replay.differences == [])
        }
    }

    @Test(arguments: MachineFixture.several)
    func `nothing is read twice`(_ fixture: MachineFixture) throws {
        try fixture.withRoot { root in
            let replay = try Replay(root.path, asking: "/var/lib/disk.img")
            let repeated = replay.counts.filter { $0.value > 1 }
                .map { "\($0.key.access) \($0.key.path): \($0.value)" }.sorted()
            #expect(repeated == [])
        }
    }

    @Test func `nothing of the running machine is read twice`() throws {
        let repeated = try Replay("/", asking: "/").counts.filter { $0.value > 1 }
            .map { "\($0.key.access) \($0.key.path): \($0.value)" }.sorted()
        #expect(repeated == [])
    }
}

extension JSONValue {
    /// The document with other texts.
    fileprivate func mapping(_ transform: (String) -> String) -> JSONValue {
        switch self {
        case .string(let text): .string(transform(text))
        case .array(let values):
            .array(values.map { $0.mapping(transform) })
        case .object(let members): .object(members.mapValues { $0.mapping(transform) })
        default: self
        }
    }

    /// Where two documents differ, as `path: one, other`.
    fileprivate func differences(from other: JSONValue, at path: String = "") -> [String] {
        switch (self, other) {
        case (.object(let mine), .object(let theirs)):
            return Set(mine.keys).union(theirs.keys).sorted().flatMap { key in
                (mine[key] ?? .null).differences(from: theirs[key] ?? .null, at: "\(path).\(key)")
            }
        case (.array(let mine), .array(let theirs)) where mine.count == theirs.count:
            return zip(mine, theirs).enumerated().flatMap { index, pair in
                pair.0.differences(from: pair.1, at: "\(path)[\(index)]")
            }
        default:
            return self == other ? [] : ["\(path): \(text()), \(other.text())"]
        }
    }
}
