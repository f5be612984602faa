public import FootingSystem

/// What happens to a domain before libvirt gets it: the hook `onDefineDomain`.
///
/// The domain comes out byte for byte as it went in, unless a gate or an annotation asks for a
/// change that is possible; then exactly that is changed. Whatever goes wrong, the domain comes out
/// as it went in: KubeVirt would not start the virtual machine otherwise. Only strictness fails it.
public struct DomainHook: Sendable {
    /// What came out.
    public struct Outcome: Sendable {
        /// The domain; nil if the virtual machine is to fail.
        public let domain: [UInt8]?
        /// What was decided, and why.
        public let record: DecisionRecord
    }

    /// What the cluster wants; nil for nothing.
    private let cluster: ClusterConfiguration?
    private let isStrict: Bool
    private let root: HostRoot
    private let clock: any TimeSource
    /// What went wrong before the hook had its arguments.
    private let findings: [Finding]

    /// A hook on a machine.
    ///
    /// - Parameters:
    ///   - cluster: the KubeVirt resource; nil if there is none.
    ///   - isStrict: whether findings fail the virtual machine, whatever the resource says.
    ///   - findings: what went wrong so far, such as a resource that could not be read.
    ///   - root: where devices and NUMA nodes are looked for.
    ///   - clock: where the time of the decision comes from.
    public init(
        cluster: ClusterConfiguration?,
        isStrict: Bool = false,
        findings: [Finding] = [],
        root: HostRoot,
        clock: any TimeSource = SystemClock()
    ) {
        self.cluster = cluster
        self.isStrict = isStrict || cluster?.settings.isStrict == true
        self.findings = findings
        self.root = root
        self.clock = clock
    }

    /// One domain under way.
    private struct Work {
        var findings: [Finding]
        var changes: [DecisionRecord.Change] = []
        var machine: VirtualMachineFacts?
        var request = TuningRequest()
        var isAssigned = false
    }

    /// Decides about a domain and makes the changes.
    ///
    /// - Parameters:
    ///   - manifest: the VirtualMachineInstance in JSON; nil if none was given.
    ///   - domain: libvirt's domain.
    public func run(manifest: [UInt8]?, domain: [UInt8]) -> Outcome {
        let wish = cluster?.wish ?? .kernel(.gateOff(.byDefault))
        let device = DeviceState("mshv", root: root)
        var work = Work(findings: findings)
        readManifest(manifest, &work)
        let document: XMLDocument
        do throws(XMLReadError) {
            document = try XMLDocument(domain)
        } catch {
            let isNeeded = wish == .transparent || !work.request.isEmpty
            if isNeeded { work.findings.append(Finding(.trouble, "the domain: \(error)")) }
            return unchanged(domain, wish, device, type: "", work)
        }
        let type = document.root["type"] ?? ""
        guard document.root.name == "domain", document.root.namespace == nil,
            let existing = Selection.Hypervisor(domainType: type)
        else {
            work.findings.append(
                Finding(.trouble, "the document is no domain of KVM, QEMU or Hyper-V")
            )
            return unchanged(domain, wish, device, type: type, work)
        }
        let selection = Selection.decide(
            wish,
            mshv: device,
            isAssigned: work.isAssigned,
            existing: existing
        )
        return change(document, selection, from: existing, device, work)
    }

    private func readManifest(_ manifest: [UInt8]?, _ work: inout Work) {
        work.isAssigned = cluster?.settings.assignsDevice ?? false
        guard let manifest else { return }
        do throws(ManifestError) {
            let machine = try VirtualMachineFacts(parsing: manifest)
            work.machine = machine
            work.isAssigned = work.isAssigned || machine.requestsDevice
            let (request, findings) = TuningRequest.read(machine.annotations)
            work.request = request
            work.findings += findings
        } catch {
            work.findings.append(Finding(.trouble, "the virtual machine's manifest: \(error)"))
        }
    }

    private func change(
        _ document: XMLDocument,
        _ selection: Selection,
        from existing: Selection.Hypervisor,
        _ device: DeviceState,
        _ before: Work
    ) -> Outcome {
        var work = before
        var editor = DomainEditor(document)
        var hypervisor = existing
        let type = selection.hypervisor.domainType
        if selection.hypervisor != existing {
            if editor.set("type", of: 0, to: type) {
                hypervisor = selection.hypervisor
                work.changes.append(
                    .init(
                        "domain type \(existing.domainType) → \(type)",
                        why: selection.explanation
                    )
                )
            } else {
                work.findings.append(
                    Finding(.trouble, "the domain's type is written in a form that is not changed")
                )
            }
        }
        if let machine = work.machine, !work.request.isEmpty {
            var tuning = StorageTuning(
                work.request,
                machine,
                nodes: NodeList.online(root),
                editor: editor
            )
            tuning.run()
            editor = tuning.editor
            work.changes += tuning.changes
            work.findings += tuning.findings
        }
        var output = document.source
        if !editor.isEmpty {
            if let changed = editor.result() {
                output = changed
            } else {
                hypervisor = existing
                work.changes = []
                work.findings.append(
                    Finding(.trouble, "the changed domain is not what was meant: unchanged")
                )
            }
        }
        work.findings += obstacles(hypervisor, selection, document, work)
        return outcome(output, selection, from: existing, to: hypervisor, device, work)
    }

    /// What stands in the way on the Microsoft hypervisor, or kept the virtual machine from it.
    private func obstacles(
        _ hypervisor: Selection.Hypervisor,
        _ selection: Selection,
        _ document: XMLDocument,
        _ work: Work
    ) -> [Finding] {
        switch selection.reason {
        case .deviceNotAssigned: return [Finding(.deviceResource, selection.explanation)]
        case .deviceUnreadable: return [Finding(.device, selection.explanation)]
        default: break
        }
        guard hypervisor == .mshv else { return [] }
        // A device in this container proves nothing: QEMU runs in another one of the pod.
        let isAssigned = work.isAssigned
        let manifest =
            work.machine.map { Preflight.findings(for: $0, isAssigned: isAssigned) } ?? []
        let codes = manifest.map(\.code)
        return manifest
            + Preflight.findings(for: document).filter { !codes.contains($0.code) }
    }

    private func outcome(
        _ output: [UInt8],
        _ selection: Selection,
        from existing: Selection.Hypervisor,
        to hypervisor: Selection.Hypervisor,
        _ device: DeviceState,
        _ work: Work
    ) -> Outcome {
        // What was decided and could not be done is no reason for what is now.
        let isDone = hypervisor == selection.hypervisor
        let record = DecisionRecord(
            unixSeconds: clock.unixSeconds,
            machine: work.machine,
            typeBefore: existing.domainType,
            typeAfter: hypervisor.domainType,
            reason: isDone ? selection.reason.rawValue : Self.unchangedReason,
            explanation: isDone ? selection.explanation : "the domain's type stays as it came",
            device: device.code,
            changes: work.changes,
            findings: work.findings
        )
        let fails = isStrict && !work.findings.isEmpty
        return Outcome(domain: fails ? nil : output, record: record)
    }

    /// The reason where something went wrong.
    private static let unchangedReason = "Unchanged"

    /// The domain as it came, with what is known of the decision.
    private func unchanged(
        _ domain: [UInt8],
        _ wish: HypervisorWish,
        _ device: DeviceState,
        type: String,
        _ work: Work
    ) -> Outcome {
        let selection = Selection.decide(wish, mshv: device, isAssigned: false, existing: .kvm)
        let isTrouble = !work.findings.isEmpty
        let record = DecisionRecord(
            unixSeconds: clock.unixSeconds,
            machine: work.machine,
            typeBefore: type,
            typeAfter: type,
            reason: isTrouble ? Self.unchangedReason : selection.reason.rawValue,
            explanation: isTrouble
                ? "the domain is handed on as it came" : selection.explanation,
            device: device.code,
            findings: work.findings
        )
        return Outcome(domain: isStrict && isTrouble ? nil : domain, record: record)
    }
}
