import FootingSystem

/// Short ways into the documents that the program and QEMU write.
extension JSONValue {
    init(_ text: String) throws {
        try self.init(parsing: Array(text.utf8))
    }

    /// A member of an object.
    subscript(name: String) -> JSONValue? { member(name) }

    /// What a path of names with dots between them leads to.
    subscript(path path: String) -> JSONValue? {
        path.split(separator: ".").reduce(self) { $0?[String($1)] }
    }

    var integer: Int? { if case .integer(let number) = self { Int(number) } else { nil } }
    var bool: Bool? { if case .bool(let flag) = self { flag } else { nil } }
    var array: [JSONValue] { if case .array(let elements) = self { elements } else { [] } }
}
