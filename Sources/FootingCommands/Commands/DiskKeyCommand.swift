internal import FootingAcceleration
internal import FootingDisk
internal import FootingSystem

/// `footing disk key`: who can open an encrypted disk.
enum DiskKeyCommand {
    static let slot = Option(
        "slot",
        .integer(0...KeySlots.slotCount - 1),
        help: "The slot's number, as 'list' shows it."
    )
    static let label = Option(
        optional: "label",
        .text,
        help: "What the slot is called; up to 64 bytes, readable without the key."
    )

    static let declaration = Command(
        name: "key",
        overview: "Show and change what opens an encrypted disk.",
        discussion: """
            A disk has up to \(KeySlots.slotCount) slots; each opens it with a passphrase or a \
            key file of its own. The disk must not be in use. A slot wraps the key that the disk \
            is encrypted with, and that stays the same: who has an old copy of the disk opens it \
            with what opened it then.
            """,
        subcommands: [list, add, remove, rotate]
    )

    private static let list = Command(
        name: "list",
        overview: "Show the slots; needs no key, and the disk may be in use.",
        parameters: [DiskCommand.path.model, SharedParameters.json.model],
        run: runList
    )

    private static let add = Command(
        name: "add",
        overview: "Add a passphrase or key file.",
        parameters: [DiskCommand.path.model, label.model] + KeyOptions.current.models
            + KeyOptions.new.models,
        run: runAdd
    )

    private static let remove = Command(
        name: "remove",
        overview: "Remove a slot; the last one stays.",
        parameters: [DiskCommand.path.model, slot.model] + KeyOptions.current.models,
        run: runRemove
    )

    private static let rotate = Command(
        name: "rotate",
        overview: "Put another passphrase or key file in the place of one.",
        parameters: [DiskCommand.path.model, slot.model, label.model]
            + KeyOptions.current.models + KeyOptions.new.models,
        run: runRotate
    )

    // MARK: - Running

    @Sendable
    private static func runList(_ input: Invocation, _ console: Console) throws(CommandError) {
        let path = input[DiskCommand.path]
        let information: DiskInformation
        do throws(DiskError) { information = try DiskInformation(path: path) } catch {
            throw DiskCommand.failure(error)
        }
        if let failure = information.keySlotsFailure {
            throw DiskCommand.failure(failure.at(path))
        }
        guard information.isEncrypted else {
            throw CommandError("cannot list the keys of", path, "the disk is not encrypted")
        }
        if input[SharedParameters.json] {
            return console.print([
                "schema": "footing.keys/1",
                "path": .string(path),
                "slots": .array(information.keySlots.map { $0.json }),
            ])
        }
        var table = TextTable([
            ("slot", .right), ("opens with", .left), ("a guess takes", .right),
            ("made (UTC)", .left), ("label", .left),
        ])
        for slot in information.keySlots {
            table.add([
                "\(slot.index)", slot.kindText, slot.guessBytes.map { ByteSize.text($0) } ?? "",
                UTCText.text(unixSeconds: slot.createdUnixSeconds),
                TerminalText.harmless(slot.label, keepsLineFeeds: false),
            ])
        }
        console.write(table.text())
    }

    @Sendable
    private static func runAdd(_ input: Invocation, _ console: Console) throws(CommandError) {
        let path = input[DiskCommand.path]
        let key = try currentKey(input)
        let new = try newKey(input, console)
        do throws(DiskError) {
            let index = try DiskKeys.add(path: path, new, key: key)
            console.print("slot \(index) opens the disk, too")
        } catch {
            throw DiskCommand.failure(error)
        }
    }

    @Sendable
    private static func runRemove(_ input: Invocation, _ console: Console) throws(CommandError) {
        let key = try currentKey(input)
        do throws(DiskError) {
            try DiskKeys.remove(path: input[DiskCommand.path], slot: input[slot], key: key)
        } catch {
            throw DiskCommand.failure(error)
        }
        console.print("slot \(input[slot]) is removed")
    }

    @Sendable
    private static func runRotate(_ input: Invocation, _ console: Console) throws(CommandError) {
        let path = input[DiskCommand.path]
        let key = try currentKey(input)
        let new = try newKey(input, console)
        do throws(DiskError) {
            try DiskKeys.rotate(path: path, slot: input[slot], to: new, key: key)
        } catch {
            throw DiskCommand.failure(error)
        }
        console.print("slot \(input[slot]) opens the disk with the new key")
    }

    private static func currentKey(_ input: Invocation) throws(CommandError) -> DiskKey {
        let path = input[DiskCommand.path]
        if let key = try KeyOptions.forDisk(path, input) { return key }
        if let failure = (try? DiskInformation(path: path))?.keySlotsFailure {
            throw DiskCommand.failure(failure.at(path))
        }
        throw CommandError(
            "cannot change the keys of",
            path,
            "it is not encrypted, or there is no terminal to ask for its passphrase",
            remedy: "see --passphrase-file and --key-file"
        )
    }

    private static func newKey(
        _ input: Invocation,
        _ console: Console
    ) throws(CommandError) -> DiskEncryption {
        var new = try KeyOptions.new.forNew(input, console)
        new.label = input[label] ?? ""
        return new
    }
}

extension DiskKeySlot {
    var kindText: String {
        switch kind {
        case .passphrase: "passphrase"
        case .keyFile: "key file"
        }
    }

    var json: JSONValue {
        [
            "slot": JSONValue(UInt64(index)),
            "kind": .string(kind == .passphrase ? "passphrase" : "key-file"),
            "label": .string(label),
            "createdUnixSeconds": JSONValue(createdUnixSeconds),
            "guessBytes": guessBytes.map { JSONValue($0) } ?? .null,
        ]
    }
}
