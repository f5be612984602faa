import FootingSystem

/// The modules of a kernel package, and what each of them needs.
struct KernelModules {
    /// A module to load.
    struct Module {
        var name: String
        var path: String
        var parameters: String
    }

    private let folder: String
    private var files: [String: (path: Substring, needs: [String])] = [:]

    /// Reads the list that `Scripts/guests.sh` makes: `drivers/nvme/nvme.ko:depends=nvme-core`.
    init(_ kernel: Machine.Kernel) throws {
        folder = "\(GuestKit.folder)/\(kernel.rawValue)/modules"
        for line in try HostRoot(path: folder).text("depends").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { throw GuestError("\(folder)/depends: \(line)") }
            let file = parts[0].split(separator: "/").last ?? ""
            let needs = parts[1].dropFirst("depends=".count).split(separator: ",")
            files[Self.plain(file.dropLast(".ko".count))] = (parts[0], needs.map { Self.plain($0) })
        }
    }

    /// The kernel takes `-` and `_` for the same.
    private static func plain(_ name: Substring) -> String {
        String(name.map { $0 == "-" ? "_" : $0 })
    }

    /// The modules in an order in which they can be loaded, those that others need included.
    ///
    /// - Parameter wanted: names, with parameters after a space.
    func order(_ wanted: [String]) throws -> [Module] {
        var result: [Module] = []
        func add(_ name: String, _ parameters: String) throws {
            if result.contains(where: { $0.name == name }) { return }
            guard let file = files[name] else { throw GuestError("\(folder): no module \(name)") }
            for need in file.needs { try add(need, "") }
            result.append(
                Module(name: name, path: "\(folder)/\(file.path)", parameters: parameters)
            )
        }
        for text in wanted {
            let words = text.split(separator: " ", maxSplits: 1)
            try add(Self.plain(words[0]), words.count > 1 ? String(words[1]) : "")
        }
        return result
    }
}
