internal import FootingSystem

extension BlockDevice {
    /// What one device stands on.
    struct Stack {
        let layer: Fact<BlockLayer>
        let lower: [String]
        let disks: Fact<[String]>
        let paths: Fact<[String]>

        init(_ name: String, _ place: DevicePlace, _ survey: BlockSurvey) {
            guard place.isSoftware else {
                layer = .absent("not made of other devices")
                lower = []
                disks = .known([name])
                paths =
                    place.paths.count < 2
                    ? .absent("one way leads to it") : .known(place.paths)
                return
            }
            let made = BlockLayer(name, interface: place.interface, survey.root)
            layer = made.map { .known($0) } ?? .absent("the kernel does not tell")
            lower = survey.lower(name)
            var climber = DiskClimber(survey)
            climber.climb(name: name)
            let hardware = climber.disks.filter { !BlockInterface.isSoftware($0) }
            disks =
                hardware.isEmpty
                ? .absent("no device of this machine is below it") : .known(hardware)
            paths =
                made?.kind == "multipath" ? .known(lower) : .absent("no multipath device")
        }
    }

    /// Adds to each namespace what another one of its controller is used for: who takes the
    /// controller takes them all.
    static func addSiblings(_ devices: inout [BlockDevice], usage: () -> DeviceUsage) {
        let none = -1
        let controllers = devices.map { NVMeController.subsystem(ofNamespace: $0.name) ?? none }
        for index in devices.indices where controllers[index] != none {
            let own = controllers[index]
            for other in devices.indices where other != index && controllers[other] == own {
                guard let part = usage().systemDisks[devices[other].name] else { continue }
                devices[index].add(use: "\(devices[other].name) beside it holds \(part)")
            }
        }
    }
}
