/// Who may import whom: the arrows of docs/ARCHITECTURE.md.
enum ImportRules {
    /// The modules below each module; one that is missing here may not exist.
    static let arrows: [String: Set<String>] = [
        "CFooting": [],
        "CZlib": [],
        "CLZ4": [],
        "CDeflate": [],
        "CCrypto": [],
        "FootingSystem": ["CFooting", "CZlib"],
        "FootingHost": ["FootingSystem", "CFooting"],
        "CQAT": [],
        "CFootingGCM": [],
        "FootingAcceleration": [
            "FootingHost", "FootingSystem", "CFooting", "CFootingGCM", "CLZ4", "CDeflate",
            "CCrypto", "CQAT",
        ],
        "FootingDisk": ["FootingAcceleration", "FootingSystem", "CFooting"],
        "FootingNBD": ["FootingDisk", "FootingSystem"],
        "FootingMemory": ["FootingHost", "FootingSystem", "CFooting"],
        "FootingDeployment": ["FootingHost", "FootingSystem"],
        "FootingTuning": [
            "FootingDeployment", "FootingDisk", "FootingHost", "FootingSystem",
        ],
        "FootingLifecycle": ["FootingSystem"],
        "FootingCommands": [
            "FootingLifecycle", "FootingTuning", "FootingDeployment", "FootingMemory",
            "FootingHost", "FootingNBD", "FootingDisk", "FootingAcceleration", "FootingSystem",
        ],
        "CNBDKit": [],
        "FootingNBDKit": [
            "FootingCommands", "FootingNBD", "FootingDisk", "FootingSystem", "CNBDKit",
        ],
        "CLibXML2": [],
        "CLibYAML": [],
        "CFootingXML": ["CLibXML2"],
        "FootingKubeVirt": ["FootingSystem", "CFootingXML", "CLibYAML"],
        "FootingKubeVirtCommands": ["FootingKubeVirt", "FootingCommands", "FootingSystem"],
        "footing": ["FootingCommands"],
        "footing-kubevirt": ["FootingKubeVirtCommands"],
    ]

    /// The only modules that may load Foundation: it costs start-up time and memory.
    static let foundationUsers: Set<String> = ["FootingCommands"]

    private static let system: Set<String> = ["Glibc", "Synchronization"]

    /// The problems of a file below `Sources/`.
    static func problems(_ path: String, _ text: String) -> [String] {
        let folders = path.split(separator: "/")
        guard path.hasSuffix(".swift"), folders.count > 2, folders[0] == "Sources" else {
            return []
        }
        let module = String(folders[1])
        guard let allowed = arrows[module] else {
            return ["\(path): the module \(module) has no arrows in ImportRules"]
        }
        return imports(in: text).compactMap { line, name in
            if name.hasPrefix("Foundation") && !foundationUsers.contains(module) {
                return "\(path):\(line): \(name) is not for \(module)"
            }
            let isOurs = arrows[name] != nil
            if isOurs ? allowed.contains(name) : isKnown(name) { return nil }
            return "\(path):\(line): \(module) may not import \(name)"
        }
    }

    private static func isKnown(_ name: String) -> Bool {
        system.contains(name) || name.hasPrefix("Foundation")
    }

    /// The line numbers and modules of `import` declarations.
    private static func imports(in text: String) -> [(line: Int, module: String)] {
        let code = String(decoding: SwiftText.blanked(text), as: UTF8.self)
        let lines = code.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.enumerated().compactMap { index, line in
            let words = line.split(separator: " ")
            guard let at = words.firstIndex(of: "import"), at + 1 < words.count else { return nil }
            let name = words[words.count - 1].split(separator: ".")[0]
            return (index + 1, String(name))
        }
    }
}
