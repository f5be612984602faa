/// An element of XML that is made, not read.
struct XMLElement: Hashable {
    struct Attribute: Hashable {
        let name: String
        let value: String
    }

    let name: String
    var attributes: [Attribute]
    var children: [XMLElement]
    var text: String?

    /// An element; attributes and children that are nil are left out.
    init(
        _ name: String,
        _ attributes: KeyValuePairs<String, String?> = [:],
        _ children: [XMLElement?] = []
    ) {
        self.name = name
        self.attributes = attributes.compactMap { name, value in
            value.map { Attribute(name: name, value: $0) }
        }
        self.children = children.compactMap(\.self)
    }

    /// An element with a text.
    init(_ name: String, _ attributes: KeyValuePairs<String, String?> = [:], text: String) {
        self.init(name, attributes)
        self.text = text
    }

    /// An element whose only word is its state.
    init(_ name: String, isOn: Bool) {
        self.init(name, ["state": isOn ? "on" : "off"])
    }
}

extension String {
    /// The text, or nil if it is empty, as Go's `omitempty`.
    var nonEmpty: String? { isEmpty ? nil : self }
}
