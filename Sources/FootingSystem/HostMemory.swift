/// What a root was told already: each question is put to the kernel once.
///
/// Detectors ask on their own for what several of them need, as the mount table or the driver of a
/// bus. It lives as long as one look at the machine, so that the next one sees what has changed.
final class HostMemory: Sendable {
    /// A file's bytes, and how many were asked for; no limit where it was read to its end.
    fileprivate struct Content {
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

    /// What is known of a path.
    struct Entry {
        fileprivate var content: Content?
        fileprivate var link: Result<String, Errno>?
        fileprivate var names: Result<[String], Errno>?
        fileprivate var isPresent: Bool?
        /// Where it leads if many paths begin with it; empty: it is no link.
        fileprivate var place: String?
    }

    private let state = Locked(PathTable())

    /// The content of a file, from memory or from `read`.
    ///
    /// - Parameter limit: the most that is asked for; nil: all.
    func content(
        _ path: String,
        limit: Int?,
        read: () throws(Errno) -> [UInt8]
    ) throws(Errno) -> [UInt8] {
        let at = state.withLock { $0.index(of: path) }
        if let known = state.withLock({ $0[at].content?.prefix(limit) }) { return try known.get() }
        let found = Self.result(read)
        state.withLock { $0[at].content = Content(bytes: found, limit: limit) }
        return try found.get()
    }

    /// The target of a link, from memory or from `read`.
    func link(_ path: String, read: () throws(Errno) -> String) throws(Errno) -> String {
        let at = state.withLock { $0.index(of: path) }
        if let known = state.withLock({ $0[at].link }) { return try known.get() }
        let found = Self.result(read)
        state.withLock { $0[at].link = found }
        return try found.get()
    }

    /// The names in a folder, from memory or from `read`.
    func names(_ path: String, read: () throws(Errno) -> [String]) throws(Errno) -> [String] {
        let at = state.withLock { $0.index(of: path) }
        if let known = state.withLock({ $0[at].names }) { return try known.get() }
        let found = Self.result(read)
        state.withLock { $0[at].names = found }
        return try found.get()
    }

    /// Whether there is something, from memory or from `look`.
    func presence(_ path: String, look: () -> Bool) -> Bool {
        let at = state.withLock { $0.index(of: path) }
        if let known = state.withLock({ $0[at].isPresent }) { return known }
        let found = look()
        state.withLock { $0[at].isPresent = found }
        return found
    }

    /// The path of a file of sysfs below `sys/devices`, which devices' links lead to.
    ///
    /// The same attribute is asked for through `sys/block`, `sys/class`, `sys/bus` and the `device`
    /// link of a class. Only these links are looked at, as any other would cost more than it saves.
    ///
    /// - Parameter link: the target of a link, if there is one.
    func key(_ path: String, link: (String) -> String?) -> String {
        guard let end = Self.classLink(in: path) else { return path }
        var key = path
        if end > 0 { key = replacing(end, in: path, link) }
        guard let end = Self.deviceLink(in: key) else { return key }
        return replacing(end, in: key, link)
    }

    /// Where the slash behind a link to a device is: 0 if there is none, nil outside of sysfs.
    private static func classLink(in path: String) -> Int? {
        let bytes = path.utf8Span.span
        func begins(_ head: String) -> Bool { bytes.holds(head.utf8Span.span, at: 0) }
        guard begins("sys/") else { return nil }
        let depth = begins("sys/block/") ? 3 : begins("sys/class/") ? 4 : begins("sys/bus/") ? 5 : 0
        return depth == 0 ? 0 : end(ofComponent: depth, in: bytes) ?? 0
    }

    /// Where the slash behind the first components is; nil if nothing follows them.
    private static func end(ofComponent count: Int, in path: borrowing Span<UInt8>) -> Int? {
        var slash = -1
        for _ in 0..<count {
            guard let next = path.offset(of: UInt8(ascii: "/"), from: slash + 1) else { return nil }
            slash = next
        }
        return slash
    }

    /// Where the slash behind a component `device` is, if there is one.
    private static func deviceLink(in path: String) -> Int? {
        let name = "/device/"
        return path.utf8Span.span.offset(of: name.utf8Span.span).map { $0 + name.utf8.count - 1 }
    }

    private func replacing(_ end: Int, in path: String, _ link: (String) -> String?) -> String {
        let slash = path.utf8.index(path.startIndex, offsetBy: end)
        let head = String(path[..<slash])
        let at = state.withLock { $0.index(of: head) }
        let place: String
        if let known = state.withLock({ $0[at].place }) {
            place = known
        } else {
            place = Self.place(head, link)
            state.withLock { $0[at].place = place }
        }
        return place.isEmpty ? path : place + String(path[slash...])
    }

    private static func place(_ head: String, _ link: (String) -> String?) -> String {
        guard let target = link(head) else { return "" }
        let slash = UInt8(ascii: "/")
        let bytes = target.utf8Span.span
        var place = Array(head.utf8)
        func ascend() {
            while let last = place.popLast(), last != slash {}
        }
        if bytes.count > 0, bytes[0] == slash { place = [] } else { ascend() }
        var start = 0
        while start < bytes.count {
            let end = bytes.offset(of: slash, from: start) ?? bytes.count
            let dots = bytes[start] == UInt8(ascii: ".") ? end - start : 0
            if dots == 2, bytes[start + 1] == UInt8(ascii: ".") {
                ascend()
            } else if end > start, dots != 1 {
                if !place.isEmpty { place.append(slash) }
                for at in start..<end { place.append(bytes[at]) }
            }
            start = end + 1
        }
        return String(decoding: place, as: UTF8.self)
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
