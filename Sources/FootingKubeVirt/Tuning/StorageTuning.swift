/// Tunes the disks of a domain as annotations ask for, and explains each change.
///
/// Only disks on virtio-blk are touched; what KubeVirt or the manifest chose stays unless an
/// annotation names it.
struct StorageTuning {
    let request: TuningRequest
    let machine: VirtualMachineFacts
    /// The host's NUMA nodes; nil where they cannot be told.
    let nodes: [Int]?
    var editor: DomainEditor
    private(set) var changes: [DecisionRecord.Change] = []
    var findings: [Finding] = []

    var document: XMLDocument { editor.document }

    /// A disk on virtio-blk.
    struct Disk {
        let element: Int
        let driver: Int
        /// The name in the manifest, from the alias `ua-NAME`.
        let name: String
    }

    init(
        _ request: TuningRequest,
        _ machine: VirtualMachineFacts,
        nodes: [Int]?,
        editor: DomainEditor
    ) {
        self.request = request
        self.machine = machine
        self.nodes = nodes
        self.editor = editor
    }

    /// Makes every change that is asked for and possible.
    mutating func run() {
        let disks = chosenDisks()
        if !disks.isEmpty {
            tuneThreads(disks)
            tuneQueues(disks)
            tuneAttributes(disks)
        }
        tuneNode()
    }

    private mutating func chosenDisks() -> [Disk] {
        guard let devices = document.first("devices") else { return [] }
        let all = document.children(of: devices, "disk").compactMap { disk($0) }
        guard let names = request.disks else { return all }
        for name in names where !all.contains(where: { $0.name == name }) {
            findings.append(
                Finding(.annotation, "footing/disks names '\(name)', which is no disk on virtio")
            )
        }
        return all.filter { names.contains($0.name) }
    }

    /// A disk that can be tuned; nil for a CD, a LUN, another bus, or one without a driver.
    private func disk(_ index: Int) -> Disk? {
        let element = document.elements[index]
        guard element["device"] ?? "disk" == "disk",
            let target = document.children(of: index, "target").first,
            document.elements[target]["bus"] == "virtio",
            let driver = document.children(of: index, "driver").first
        else { return nil }
        let alias =
            document.children(of: index, "alias").first
            .flatMap { document.elements[$0]["name"] } ?? ""
        let name = alias.hasPrefix("ua-") ? String(alias.dropFirst(3)) : alias
        return Disk(element: index, driver: driver, name: name)
    }

    mutating func set(
        _ name: String,
        of disk: Disk,
        to value: String,
        why: String
    ) {
        let before = document.elements[disk.driver][name]
        if before == value { return }
        guard editor.set(name, of: disk.driver, to: value) else {
            findings.append(
                Finding(
                    .annotation,
                    "\(name) of the disk \(disk.name) is written in a form that "
                        + "is not changed"
                )
            )
            return
        }
        changes.append(
            .init("disk \(disk.name): \(name) \(before ?? "not set") → \(value)", why: why)
        )
    }

    // MARK: Threads

    private mutating func tuneThreads(_ disks: [Disk]) {
        guard let amount = request.threads else { return }
        let wanted: Int
        let why: String
        switch amount {
        case .exactly(let number):
            wanted = min(number, disks.count)
            why = "footing/io-threads: \(number); \(disks.count) disks on virtio"
        case .automatic:
            wanted = min(disks.count, max(processors / 2, 1), 4)
            why =
                "footing/io-threads: auto; one for each of \(disks.count) disks on virtio, "
                + "at most half as many as \(processors) processors, and 4"
        }
        if let existing = document.first("iothreads") {
            tellKept(amount, wanted, document.elements[existing].text)
            return
        }
        guard let anchor = document.first("vcpu") else {
            findings.append(Finding(.annotation, "footing/io-threads: the domain has no vcpu"))
            return
        }
        // KubeVirt calls twice: then devices are as libvirt has them, with threads, and the rest
        // is as it was at first, without. libvirt refuses a device whose thread is not there.
        let named = largestThread
        let free = disks.enumerated().filter {
            document.elements[$0.element.driver]["iothread"] == nil
                && document.children(of: $0.element.driver, "iothreads").isEmpty
        }
        guard !free.isEmpty || named > 0 else { return }
        let count = max(wanted, named)
        tellKept(amount, wanted, "\(count)")
        editor.insert(["<iothreads>\(count)</iothreads>"], names: ["iothreads"], after: anchor)
        changes.append(.init("iothreads not set → \(count)", why: why))
        for (number, disk) in free {
            set("iothread", of: disk, to: "\(number % wanted + 1)", why: why)
        }
    }

    private mutating func tellKept(_ amount: TuningRequest.Amount, _ wanted: Int, _ count: String) {
        guard case .exactly = amount, "\(wanted)" != count else { return }
        findings.append(
            Finding(
                .annotation,
                "footing/io-threads: the domain has \(count) already, and keeps them",
                remedy: "leave out ioThreadsPolicy"
            )
        )
    }

    /// The largest number of a thread that a device names; 0 if none does.
    private var largestThread: Int {
        guard let devices = document.first("devices") else { return 0 }
        var largest = 0
        for device in document.elements[devices].children {
            for driver in document.children(of: device, "driver") {
                let lists = document.children(of: driver, "iothreads")
                let listed = lists.flatMap { document.children(of: $0, "iothread") }
                let names =
                    [document.elements[driver]["iothread"]]
                    + listed.map { document.elements[$0]["id"] }
                for number in names.compactMap({ $0.flatMap { Int($0) } })
                where (1...Self.threadMaximum).contains(number) { largest = max(largest, number) }
            }
        }
        return largest
    }

    /// More threads than any domain has: a larger number is a mistake that libvirt is to find.
    private static let threadMaximum = 1024

    // MARK: Queues

    private var processors: Int {
        guard let vcpu = document.first("vcpu") else { return machine.processorsMaximum }
        if let list = document.first("vcpus") {
            let states = document.children(of: list, "vcpu").map {
                document.elements[$0]["enabled"]
            }
            if !states.isEmpty { return max(states.count { $0 == "yes" }, 1) }
        }
        let element = document.elements[vcpu]
        // Those that are there at the start count: more may never come.
        let text = element["current"] ?? element.text
        return max(Int(text) ?? machine.processorsMaximum, 1)
    }

    private mutating func tuneQueues(_ disks: [Disk]) {
        guard let amount = request.queues else { return }
        let tuned = Set(disks.map(\.driver))
        var others = 0
        for (index, element) in document.elements.enumerated()
        where element.name == "driver" && !tuned.contains(index) {
            others += min(max(element["queues"].flatMap { Int($0) } ?? 0, 0), 1 << 16)
        }
        let budget = QueueBudget(
            request: amount,
            processors: processors,
            disks: disks.count,
            others: others,
            memoryBytes: memoryBytes
        )
        for disk in disks {
            set(
                "queues",
                of: disk,
                to: "\(budget.perDisk)",
                why: "footing/queues: \(budget.explanation)"
            )
        }
    }

    /// `<memory unit="b">`, which KubeVirt writes; other units of libvirt by their first letter.
    private var memoryBytes: UInt64? {
        guard let index = document.first("memory") else { return nil }
        let element = document.elements[index]
        guard let amount = UInt64(element.text) else { return nil }
        let factors: [String: UInt64] = [
            "b": 1, "bytes": 1, "KiB": 1 << 10, "k": 1 << 10, "MiB": 1 << 20, "M": 1 << 20,
            "GiB": 1 << 30, "G": 1 << 30, "TiB": 1 << 40, "T": 1 << 40,
        ]
        guard let factor = factors[element["unit"] ?? "KiB"] else { return nil }
        let (bytes, isTooMuch) = amount.multipliedReportingOverflow(by: factor)
        return isTooMuch ? nil : bytes
    }

    // MARK: NUMA

    private mutating func tuneNode() {
        guard let node = request.node else { return }
        if let existing = document.first("numatune") {
            let memory = document.children(of: existing, "memory").first
                .map { document.elements[$0] }
            if memory?["mode"] != "preferred" || memory?["nodeset"] != "\(node)" {
                findings.append(
                    Finding(.annotation, "footing/numa-node: the domain has a numatune already")
                )
            }
            return
        }
        if let nodes, !nodes.contains(node) {
            findings.append(
                Finding(.annotation, "footing/numa-node: this host has no node \(node)")
            )
            return
        }
        guard let anchor = document.first("vcpu") else {
            findings.append(Finding(.annotation, "footing/numa-node: the domain has no vcpu"))
            return
        }
        // Preferred, not bound to: where a bound node is full, Linux kills the virtual machine.
        editor.insert(
            [
                "<numatune>", "<memory mode=\"preferred\" nodeset=\"\(node)\"></memory>",
                "</numatune>",
            ],
            names: ["numatune", "memory"],
            after: anchor
        )
        changes.append(
            .init("memory preferred on node \(node)", why: "footing/numa-node: \(node)")
        )
    }
}
