public import FootingSystem

/// The condition `HypervisorOptimized` of a virtual machine, as a patch (RFC 6902) of its status.
public enum HypervisorCondition {
    /// Its type.
    public static let type = "HypervisorOptimized"

    /// The condition that a decision amounts to.
    ///
    /// - Parameters:
    ///   - record: the decision.
    ///   - transition: since when its status is what it is; nil for the time of the decision.
    public static func json(_ record: DecisionRecord, since transition: String? = nil) -> JSONValue
    {
        let time = JSONValue.string(Timestamp.text(unixSeconds: record.unixSeconds))
        return [
            "type": .string(type),
            "status": record.typeAfter == "hyperv" ? "True" : "False",
            "reason": .string(record.reason.isEmpty ? "Unknown" : record.reason),
            "message": .string(record.explanation),
            "lastProbeTime": time,
            "lastTransitionTime": transition.map { .string($0) } ?? time,
        ]
    }

    /// The patch that sets it.
    ///
    /// - Parameters:
    ///   - record: the decision.
    ///   - manifest: the virtual machine as it is now, in YAML or JSON; nil if it is not known, and
    ///     then the condition is added to those that are there.
    /// - Returns: an empty patch where the condition says the same already.
    public static func patch(
        _ record: DecisionRecord,
        manifest: [UInt8]?
    ) throws(ManifestError) -> JSONValue {
        let condition = json(record)
        guard let manifest else { return [operation("add", "/status/conditions/-", condition)] }
        let document = try ManifestError.document(of: ["VirtualMachineInstance"], in: manifest)
        let conditions =
            try document["status"]?["conditions"]?.elements("status.conditions") ?? []
        if conditions.isEmpty {
            let path = document["status"] == nil ? "/status" : "/status/conditions"
            let list: JSONValue = [condition]
            return [operation("add", path, path == "/status" ? ["conditions": list] : list)]
        }
        for (index, old) in conditions.enumerated() {
            guard try old["type"]?.text("status.conditions[].type") == type else { continue }
            let status = try old["status"]?.text("status.conditions[].status")
            let reason = try old["reason"]?.text("status.conditions[].reason")
            if status == condition.member("status")?.stringValue, reason == record.reason {
                return []
            }
            let transition = try old["lastTransitionTime"]?
                .text("status.conditions[].lastTransitionTime")
            let isSame = status == condition.member("status")?.stringValue
            let changed = isSame ? json(record, since: transition) : condition
            // Somebody else may have changed the list meanwhile: then the patch fails as a whole.
            let path = "/status/conditions/\(index)"
            let test = operation("test", path + "/type", .string(type))
            return [test, operation("replace", path, changed)]
        }
        return [operation("add", "/status/conditions/-", condition)]
    }

    private static func operation(
        _ name: String,
        _ path: String,
        _ value: JSONValue
    ) -> JSONValue {
        ["op": .string(name), "path": .string(path), "value": value]
    }
}
