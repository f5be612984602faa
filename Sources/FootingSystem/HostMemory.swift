/// What a root was told already: each question is put to the kernel once.
///
/// Detectors ask on their own for what several of them need, as the mount table or the driver of a
/// bus. It lives as long as one look at the machine, so that the next one sees what has changed.
final class HostMemory: Sendable {
    /// A file's bytes, and how many were asked for; no limit where it was read to its end.
    private struct Content {
        let bytes: Result<[UInt8], Errno>
        let limit: Int?

        /// The answer to a read of at most so many bytes, if this has it.
        ///
        /// What one read gave less than it was asked for, another would not give more of. Only a
        /// read to the end may: files of `/proc` come in pieces.
        func prefix(_ count: Int?) -> Result<[UInt8], Errno>? {
            switch (bytes, limit, count) {
            case (.failure(let error), let limit, nil):
                // A failure to read is one whatever was asked for.
                limit == nil || error != .tooLarge ? bytes : nil
            case (.failure, _, _), (_, nil, nil): bytes
            case (.success, .some, nil): nil
            case (.success(let known), nil, .some(let count)): .success(Array(known.prefix(count)))
            case (.success(let known), .some(let limit), .some(let count)):
                count <= limit || known.count < limit
                    ? .success(known.count <= count ? known : Array(known.prefix(count))) : nil
            }
        }
    }

    private struct State {
        var contents: [String: Content] = [:]
        var links: [String: Result<String, Errno>] = [:]
        var names: [String: Result<[String], Errno>] = [:]
        var presence: [String: Bool] = [:]
        /// Where links lead that many paths begin with; empty: there is no link.
        var places: [String: String] = [:]
    }

    private let state = Locked(State())

    /// The content of a file, from memory or from `read`.
    ///
    /// - Parameter limit: the most that is asked for; nil: all.
    func content(
        _ path: String,
        limit: Int?,
        read: () throws(Errno) -> [UInt8]
    ) throws(Errno) -> [UInt8] {
        if let known = state.withLock({ $0.contents[path]?.prefix(limit) }) {
            return try known.get()
        }
        let found = Self.result(read)
        state.withLock { $0.contents[path] = Content(bytes: found, limit: limit) }
        return try found.get()
    }

    /// The target of a link, from memory or from `read`.
    func link(_ path: String, read: () throws(Errno) -> String) throws(Errno) -> String {
        if let known = state.withLock({ $0.links[path] }) { return try known.get() }
        let found = Self.result(read)
        state.withLock { $0.links[path] = found }
        return try found.get()
    }

    /// The names in a folder, from memory or from `read`.
    func names(_ path: String, read: () throws(Errno) -> [String]) throws(Errno) -> [String] {
        if let known = state.withLock({ $0.names[path] }) { return try known.get() }
        let found = Self.result(read)
        state.withLock { $0.names[path] = found }
        return try found.get()
    }

    /// Whether there is something, from memory or from `look`.
    func presence(_ path: String, look: () -> Bool) -> Bool {
        if let known = state.withLock({ $0.presence[path] }) { return known }
        let found = look()
        state.withLock { $0.presence[path] = found }
        return found
    }

    /// The path of a file of sysfs below `sys/devices`, which devices' links lead to.
    ///
    /// The same attribute is asked for through `sys/block`, `sys/class`, `sys/bus` and the `device`
    /// link of a class. Only these links are looked at, as any other would cost more than it saves.
    ///
    /// - Parameter link: the target of a link, if there is one.
    func key(_ path: String, link: (String) -> String?) -> String {
        guard path.utf8.starts(with: "sys/".utf8) else { return path }
        var key = path
        let depth =
            path.utf8.starts(with: "sys/block/".utf8)
            ? 3
            : path.utf8.starts(with: "sys/class/".utf8)
                ? 4 : path.utf8.starts(with: "sys/bus/".utf8) ? 5 : 0
        if depth > 0, let end = Self.end(ofComponent: depth, in: path) {
            key = replacing(end, in: path, link)
        }
        guard let end = Self.deviceLink(in: key) else { return key }
        return replacing(end, in: key, link)
    }

    /// The slash behind the first components; nil if nothing follows them.
    private static func end(ofComponent count: Int, in path: String) -> String.Index? {
        var left = count
        for at in path.utf8.indices where path.utf8[at] == UInt8(ascii: "/") {
            left -= 1
            if left == 0 { return at }
        }
        return nil
    }

    /// The slash behind a component `device`, if there is one.
    private static func deviceLink(in path: String) -> String.Index? {
        let name = "/device/".utf8
        var rest = path.utf8[...]
        while let slash = rest.firstIndex(of: UInt8(ascii: "/")) {
            if rest[slash...].starts(with: name) {
                return rest.index(slash, offsetBy: name.count - 1)
            }
            rest = rest[rest.index(after: slash)...]
        }
        return nil
    }

    private func replacing(
        _ end: String.Index,
        in path: String,
        _ link: (String) -> String?
    ) -> String {
        let head = String(path[..<end])
        let place: String
        if let known = state.withLock({ $0.places[head] }) {
            place = known
        } else {
            place = Self.place(head, link)
            state.withLock { $0.places[head] = place }
        }
        return place.isEmpty ? path : place + path[end...]
    }

    private static func place(_ head: String, _ link: (String) -> String?) -> String {
        guard let target = link(head) else { return "" }
        var parts = target.utf8.first == 47 ? [] : Array(PathWalk.components(head).dropLast())
        for part in PathWalk.components(target) {
            if part == ".." { _ = parts.popLast() } else if part != "." { parts.append(part) }
        }
        return parts.joined(separator: "/")
    }

    private static func result<Value>(
        _ read: () throws(Errno) -> Value
    ) -> Result<Value, Errno> {
        do throws(Errno) {
            return .success(try read())
        } catch {
            return .failure(error)
        }
    }
}
