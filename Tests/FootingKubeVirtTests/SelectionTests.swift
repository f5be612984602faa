import FootingSystem
import Testing

@testable import FootingKubeVirt

/// The decision as a table.
@Suite struct SelectionTests {
    enum Result: Equatable, Sendable {
        case runs(Selection.Hypervisor, Selection.Reason)
        case fails(Selection.Refusal)
    }

    struct Row: Sendable {
        let wish: HypervisorWish
        let mshv: DeviceState
        let kvm: DeviceState
        let emulation: Bool
        let assigned: Bool
        let result: Result

        init(
            _ wish: HypervisorWish,
            mshv: DeviceState,
            kvm: DeviceState,
            emulation: Bool,
            assigned: Bool = true,
            _ result: Result
        ) {
            self.wish = wish
            self.mshv = mshv
            self.kvm = kvm
            self.emulation = emulation
            self.assigned = assigned
            self.result = result
        }
    }

    static let off = HypervisorWish.kernel(.gateOff(.byDefault))
    static let denied = DeviceState.unreadable(.permissionDenied)
    static let node = DeviceState.onNode(minor: 119)

    /// What KubeVirt's own converter decides
    /// (`pkg/virt-launcher/virtwrap/converter/{kvm,mshv}/configurator.go`).
    static let upstream: [Row] = [
        Row(.hyperVDirect, mshv: .present, kvm: .absent, emulation: false, direct),
        Row(.hyperVDirect, mshv: .present, kvm: .absent, emulation: true, direct),
        Row(.hyperVDirect, mshv: .present, kvm: .present, emulation: false, direct),
        Row(.hyperVDirect, mshv: .absent, kvm: .absent, emulation: true, software),
        Row(.hyperVDirect, mshv: .absent, kvm: .present, emulation: true, software),
        Row(.hyperVDirect, mshv: .absent, kvm: .absent, emulation: false, .fails(.mshvNotPresent)),
        Row(.hyperVDirect, mshv: .absent, kvm: .present, emulation: false, .fails(.mshvNotPresent)),
        Row(off, mshv: .absent, kvm: .present, emulation: false, .runs(.kvm, .gateOff)),
        Row(off, mshv: .present, kvm: .present, emulation: true, .runs(.kvm, .gateOff)),
        Row(off, mshv: .present, kvm: .absent, emulation: true, .runs(.qemu, .gateOff)),
        Row(off, mshv: .present, kvm: .absent, emulation: false, .fails(.kvmNotPresent)),
        // Any other error than absence is fatal there.
        Row(.hyperVDirect, mshv: denied, kvm: .present, emulation: true, unreadable("mshv")),
        Row(off, mshv: .present, kvm: denied, emulation: true, unreadable("kvm")),
    ]
    static let direct = Result.runs(.mshv, .hyperVDirect)
    static let software = Result.runs(.qemu, .deviceAbsent)

    static func unreadable(_ name: String) -> Result { .fails(.unreadable(name, denied)) }

    /// With `HyperVL1VH`: the device decides, and without it everything is as without the gate.
    static let transparent: [Row] = [
        Row(.transparent, mshv: .present, kvm: .present, emulation: false, selected),
        Row(.transparent, mshv: .present, kvm: .absent, emulation: false, selected),
        Row(.transparent, mshv: .present, kvm: .absent, emulation: true, selected),
        Row(.transparent, mshv: .present, kvm: denied, emulation: false, selected),
        Row(.transparent, mshv: .absent, kvm: .present, emulation: false, kept(.deviceAbsent)),
        Row(.transparent, mshv: .absent, kvm: .present, emulation: true, kept(.deviceAbsent)),
        Row(.transparent, mshv: .absent, kvm: .absent, emulation: true, software),
        Row(.transparent, mshv: .absent, kvm: .absent, emulation: false, .fails(.kvmNotPresent)),
        Row(.transparent, mshv: .absent, kvm: denied, emulation: true, unreadable("kvm")),
        Row(.transparent, mshv: denied, kvm: .present, emulation: false, kept(.deviceUnreadable)),
        Row(.transparent, mshv: .notADevice, kvm: .present, emulation: false, notADevice),
        Row(.transparent, mshv: node, kvm: .present, emulation: false, selected),
        Row(
            .transparent,
            mshv: node,
            kvm: .present,
            emulation: false,
            assigned: false,
            kept(.deviceNotAssigned)
        ),
        Row(
            .transparent,
            mshv: .present,
            kvm: .present,
            emulation: false,
            assigned: false,
            selected
        ),
        Row(
            .kernel(.configured),
            mshv: .present,
            kvm: .present,
            emulation: false,
            .runs(.kvm, .kernelConfigured)
        ),
        Row(
            .kernel(.unknownHypervisor("xen")),
            mshv: .present,
            kvm: .present,
            emulation: false,
            .runs(.kvm, .unknownHypervisor)
        ),
    ]
    static let selected = Result.runs(.mshv, .l1vhSelected)
    static let notADevice = kept(.deviceUnreadable)

    static func kept(_ reason: Selection.Reason) -> Result { .runs(.kvm, reason) }

    @Test func `every row of the matrix`() {
        for (number, row) in (Self.upstream + Self.transparent).enumerated() {
            let result: Result
            do throws(Selection.Refusal) {
                let selection = try Selection.decide(
                    row.wish,
                    mshv: row.mshv,
                    kvm: row.kvm,
                    isAssigned: row.assigned,
                    allowsEmulation: row.emulation
                )
                #expect(!selection.explanation.isEmpty)
                result = .runs(selection.hypervisor, selection.reason)
            } catch {
                result = .fails(error)
            }
            #expect(result == row.result, "row \(number)")
        }
    }

    @Test func `the words of a refusal are KubeVirt's`() {
        #expect(Selection.Refusal.mshvNotPresent.description == "MSHV not present")
        let words = Selection.Refusal.kvmNotPresent.description
        #expect(words == "kvm not present and emulation is not allowed")
    }

    /// What the hook does with a domain that KubeVirt has made.
    static let existing:
        [(wish: HypervisorWish, mshv: DeviceState, was: Selection.Hypervisor, is: Result)] = [
            (off, .present, .kvm, .runs(.kvm, .gateOff)),
            (off, .present, .qemu, .runs(.qemu, .gateOff)),
            (off, .absent, .mshv, .runs(.mshv, .gateOff)),
            (.hyperVDirect, .present, .mshv, .runs(.mshv, .hyperVDirect)),
            (.hyperVDirect, .present, .qemu, .runs(.qemu, .hyperVDirect)),
            (.transparent, .present, .kvm, selected),
            (.transparent, .present, .qemu, selected),
            (.transparent, .present, .mshv, selected),
            (.transparent, .absent, .mshv, selected),
            (.transparent, .absent, .kvm, kept(.deviceAbsent)),
            (.transparent, .absent, .qemu, software),
            (.transparent, denied, .kvm, kept(.deviceUnreadable)),
            (.transparent, .notADevice, .kvm, kept(.deviceUnreadable)),
            (.transparent, node, .kvm, kept(.deviceNotAssigned)),
        ]

    @Test func `what KubeVirt decided stays, but for the one change`() {
        for (number, row) in Self.existing.enumerated() {
            let selection = Selection.decide(
                row.wish,
                mshv: row.mshv,
                isAssigned: false,
                existing: row.was
            )
            #expect(.runs(selection.hypervisor, selection.reason) == row.is, "row \(number)")
        }
        let assigned = Selection.decide(
            .transparent,
            mshv: Self.node,
            isAssigned: true,
            existing: .kvm
        )
        #expect(assigned.hypervisor == .mshv)
    }

    @Test func `the type of a domain is never mshv`() {
        #expect(Selection.Hypervisor.mshv.domainType == "hyperv")
        #expect(Selection.Hypervisor(domainType: "hyperv") == .mshv)
        #expect(Selection.Hypervisor(domainType: "mshv") == nil)
        #expect(Selection.Hypervisor(domainType: "xen") == nil)
    }
}

/// Devices on machines made of files.
@Suite struct DeviceStateTests {
    @Test func `a device is there, absent, or only the node's`() throws {
        let misc = "235 autofs\n119 mshv\n232 kvm\n"
        let machine = try FakeMachine(devices: ["kvm"], misc: misc)
        #expect(DeviceState("kvm", root: machine.root) == .present)
        #expect(DeviceState("mshv", root: machine.root) == .onNode(minor: 119))
        #expect(DeviceState("msh", root: machine.root) == .absent)
        let bare = try FakeMachine()
        #expect(DeviceState("mshv", root: bare.root) == .absent)
    }

    @Test func `an error is no absence`() throws {
        let machine = try FakeMachine(misc: "119 mshv\n")
        try machine.loop("mshv")
        #expect(DeviceState("mshv", root: machine.root) == .unreadable(.tooManyLinks))
        try machine.folder("dev/kvm")
        #expect(DeviceState("kvm", root: machine.root) == .notADevice)
    }

    @Test(arguments: [
        "", "119", "mshv", "x mshv\n", "119 mshv extra\n", "4294967296 mshv\n", "\0\n",
    ])
    func `nonsense in the list of devices is no device`(_ misc: String) throws {
        let machine = try FakeMachine(misc: misc)
        #expect(DeviceState("mshv", root: machine.root) == .absent)
    }

    @Test func `no machine has a file for a device`() throws {
        // A live root takes character devices alone: /dev/null is one, /dev/shm is none.
        let root = try HostRoot()
        #expect(DeviceState("null", root: root) == .present)
        #expect(DeviceState("shm", root: root) == .notADevice)
    }
}
