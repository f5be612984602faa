internal import CFooting
import Glibc

extension HostRoot {
    /// No sysfs attribute is larger than a page.
    public static let attributeSizeLimitBytes = 4096

    /// The text of a sysfs attribute without white space or NULs at either end.
    ///
    /// One read, as the kernel hands an attribute out in one piece, and no memory from the heap but
    /// the text's own: a probe reads hundreds of these.
    ///
    /// - Throws: `EOVERFLOW` above ``attributeSizeLimitBytes``: then it is no attribute.
    public func attribute(_ path: String) throws(Errno) -> String {
        try read(path, limitBytes: Self.attributeSizeLimitBytes, isCut: false)
    }

    /// The first bytes of a text file, as many as one read gives.
    ///
    /// For files such as `/proc/cpuinfo`, where the first record tells all that is asked and the
    /// rest grows with the machine. White space at either end is left out.
    public func beginning(
        _ path: String,
        limitBytes: Int = attributeSizeLimitBytes
    ) throws(Errno) -> String {
        try read(path, limitBytes: limitBytes, isCut: true)
    }

    private func read(
        _ path: String,
        limitBytes: Int,
        isCut: Bool
    ) throws(Errno) -> String {
        guard isPlain else {
            let content = try firstBytes(path, count: isCut ? limitBytes : limitBytes + 1)
            guard content.count <= limitBytes else { throw .tooLarge }
            return Self.trimmed(content)
        }
        var result: Result<String, Errno> = .failure(.tooLarge)
        unsafe withUnsafeTemporaryAllocation(byteCount: limitBytes + 1, alignment: 1) { buffer in
            let count = unsafe footing_read_beneath(
                directory,
                relative(path),
                isLive ? 0 : 1,
                buffer.baseAddress,
                isCut ? limitBytes : limitBytes + 1
            )
            if count < 0 {
                result = .failure(Errno(rawValue: Int32(-count)))
            } else if count <= limitBytes {
                let isSpace: (UInt8) -> Bool = { $0 == 0 || $0 == 32 || (9...13).contains($0) }
                var start = 0
                var end = count
                while start < end, unsafe isSpace(buffer[start]) { start += 1 }
                while start < end, unsafe isSpace(buffer[end - 1]) { end -= 1 }
                unsafe result = .success(String(decoding: buffer[start..<end], as: UTF8.self))
            }
        }
        return try result.get()
    }

    /// The names in a directory, sorted, where they fit into a small buffer.
    func fewNames(_ path: String) throws(Errno) -> [String] {
        var result: Result<[String], Errno> = .success([])
        unsafe withUnsafeTemporaryAllocation(byteCount: 16384, alignment: 1) { buffer in
            let count = unsafe footing_names_beneath(
                directory,
                relative(path),
                isLive ? 0 : 1,
                buffer.baseAddress?.assumingMemoryBound(to: CChar.self),
                buffer.count
            )
            guard count >= 0 else {
                result = .failure(Errno(rawValue: Int32(-count)))
                return
            }
            var names: [String] = []
            var start = 0
            for at in 0..<count where unsafe buffer[at] == 0 {
                unsafe names.append(String(decoding: buffer[start..<at], as: UTF8.self))
                start = at + 1
            }
            names.sort()
            result = .success(names)
        }
        return try result.get()
    }

    /// The first bytes of a binary file, as many as one read gives.
    public func firstBytes(_ path: String, count limit: Int) throws(Errno) -> [UInt8] {
        if let recording { return Array(try recording.bytes(prefix + path).prefix(limit)) }
        guard let memory else {
            return try noted(path) { () throws(Errno) in try readOnce(path, limit) }
        }
        return try memory.content(key(path, memory), limit: limit) { () throws(Errno) in
            try noted(path) { () throws(Errno) in try readOnce(path, limit) }
        }
    }

    private func readOnce(_ path: String, _ limit: Int) throws(Errno) -> [UInt8] {
        // Opened before there is memory for it: on most machines most files are missing.
        let file = try open(path, [.readOnly, .nonBlocking, .noTerminal])
        var result: Result<[UInt8], Errno> = .success([])
        unsafe withUnsafeTemporaryAllocation(byteCount: limit, alignment: 1) { buffer in
            do throws(Errno) {
                let count = try unsafe file.read(into: buffer)
                // Copied, as most are far shorter than the buffer and some are kept.
                unsafe result = .success([UInt8](buffer[..<count]))
            } catch {
                result = .failure(error)
            }
        }
        return try result.get()
    }

    /// A folder of this root, as a root of its own.
    ///
    /// Attributes of one folder are then read without walking the path to it each time, which is
    /// half of what a read takes. It belongs to the same machine.
    public func folder(_ path: String) throws(Errno) -> HostRoot {
        if let recording {
            guard try recording.node(prefix + path).node == .folder else { throw .notDirectory }
            return HostRoot(path, of: self, directory: nil, memory: memory)
        }
        recorder?.note(statusOf: prefix + path, followsLink: true)
        let opened = try open(path, [.path, .directory])
        return HostRoot(path, of: self, directory: opened, memory: memory)
    }

    /// Something that is found out otherwise than by reading a small file whole.
    ///
    /// A recording keeps the answer, and not what it rests on: the bytes of a disk are nobody
    /// else's business.
    ///
    /// - Parameters:
    ///   - question: what is asked, as `signature dev/sda`: the same for the same question.
    ///   - find: looks, where the machine is there to be looked at.
    /// - Throws: what `find` throws; `ENOENT` for a recording in which this was not asked.
    public func answer(
        _ question: String,
        find: () throws(Errno) -> String
    ) throws(Errno) -> String {
        if let recording {
            guard let known = recording.answers[question] else { throw .noSuchFile }
            return try known.get()
        }
        let result: Result<String, Errno>
        do throws(Errno) {
            result = .success(try find())
        } catch {
            result = .failure(error)
        }
        recorder?.note(result, to: question)
        return try result.get()
    }

    /// What a path that a person named means on this machine: without links, from the root.
    ///
    /// For one that does not exist yet, the nearest folder above it that does. The links of a
    /// replayed tree are not the path's: there it is taken as it is, or as it was when the machine
    /// was recorded.
    public func resolved(_ path: String) -> String {
        let absolute = path.utf8.first == UInt8(ascii: "/") ? path : "/" + path
        let known = try? answer("path \(path)") { () throws(Errno) in
            isLive ? Self.real(path) : absolute
        }
        return known ?? absolute
    }

    /// A path of the live machine without links, or the nearest folder above it that exists.
    public static func real(_ path: String) -> String {
        var candidate = path
        while true {
            if let real = unsafe realpath(candidate.isEmpty ? "." : candidate, nil) {
                defer { unsafe free(real) }
                return unsafe String(cString: real)
            }
            guard !candidate.isEmpty, candidate != "/" else { return path }
            let slash = candidate.utf8.lastIndex(of: UInt8(ascii: "/"))
            let above = slash.map { String(candidate[..<$0]) } ?? ""
            candidate = above.isEmpty && slash != nil ? "/" : above
        }
    }
}
