public import FootingSystem

/// Writes the document of a report, and collects the reasons of its absent facts.
///
/// Straight to text: as a tree of values, the document took a quarter of a detection. An absent
/// fact is named by where it stands: `memory.balloon.targetBytes`.
public struct ReportWriter: ~Copyable {
    /// An absent fact's name and the reason.
    struct Absence {
        let fact: String
        let reason: String
    }

    @usableFromInline var json = JSONWriter()
    private(set) var absences: [Absence] = []
    /// The name of the innermost object; empty for the document.
    @usableFromInline var name = ""

    init() {}

    /// The document, with a line feed at its end.
    consuming func text() -> String {
        json.endLine()
        return json.text
    }

    mutating func absent(_ fact: String, _ reason: String) {
        absences.append(Absence(fact: fact, reason: reason))
    }

    private mutating func absent(_ key: StaticString, _ reason: String) {
        json.null()
        absent(name.isEmpty ? "\(key)" : "\(name).\(key)", reason)
    }
}

// MARK: - Objects and lists

extension ReportWriter {
    /// An object that is no member: the document, or a list's element.
    ///
    /// - Parameter name: what the names of its absent facts begin with.
    @inlinable
    public mutating func object(as name: String, _ body: (inout ReportWriter) -> Void) {
        let outer = self.name
        self.name = name
        let object = json.beginObject()
        body(&self)
        json.end(object)
        self.name = outer
    }

    /// An object whose facts are named after it.
    @inlinable
    public mutating func object(_ key: StaticString, _ body: (inout ReportWriter) -> Void) {
        json.key(key)
        object(as: name.isEmpty ? "\(key)" : "\(name).\(key)", body)
    }

    /// A list, each of whose elements the form writes as one value.
    @inlinable
    public mutating func list<Element>(
        _ key: StaticString,
        _ elements: [Element],
        _ form: (Element, inout ReportWriter) -> Void
    ) {
        json.key(key)
        json.beginArray()
        for element in elements {
            json.element()
            form(element, &self)
        }
        json.endArray()
    }

    /// What a fact is, or null and the reason.
    @inline(__always)
    mutating func fact<Value>(
        _ key: StaticString,
        _ fact: Fact<Value>,
        _ form: (Value, inout ReportWriter) -> Void
    ) {
        switch fact {
        case .known(let value): form(value, &self)
        case .absent(let reason):
            json.key(key)
            absent(key, reason)
        }
    }
}

// MARK: - Values

extension ReportWriter {
    mutating func null(_ key: StaticString) {
        json.key(key)
        json.null()
    }

    /// A text.
    public mutating func string(_ key: StaticString, _ value: String) {
        json.key(key)
        json.string(value)
    }

    mutating func bool(_ key: StaticString, _ value: Bool) {
        json.key(key)
        json.bool(value)
    }

    mutating func integer(_ key: StaticString, _ value: Int) {
        json.key(key)
        json.integer(Int64(value))
    }

    /// A size or a count.
    public mutating func size(_ key: StaticString, _ value: UInt64) {
        json.key(key)
        json.unsigned(value)
    }

    mutating func number(_ key: StaticString, _ value: Double) {
        json.key(key)
        json.number(value)
    }

    /// A list of texts.
    public mutating func strings(_ key: StaticString, _ values: [String]) {
        list(key, values) { $1.json.string($0) }
    }

    mutating func integers(_ key: StaticString, _ values: [Int]) {
        list(key, values) { $1.json.integer(Int64($0)) }
    }

    /// A list of observations: `{"source", "value", "says"}` each.
    public mutating func evidence(_ key: StaticString, _ items: [Evidence]) {
        list(key, items) { item, report in report.evidence(item) }
    }

    private mutating func evidence(_ item: Evidence) {
        object(as: "") { report in
            report.string("says", item.says)
            report.string("source", item.source)
            report.string("value", item.value)
        }
    }

    mutating func evidence(_ key: StaticString, _ item: Evidence) {
        json.key(key)
        evidence(item)
    }
}

// MARK: - Facts

extension ReportWriter {
    mutating func string(_ key: StaticString, _ fact: Fact<String>) {
        self.fact(key, fact) { $1.string(key, $0) }
    }

    mutating func bool(_ key: StaticString, _ fact: Fact<Bool>) {
        self.fact(key, fact) { $1.bool(key, $0) }
    }

    mutating func integer(_ key: StaticString, _ fact: Fact<Int>) {
        self.fact(key, fact) { $1.integer(key, $0) }
    }

    mutating func size(_ key: StaticString, _ fact: Fact<UInt64>) {
        self.fact(key, fact) { $1.size(key, $0) }
    }

    mutating func strings(_ key: StaticString, _ fact: Fact<[String]>) {
        self.fact(key, fact) { $1.strings(key, $0) }
    }

    mutating func integers(_ key: StaticString, _ fact: Fact<[Int]>) {
        self.fact(key, fact) { $1.integers(key, $0) }
    }
}
