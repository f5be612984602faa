internal import FootingAcceleration
internal import FootingSystem

/// What a command line says about Intel QAT.
enum QATOptions {
    static let use = Option<QATConfiguration.Use>(
        "qat",
        .choice(),
        default: .off,
        help: "What may go through Intel QAT, if it is there; experimental."
    )
    static let encrypts = Flag("qat-encryption", help: "Encryption too, not only compression.")

    /// QAT as it was asked for, with what stands in the way.
    struct Device {
        let use: QATConfiguration.Use
        let accelerator: QATAccelerator
        /// Why the twin, which could load the library, does not take over.
        let twinProblem: String?
        /// What is missing before the library is loaded, whether it was asked for or not.
        let missing: QATObstacle?

        /// One line for people.
        var text: String {
            if accelerator.isAvailable {
                let names = accelerator.operations.map(\.name).sorted()
                return "experimental: " + names.joined(separator: ", ")
            }
            if use == .off {
                return "not asked for; " + (missing?.text ?? "there is one, --qat all starts it")
            }
            return twinProblem ?? accelerator.obstacle?.text ?? "nothing is offered"
        }

        var json: JSONValue {
            let names = accelerator.operations.map(\.name).sorted()
            let obstacle = accelerator.obstacle.map { Self.json($0, twinProblem) } ?? .null
            return [
                "use": .string(use.rawValue),
                "isExperimental": true,
                "operations": .array(names.map { .string($0) }),
                "obstacle": obstacle,
                "missing": missing.map { Self.json($0, nil) } ?? .null,
            ]
        }

        private static func json(_ obstacle: QATObstacle, _ problem: String?) -> JSONValue {
            [
                "step": .string(obstacle.step.rawValue),
                "problem": .string(problem ?? obstacle.problem),
                "remedy": .string(obstacle.remedy),
            ]
        }
    }

    /// Looks for it; the process may go on as its twin, so nothing else may be done before.
    static func device(
        _ input: Invocation,
        root: HostRoot,
        software: any Accelerator
    ) -> Device {
        let configuration = QATConfiguration(use: input[use], encrypts: input[encrypts])
        var problem: String?
        do throws(AccelerationError) {
            try DynamicTwin.takeOver(root: root, configuration: configuration)
        } catch {
            problem = error.description
        }
        return Device(
            use: input[use],
            accelerator: QATAccelerator(configuration, root: root, software: software),
            twinProblem: problem,
            missing: QATObstacle.first(
                root: root,
                configuration: QATConfiguration(use: .all, encrypts: input[encrypts])
            )
        )
    }
}
