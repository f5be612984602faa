internal import FootingHost

/// Words for the kernel's command line, or a file in modprobe.d: read when a driver starts.
extension TuningRule {
    static let bootRules: [TuningRule] = [
        boot(
            "ebs-timeout-at-boot",
            ("nvme_core.io_timeout", "4294967295"),
            "network volumes may stall, also those that appear later",
            source: "AWS, 'NVMe I/O operation timeout' (Amazon EBS User Guide)",
            effect: "as ebs-timeout, for every NVMe device from the start"
        ) { $0.device.interface == "nvme" && $0.device.product.value == "amazon-ebs" },
        boot(
            "pvscsi-queue-at-boot",
            ("vmw_pvscsi.cmd_per_lun", "254"),
            "the adapter takes more requests for each disk than the driver's default",
            source: "VMware KB 2053145 (large-scale workloads with PVSCSI)",
            effect: "more requests under way; needs a device behind it that serves them"
        ) { $0.device.interface == "pvscsi" && ($0.device.queueDepth.value ?? 254) < 254 },
        boot(
            "pvscsi-ring-at-boot",
            ("vmw_pvscsi.ring_pages", "32"),
            "a larger ring holds the requests of several disks",
            source: "VMware KB 2053145 (large-scale workloads with PVSCSI)",
            effect: "less waiting for room in the ring"
        ) { $0.device.interface == "pvscsi" },
        boot(
            "storvsc-ring-at-boot",
            ("hv_storvsc.storvsc_ringbuffer_size", "262144"),
            "the ring of 128 KiB is shared by all disks of a controller",
            source: "drivers/scsi/storvsc_drv.c",
            effect: "less waiting for room in the ring"
        ) { $0.device.interface == "hyperv-storvsc" },
        boot(
            "blkfront-ring-at-boot",
            ("xen_blkfront.max_ring_page_order", "4"),
            "one page of a ring holds 32 requests",
            source: "drivers/block/xen-blkfront.c",
            effect: "more requests under way, where the backend takes them"
        ) { $0.device.interface == "xen-blkfront" },
        boot(
            "nvme-poll-queues-at-boot",
            ("nvme.poll_queues", "1"),
            "a queue without interrupts serves those who wait actively",
            source: "drivers/nvme/host/pci.c (poll_queues)",
            effect: "shorter waits for a processor that does nothing else"
        ) { $0.device.interface == "nvme" && $0.device.isParavirtual == false },
    ]

    private static func boot(
        _ name: String,
        _ word: (parameter: String, value: String),
        _ reason: String,
        source: String,
        effect: String,
        where holds: @escaping @Sendable (PlanDevice) -> Bool
    ) -> TuningRule {
        TuningRule(name: name) { ground in
            guard let device = ground.devices.first(where: holds) else { return [] }
            let present = ground.bootValue(word.parameter)
            if present == word.value { return [] }
            let line = "\(word.parameter)=\(word.value)"
            return [
                Proposal(
                    target: .boot(parameter: word.parameter),
                    present: present,
                    proposed: word.value,
                    reason: reason,
                    evidence: [device.interfaceEvidence],
                    source: source,
                    effect: effect,
                    risk: .needsReboot,
                    undo: "take '\(line)' out of the kernel's command line, and start again"
                )
            ]
        }
    }
}
