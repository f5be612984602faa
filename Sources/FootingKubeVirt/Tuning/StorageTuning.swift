/// Tunes the disks of a domain as annotations ask for, and explains each change.
///
/// Only disks on virtio-blk are touched; what KubeVirt or the manifest chose stays unless an
/// annotation names it.
struct StorageTuning {
    let request: TuningRequest
    let machine: VirtualMachineFacts
    /// The host's NUMA nodes; nil where they cannot be told.
    let nodes: [Int]?
    private(set) var editor: DomainEditor
    private(set) var changes: [DecisionRecord.Change] = []
    private(set) var findings: [Finding] = []

    private var document: XMLDocument { editor.document }

    /// A disk on virtio-blk.
    private struct Disk {
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

    private mutating func set(
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
        if let existing = document.first("iothreads") {
            let count = document.elements[existing].text
            if case .exactly(let number) = amount, "\(number)" != count {
                findings.append(
                    Finding(
                        .annotation,
                        "footing/io-threads: the domain has \(count) already, and keeps them",
                        remedy: "leave out ioThreadsPolicy"
                    )
                )
            }
            return
        }
        guard let anchor = document.first("vcpu") else {
            findings.append(Finding(.annotation, "footing/io-threads: the domain has no vcpu"))
            return
        }
        let free = disks.filter { document.elements[$0.driver]["iothread"] == nil }
        guard !free.isEmpty else { return }
        let count: Int
        let why: String
        switch amount {
        case .exactly(let number):
            count = min(number, free.count)
            why = "footing/io-threads: \(number); \(free.count) disks on virtio"
        case .automatic:
            count = min(free.count, max(processors / 2, 1), 4)
            why =
                "footing/io-threads: auto; one for each of \(free.count) disks on virtio, "
                + "at most half as many as \(processors) processors, and 4"
        }
        editor.insert(["<iothreads>\(count)</iothreads>"], names: ["iothreads"], after: anchor)
        changes.append(.init("iothreads not set → \(count)", why: why))
        for (number, disk) in free.enumerated() {
            set("iothread", of: disk, to: "\(number % count + 1)", why: why)
        }
    }

    // MARK: Queues

    private var processors: Int {
        guard let vcpu = document.first("vcpu") else { return machine.processorsMaximum }
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

    // MARK: Attributes of disks

    private mutating func tuneAttributes(_ disks: [Disk]) {
        for disk in disks {
            let driver = document.elements[disk.driver]
            if let discard = request.discard {
                set("discard", of: disk, to: discard, why: "footing/discard")
            }
            var cache = driver["cache"]
            if let wanted = request.cache {
                let isDirect = wanted == "none" || wanted == "directsync"
                // KubeVirt tries O_DIRECT, and writes this where the storage refuses it.
                let isRefused =
                    cache == "writethrough" && machine.diskCaches[disk.name] != "writethrough"
                if isDirect, isRefused {
                    findings.append(
                        Finding(
                            .annotation,
                            "footing/cache: the storage of the disk \(disk.name) does not take "
                                + "direct I/O: KubeVirt tried; it stays \(cache ?? "")"
                        )
                    )
                } else {
                    set("cache", of: disk, to: wanted, why: "footing/cache")
                    cache = wanted
                }
            }
            guard let io = request.io else { continue }
            if io == "native", cache != "none", cache != "directsync" {
                findings.append(
                    Finding(
                        .annotation,
                        "footing/io: native needs direct I/O; the cache of the disk "
                            + "\(disk.name) is \(cache ?? "not set")",
                        remedy: "add footing/cache: none, if the storage takes that"
                    )
                )
            } else {
                set("io", of: disk, to: io, why: "footing/io")
            }
        }
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
