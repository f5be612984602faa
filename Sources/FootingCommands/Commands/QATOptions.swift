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

        /// One line for people.
        var text: String {
            if accelerator.isAvailable {
                let names = accelerator.operations.map(\.name).sorted()
                return "experimental: " + names.joined(separator: ", ")
            }
            if use == .off { return "not asked for" }
            return twinProblem ?? accelerator.obstacle?.text ?? "nothing is offered"
        }

        var json: JSONValue {
            let names = accelerator.operations.map(\.name).sorted()
            var obstacle = JSONValue.null
            if let found = accelerator.obstacle {
                obstacle = [
                    "step": .string(found.step.rawValue),
                    "problem": .string(twinProblem ?? found.problem),
                    "remedy": .string(found.remedy),
                ]
            }
            return [
                "use": .string(use.rawValue),
                "isExperimental": true,
                "operations": .array(names.map { .string($0) }),
                "obstacle": obstacle,
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
            twinProblem: problem
        )
    }
}
