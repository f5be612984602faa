import FootingSystem
import Testing

@testable import FootingKubeVirt

/// The manifests of `Deployment/KubeVirt`, as far as they can be read without a cluster.
@Suite struct DeploymentTests {
    private func documents(_ name: String) throws -> [YAMLNode] {
        let folder = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let root = try HostRoot(path: "/\(folder)/Deployment/KubeVirt")
        return try YAMLNode.documents(in: root.bytes(name))
    }

    private func text(_ node: YAMLNode?) -> String? {
        guard case .string(let text) = node?.value else { return nil }
        return text
    }

    /// The annotation for the sidecar as a manifest has it.
    private func sidecars() throws -> JSONValue {
        let template = try documents("virtual-machine.yaml").first?["spec"]?["template"]
        let annotations = template?["metadata"]?["annotations"]
        let list = try #require(text(annotations?["hooks.kubevirt.io/hookSidecars"]))
        return try JSONValue(parsing: [UInt8](list))
    }

    @Test func `policies set the annotation and the limit that the manifest has`() throws {
        let documents = try documents("admission.yaml")
        #expect(documents.count == 4)
        let policies = documents.filter { text($0["kind"]) == "MutatingAdmissionPolicy" }
        var expressions: [String: String] = [:]
        for policy in policies {
            let name = try #require(text(policy["metadata"]?["name"]))
            let bindings = documents.filter { text($0["spec"]?["policyName"]) == name }
            #expect(bindings.map { text($0["kind"]) } == ["MutatingAdmissionPolicyBinding"])
            #expect(text(policy["spec"]?["failurePolicy"]) == "Ignore")
            guard case .list(let mutations) = policy["spec"]?["mutations"]?.value else {
                Issue.record("no mutations")
                continue
            }
            expressions[name] = text(mutations.first?["jsonPatch"]?["expression"])
        }
        let hook = try #require(expressions["footing-hook"])
        let value = try #require(
            hook.split(separator: "value: '").last?.split(separator: "'").first
        )
        #expect(try JSONValue(parsing: [UInt8](String(value))) == sidecars())
        let device = try #require(expressions["footing-device"])
        #expect(device.contains("escapeKey(\"\(VirtualMachineFacts.deviceResource)\")"))
    }

    @Test func `the ConfigMap holds a resource with the gate on`() throws {
        let data = try documents("configuration.yaml").first?["data"]?["kubevirt.yaml"]
        let cluster = try ClusterConfiguration(parsing: [UInt8](try #require(text(data))))
        #expect(cluster.wish == .transparent)
    }

    @Test func `nothing stands in the way of the example`() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let bytes = try HostRoot(path: "/\(root)/Deployment/KubeVirt").bytes("virtual-machine.yaml")
        let facts = try VirtualMachineFacts(parsing: bytes)
        #expect(
            Preflight.findings(for: facts, isAssigned: false, defaults: ClusterConfiguration())
                .isEmpty
        )
        #expect(TuningRequest.read(facts.annotations).findings.isEmpty)
    }
}
