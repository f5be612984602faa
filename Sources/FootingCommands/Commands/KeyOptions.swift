internal import FootingAcceleration
internal import FootingDisk
internal import FootingMemory
internal import FootingSystem

/// What opens an encrypted disk, as a command line says it: never the secret itself.
struct KeyOptions: Sendable {
    let passphraseFile: Option<String?>
    let keyFile: Option<String?>
    /// What the prompt calls it.
    private let name: String

    /// What opens the disk.
    static let current = KeyOptions(
        "passphrase",
        passphraseFile: Option(
            optional: "passphrase-file",
            .file,
            help: "File with the passphrase of an encrypted disk, which not everybody can read; a "
                + "line feed at its end is none."
        ),
        keyFile: Option(
            optional: "key-file",
            .file,
            help: "Key file of an encrypted disk, which not everybody can read: 32 bytes or more, "
                + "all of which count."
        )
    )

    /// What is to open it from now on.
    static let new = KeyOptions(
        "new passphrase",
        passphraseFile: Option(
            optional: "new-passphrase-file",
            .file,
            help: "File with the new passphrase."
        ),
        keyFile: Option(optional: "new-key-file", .file, help: "The new key file.")
    )

    private init(_ name: String, passphraseFile: Option<String?>, keyFile: Option<String?>) {
        self.name = name
        self.passphraseFile = passphraseFile
        self.keyFile = keyFile
    }

    var models: [ParameterModel] { [passphraseFile.model, keyFile.model] }

    /// Longest passphrase and key file.
    private static let passphraseBytesMax = 64 << 10
    private static let keyFileBytesMax = 1 << 20

    /// Whether one of the options is given.
    func isGiven(_ input: Invocation) -> Bool {
        input[passphraseFile] != nil || input[keyFile] != nil
    }

    /// The key that the options name; nil if they name none.
    func given(_ input: Invocation) throws(CommandError) -> DiskKey? {
        switch (input[passphraseFile], input[keyFile]) {
        case (.some, .some):
            throw CommandError(
                usage: "--\(passphraseFile.model.name) and --\(keyFile.model.name) exclude each "
                    + "other"
            )
        case (let path?, nil):
            let bytes = try Self.read(path, countMax: Self.passphraseBytesMax, isLine: true)
            return try Self.key(.passphrase, bytes, path)
        case (nil, let path?):
            let bytes = try Self.read(path, countMax: Self.keyFileBytesMax, isLine: false)
            return try Self.key(.keyFile, bytes, path)
        case (nil, nil): return nil
        }
    }

    /// What opens a disk: what the options name, or what the user types if it is encrypted; nil if
    /// nobody can be asked, or need be.
    static func forDisk(_ path: String, _ input: Invocation) throws(CommandError) -> DiskKey? {
        if let key = try current.given(input) { return hidden(key) }
        // Whatever is wrong with the disk, or with its slots, is said by who opens it.
        guard let information = try? DiskInformation(path: path), information.isEncrypted,
            information.keySlotsFailure == nil
        else { return nil }
        return try current.asked(isNew: false).map { hidden($0) }
    }

    /// Refuses a key for a disk that is not encrypted where whoever serves it needs none: nobody is
    /// to believe that it is.
    static func requireUse(_ path: String, _ input: Invocation) throws(CommandError) {
        guard current.isGiven(input), let information = try? DiskInformation(path: path),
            !information.isEncrypted
        else { return }
        throw CommandError(
            "cannot use a key for",
            path,
            "the disk is not encrypted: it is another disk than was meant, or somebody has "
                + "replaced it"
        )
    }

    /// How a disk is encrypted, or a slot made, that opens from now on.
    func forNew(
        _ input: Invocation,
        _ console: Console
    ) throws(CommandError) -> DiskEncryption {
        let new = Self.encryption(try newKey(input))
        if let weakness = new.weakness { console.remark(weakness) }
        return new
    }

    /// The same with a key that there is already.
    ///
    /// A guess of a passphrase costs as much memory as the machine can spare: what opens the disk
    /// later has to have it, too.
    static func encryption(_ key: DiskKey, _ room: MemoryRoom? = roomNow()) -> DiskEncryption {
        DiskEncryption(key: key, cost: .fitting(memoryBytes: (room?.availableBytes ?? .max) / 4))
    }

    /// What there is of memory; nil where nobody knows.
    private static func roomNow() -> MemoryRoom? {
        (try? HostRoot()).flatMap { MemoryRoom.look($0) }
    }

    private func newKey(_ input: Invocation) throws(CommandError) -> DiskKey {
        if let key = try given(input) { return Self.hidden(key) }
        if let key = try asked(isNew: true) { return Self.hidden(key) }
        throw CommandError(
            usage: "without a terminal, --\(passphraseFile.model.name) or "
                + "--\(keyFile.model.name) is needed"
        )
    }

    /// From here on the process holds keys: none of its memory belongs in a core dump.
    private static func hidden(_ key: DiskKey) -> DiskKey {
        // Where that is refused the keys' own pages are left out all the same.
        try? ProcessIdentity.hideMemory()
        return key
    }

    // MARK: - Reading

    /// Asks for a passphrase, twice for a new one; nil without a terminal.
    private func asked(isNew: Bool) throws(CommandError) -> DiskKey? {
        guard let first = try Self.line("\(name): ") else { return nil }
        if isNew {
            guard let second = try Self.line("\(name) once more: ") else { return nil }
            guard SecretBytes.areEqual(first, second) else {
                throw CommandError("the two passphrases differ")
            }
        }
        return try Self.key(.passphrase, first, "the terminal")
    }

    private static func line(_ prompt: String) throws(CommandError) -> SecretBytes? {
        do throws(Errno) {
            var memory = try SecretBytes(count: passphraseBytesMax)
            let count = try unsafe memory.withMutableBytes { (bytes) throws(Errno) in
                try unsafe SecretInput.read(prompt: prompt, into: bytes)
            }
            guard let count else { return nil }
            return try prefix(memory, count)
        } catch {
            throw CommandError("cannot read", "the passphrase", error)
        }
    }

    /// Why a file is refused that everybody on the machine can read or change.
    private static func refusal(_ status: FileStatus, _ path: String) -> CommandError? {
        let permissions = status.permissions
        // What comes from a pipe or a device has no mode of its own.
        if status.kind != .regular || permissions & 0o006 == 0 { return nil }
        return CommandError(
            "cannot use",
            path,
            "everybody can \(permissions & 0o002 == 0 ? "read" : "change") it "
                + "(mode \(String(permissions, radix: 8)))",
            remedy: "make it secret with 'chmod o-rw'; if others have read it, use another"
        )
    }

    /// Reads a file into memory that nobody sees.
    private static func read(
        _ path: String,
        countMax: Int,
        isLine: Bool
    ) throws(CommandError) -> SecretBytes {
        let failure: CommandError
        do throws(Errno) {
            let file = try FileDescriptor.open(path, .readOnly)
            guard let refusal = refusal(try file.status(), path) else {
                return try content(file, countMax: countMax, isLine: isLine)
            }
            failure = refusal
        } catch {
            failure = CommandError("cannot read", path, error)
        }
        throw failure
    }

    private static func content(
        _ file: borrowing FileDescriptor,
        countMax: Int,
        isLine: Bool
    ) throws(Errno) -> SecretBytes {
        // One byte more tells that it is too long.
        var memory = try SecretBytes(count: countMax + 1)
        var count = 0
        while count <= countMax {
            let got = try unsafe memory.withMutableBytes { (bytes) throws(Errno) in
                try unsafe file.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[count...]))
            }
            if got == 0 { break }
            count += got
        }
        if count > countMax { throw Errno.fileTooLarge }
        if isLine, count > 0, unsafe memory.withBytes({ unsafe $0[count - 1] }) == 0x0a {
            count -= 1
        }
        return try prefix(memory, count)
    }

    private static func prefix(
        _ memory: borrowing SecretBytes,
        _ count: Int
    ) throws(Errno) -> SecretBytes {
        try unsafe memory.withBytes { (bytes) throws(Errno) in
            try unsafe SecretBytes(copying: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        }
    }

    /// What a slot may ask for: not what the machine does not have, as the kernel would rather end
    /// the program than refuse it.
    static func limit(_ room: MemoryRoom? = roomNow()) -> ScryptLimit {
        guard let room else { return ScryptLimit() }
        let (sum, overflows) = room.availableBytes.addingReportingOverflow(room.swapBytes)
        return ScryptLimit().bounded(memoryBytes: overflows ? .max : sum)
    }

    private static func key(
        _ kind: Credential.Kind,
        _ bytes: consuming SecretBytes,
        _ source: String
    ) throws(CommandError) -> DiskKey {
        do throws(KeyError) {
            switch kind {
            case .passphrase: return DiskKey(try .passphrase(bytes), limit: limit())
            case .keyFile: return DiskKey(try .keyFile(bytes))
            }
        } catch {
            throw CommandError("cannot use", source, error.description)
        }
    }
}

extension DiskEncryption {
    /// What to say of a slot that is easier to guess than the usual one; nil for any other.
    var weakness: String? {
        guard key.kind == .passphrase, cost != .standard, let bytes = cost.memoryBytes,
            let usual = ScryptCost.standard.memoryBytes
        else { return nil }
        return "there is little memory to be had: a guess of the passphrase takes "
            + "\(ByteSize.text(bytes)) instead of \(ByteSize.text(usual)), and less time; "
            + "'footing disk key rotate' where there is more makes up for it"
    }
}
