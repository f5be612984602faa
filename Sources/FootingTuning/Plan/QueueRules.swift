internal import FootingHost

extension TuningRule {
    static let schedulerRules: [TuningRule] = [
        queue(
            "nvme-scheduler-none",
            .scheduler,
            source:
                "block/elevator.c (elevator_get_default); Red Hat on disk schedulers",
            effect: "less processor time for each request; the kernel's own choice"
        ) { device, _ in
            guard device.device.interface == "nvme", let queues = device.device.queues.value,
                queues > 1, device.schedulers.contains("none")
            else { return nil }
            return (
                "none",
                "\(queues) queues of the device's own need no common lock to sort requests",
                [
                    device.interfaceEvidence,
                    device.evidence(.scheduler, "the kernel chooses none for several queues"),
                ]
            )
        },
        queue(
            "paravirtual-scheduler-none",
            .scheduler,
            source: noise,
            effect: "the host schedules anyway; measured without a stable difference"
        ) { device, _ in
            guard device.device.isParavirtual, device.schedulers.contains("none") else {
                return nil
            }
            return (
                "none", "the hypervisor schedules what this kernel has sorted once more",
                [device.interfaceEvidence]
            )
        },
    ]

    /// The largest timeout, in milliseconds, that reads back as it was written whether the kernel
    /// counts 100, 250, 300 or 1000 ticks a second: 24 days.
    static let longTimeout = "2147480000"

    static let queueRules: [TuningRule] = [
        queue(
            "ebs-timeout",
            .timeout,
            source: "AWS, 'NVMe I/O operation timeout' (Amazon EBS User Guide)",
            effect: "a volume that stalls delays requests instead of failing them"
        ) { device, _ in
            guard device.device.interface == "nvme", device.device.product.value == "amazon-ebs",
                let present = device.number(.timeout), present < 2_147_480_000
            else { return nil }
            return (
                longTimeout, "a network volume may stall for longer than the kernel waits",
                [
                    Evidence(
                        source: "sys/block/\(device.name)/device/model",
                        value: device.device.model.value ?? "",
                        says: "an EBS volume"
                    ), device.evidence(.timeout, "milliseconds until a request fails"),
                ]
            )
        },
        queue(
            "queue-requests",
            .requests,
            source: "Documentation/ABI/stable/sysfs-block (nr_requests); Little's law",
            effect: "as many requests under way as the device takes"
        ) { device, _ in
            guard let present = device.number(.requests), let depth = device.device.queueDepth.value
            else { return nil }
            // Every scheduler takes as many; 2048 is the most that any does (MAX_SCHED_RQ).
            let own = min(depth, 2048)
            // The kernel takes no number below 4 (BLKDEV_MIN_RQ): that could not be put back.
            guard present < own, present >= 4 else { return nil }
            return (
                String(own),
                "the device takes \(depth) requests at once, the queue holds \(present)",
                [device.interfaceEvidence, device.evidence(.requests, "requests that it holds")]
            )
        },
        queue(
            "read-ahead",
            .readAhead,
            source: "mm/readahead.c (VM_READAHEAD_PAGES): the kernel's default",
            effect: "none for a disk that reads past the kernel's cache; other readers gain or lose"
        ) { device, _ in
            guard let present = device.number(.readAhead), present < 128 || present > 4096 else {
                return nil
            }
            return (
                "128", "far from the default of 128 KiB",
                [device.evidence(.readAhead, "KiB read ahead of a sequential reader")]
            )
        },
        queue(
            "completion-on-submitter",
            .completionAffinity,
            source: "Documentation/ABI/stable/sysfs-block (rq_affinity)",
            effect: "warm caches for who waits, an interrupt more between processors"
        ) { device, ground in
            let processors = ground.report.hardware.processor.online.value?.count ?? 1
            guard processors > 1, device.device.queues.value ?? 1 < processors else { return nil }
            return (
                "2", "\(processors) processors share \(device.device.queues.value ?? 1) queues",
                [device.evidence(.completionAffinity, "where completions are handled")]
            )
        },
        queue(
            "no-merges",
            .merging,
            source: "Documentation/ABI/stable/sysfs-block (nomerges)",
            effect: "less processor time for random requests; sequential ones may grow in number"
        ) { device, _ in
            guard device.device.interface == "nvme" else { return nil }
            return (
                "1", "Footing joins neighbours itself before it asks the device",
                [device.evidence(.merging, "how hard the kernel looks for neighbours")]
            )
        },
        queue(
            "no-write-back-throttling",
            .writeBackLatency,
            source: noise,
            effect: "background writes are not held back; measured without a stable order"
        ) { device, _ in
            guard device.device.isParavirtual else { return nil }
            return (
                "0", "the latency it goes by is the host's, not the device's",
                [device.evidence(.writeBackLatency, "microseconds that reads may take")]
            )
        },
        queue(
            "virtio-not-rotating",
            .rotational,
            source: "drivers/block/virtio_blk.c: virtio-blk cannot say that nothing rotates",
            effect: "file systems that ask place data for flash"
        ) { device, _ in
            guard device.device.interface == "virtio-blk" else { return nil }
            return (
                "0", "virtio-blk says of every disk that it rotates",
                [
                    device.interfaceEvidence,
                    device.evidence(.rotational, "what the kernel believes"),
                ]
            )
        },
        queue(
            "no-randomness",
            .randomness,
            source: "Documentation/ABI/stable/sysfs-block (add_random)",
            effect: "a little less processor time for each request"
        ) { device, _ in
            ("0", "the kernel has better sources", [device.evidence(.randomness, "1: it is fed")])
        },
    ]

    static let machineRules: [TuningRule] = [
        machine("dirty-bytes", .dirtyBytes, 512 << 20, "writers wait above it"),
        machine(
            "dirty-background-bytes",
            .dirtyBackgroundBytes,
            64 << 20,
            "writing begins above it"
        ),
    ]

    /// A rule for the kernel's own cache, which others on the machine use.
    private static func machine(
        _ name: String,
        _ attribute: MachineAttribute,
        _ bytes: UInt64,
        _ says: String
    ) -> TuningRule {
        TuningRule(name: name) { ground in
            guard let present = ground.machine[attribute],
                let memory = ground.report.memory.totalBytes.value, memory >= 4 << 30,
                UInt64(present) == 0
            else { return [] }
            return [
                Proposal(
                    target: .machine(attribute),
                    present: present,
                    proposed: String(bytes),
                    reason: "a share of \(memory) bytes is more than a disk writes in seconds",
                    evidence: [Evidence(source: attribute.path, value: present, says: says)],
                    source: "TuneD's profile postgresql; \(noise)",
                    effect: "others' writes hold flushes up for less long; the whole machine has it"
                )
            ]
        }
    }
}
