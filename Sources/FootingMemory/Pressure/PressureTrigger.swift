internal import CFooting
internal import FootingSystem

/// Asks the kernel to tell when tasks wait for memory (`Documentation/accounting/psi.rst`).
enum PressureTrigger {
    /// Why something cannot be waited for.
    struct Refusal: Error {
        let reason: String
        init(_ reason: String) { self.reason = reason }
    }

    /// A stall within a window, both in microseconds.
    struct Choice: Sendable {
        let stall: Int
        let window: Int
    }

    /// One thing to be told of, and how, the best first.
    struct Trigger: Sendable {
        let kind: String
        let choices: [Choice]
    }

    /// The first choice that the kernel takes counts: since 6.1 it wants windows that are multiples
    /// of two seconds from everybody without `CAP_SYS_RESOURCE`.
    static let table: [Trigger] = [
        Trigger(
            kind: "some",
            choices: [
                Choice(stall: 70_000, window: 1_000_000),
                Choice(stall: 140_000, window: 2_000_000),
            ]
        ),
        Trigger(
            kind: "full",
            choices: [
                Choice(stall: 40_000, window: 1_000_000),
                Choice(stall: 80_000, window: 2_000_000),
            ]
        ),
    ]

    /// Sets a trigger.
    ///
    /// - Returns: the open file, to be polled for POLLPRI, and what was asked for.
    static func open(
        _ path: String,
        _ trigger: Trigger,
        _ root: HostRoot
    ) throws(Refusal) -> (owner: WaitedFile.Owner, note: String) {
        guard root.isLive else { throw Refusal("a recorded machine tells of nothing new") }
        var last = Errno.notSupported
        for choice in trigger.choices {
            do throws(Errno) {
                let file = try root.open(path, [.readWrite, .nonBlocking])
                // The kernel makes the last byte a NUL, whatever it is.
                try file.write("\(trigger.kind) \(choice.stall) \(choice.window)\0")
                let milliseconds = "\(choice.stall / 1000) ms in \(choice.window / 1000) ms"
                return (WaitedFile.Owner(file), "waits for a stall of \(milliseconds)")
            } catch {
                last = error
            }
        }
        throw Refusal(reason(path, last))
    }

    /// Why a file of the kernel cannot be used, for people.
    static func reason(_ path: String, _ error: Errno) -> String {
        switch error {
        case .noSuchFile: "\(path) is not there"
        case .permissionDenied, .notPermitted: "\(path) may not be used by this user"
        case .readOnlyFileSystem: "\(path) is mounted read-only"
        case .notSupported: "the kernel keeps no pressure figures (psi=1 on its command line)"
        default: "\(path): \(error)"
        }
    }
}

/// Asks version 1 of control groups to tell of pressure (`cgroup-v1/memory.rst`, section 11).
enum OldGroupNotice {
    /// The levels that matter: `low` only says that cached files are reclaimed.
    static let levels: [(name: String, event: PressureEvents)] = [
        ("medium", .groupMedium), ("critical", .groupCritical),
    ]

    /// Registers an eventfd for a level.
    static func open(
        _ folder: String,
        level: String,
        _ root: HostRoot
    ) throws(PressureTrigger.Refusal) -> WaitedFile.Owner {
        guard root.isLive else {
            throw PressureTrigger.Refusal("a recorded machine tells of nothing new")
        }
        let number = footing_event()
        guard number >= 0 else {
            throw PressureTrigger.Refusal("no eventfd: \(Errno(rawValue: -number))")
        }
        let counter = FileDescriptor(owning: number)
        do throws(Errno) {
            let pressure = try root.open("\(folder)/memory.pressure_level")
            let control = try root.open("\(folder)/cgroup.event_control", [.writeOnly])
            try control.write("\(counter.number) \(pressure.number) \(level)")
        } catch {
            throw PressureTrigger.Refusal(
                PressureTrigger.reason("\(folder)/memory.pressure_level", error)
            )
        }
        return WaitedFile.Owner(counter)
    }
}
