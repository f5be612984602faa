internal import FootingHost
internal import FootingSystem

/// Opens the sources of pressure, and writes down which are there and which are not.
struct PressureOpening {
    private static let machinePath = "proc/pressure/memory"
    private static let offReason = "the service manager turned the watching of pressure off"
    /// Groups whose events are waited for, from the own one upwards.
    private static let groupsMaximum = 8

    private let root: HostRoot
    private(set) var waited: [WaitedFile] = []
    private(set) var sources: [PressureSource] = []
    private(set) var buffer: [UInt8] = []
    private var memory: MemoryInfoFile?
    private var balloon: Fact<BalloonDriver> = .absent("it was not looked for")
    private var limits: GroupLimits?
    private var machine: (file: SampledFile?, isWaited: Bool) = (nil, false)
    private var group: (file: SampledFile?, isWaited: Bool) = (nil, false)

    init(_ root: HostRoot) {
        self.root = root
    }

    var sampler: PressureSampler {
        PressureSampler(
            memory: memory,
            balloon: balloon,
            groups: limits,
            machine: machine,
            group: group
        )
    }

    mutating func open(groups: Fact<MemoryGroups>, serviceManager: ServiceManagerPressure) {
        openMemory()
        openServiceManager(serviceManager)
        machine = openStalls(
            Self.machinePath,
            [.machineStall, .machineFullStall],
            isOff: serviceManager.isOff
        )
        switch groups {
        case .absent(let reason):
            sources.append(PressureSource("control groups", .absent, reason))
        case .known(let groups):
            if let folder = groups.pressureFolder {
                group = openStalls(
                    "\(folder)/memory.pressure",
                    [.groupStall, .groupFullStall],
                    isOff: serviceManager.isOff
                )
            }
            openLimits(groups)
        }
    }

    private mutating func openMemory() {
        do throws(Errno) {
            memory = try MemoryInfoFile(root)
            sources.append(
                PressureSource("proc/meminfo", .sampled, "nothing tells when it changes")
            )
        } catch {
            sources.append(
                PressureSource(
                    "proc/meminfo",
                    .absent,
                    PressureTrigger.reason("proc/meminfo", error)
                )
            )
        }
        balloon = BalloonDriver.find(root)
        switch balloon {
        case .absent(let reason): sources.append(PressureSource("balloon", .absent, reason))
        case .known(let driver):
            let note = "\(driver.balloon.kind): nothing tells when it moves"
            sources.append(PressureSource("balloon", .sampled, note))
            sources.append(PressureSource(target: driver.targetSource))
        }
    }

    private mutating func openServiceManager(_ manager: ServiceManagerPressure) {
        let name = "$MEMORY_PRESSURE_WATCH"
        do throws(PressureTrigger.Refusal) {
            if let (owner, kind) = try manager.open(root) {
                waited.append(WaitedFile(name, kind, owner))
                sources.append(PressureSource(name, .waited, manager.watch ?? ""))
            } else {
                let reason = manager.isOff ? Self.offReason : "it is not set"
                sources.append(PressureSource(name, .absent, reason))
            }
        } catch {
            sources.append(PressureSource(name, .absent, error.reason))
        }
    }

    /// Triggers of one PSI file, and the file itself for its averages.
    private mutating func openStalls(
        _ path: String,
        _ events: [PressureEvents],
        isOff: Bool
    ) -> (file: SampledFile?, isWaited: Bool) {
        if isOff {
            sources.append(PressureSource(path, .absent, Self.offReason))
            return (nil, false)
        }
        let file: SampledFile
        do throws(Errno) {
            file = try SampledFile(path, root)
            _ = try file.read(into: &buffer)
        } catch {
            sources.append(
                PressureSource(path, .absent, PressureTrigger.reason(path, error))
            )
            return (nil, false)
        }
        var isWaited = true
        for (trigger, event) in zip(PressureTrigger.table, events) {
            let name = "\(path) \(trigger.kind)"
            do throws(PressureTrigger.Refusal) {
                let (owner, note) = try PressureTrigger.open(path, trigger, root)
                waited.append(WaitedFile(name, .trigger(event), owner))
                sources.append(PressureSource(name, .waited, note))
            } catch {
                isWaited = false
                sources.append(PressureSource(name, .sampled, error.reason))
            }
        }
        return (file, isWaited)
    }

    private mutating func openLimits(_ groups: MemoryGroups) {
        var limits = GroupLimits(groups, root)
        limits.refresh(&buffer)
        guard let own = limits.paths.first else {
            let reason = "no group of this process can have a limit"
            sources.append(PressureSource("control group limits", .absent, reason))
            return
        }
        let limit = limits.tightestBytes.map { "the tightest is \(sizeText($0))" } ?? "none is set"
        sources.append(PressureSource("control group limits", .sampled, limit))
        if groups.version == .version2 {
            openEvents(own, "memory.events")
            for path in limits.paths.prefix(Self.groupsMaximum).dropFirst() {
                // What happens to a neighbour counts in every `memory.events` above it.
                openEvents(path, "memory.events.local")
            }
        } else {
            for (level, event) in OldGroupNotice.levels { openNotice(own, level, event) }
        }
        self.limits = limits
    }

    private mutating func openEvents(_ folder: String, _ name: String) {
        let path = "\(folder)/\(name)"
        do throws(Errno) {
            let file = try SampledFile(path, root)
            let counts = GroupEvents(file, &buffer)
            guard root.isLive else {
                let reason = "a recorded machine tells of nothing new"
                sources.append(PressureSource(path, .absent, reason))
                return
            }
            waited.append(WaitedFile(path, .groupEvents(counts), WaitedFile.Owner(file)))
            sources.append(PressureSource(path, .waited, "waits for a change"))
        } catch {
            sources.append(PressureSource(path, .absent, PressureTrigger.reason(path, error)))
        }
    }

    private mutating func openNotice(_ folder: String, _ level: String, _ event: PressureEvents) {
        let name = "\(folder)/memory.pressure_level \(level)"
        do throws(PressureTrigger.Refusal) {
            let owner = try OldGroupNotice.open(folder, level: level, root)
            waited.append(WaitedFile(name, .counter(event), owner))
            sources.append(PressureSource(name, .waited, "waits for the level"))
        } catch {
            sources.append(PressureSource(name, .absent, error.reason))
        }
    }
}
