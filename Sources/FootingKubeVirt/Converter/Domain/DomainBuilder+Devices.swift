extension DomainBuilder {
    /// The folder of the sockets between the launcher and the domain.
    var socketFolder: String { "/var/run/kubevirt-private/\(instance.uid)" }

    func devicesElement() throws(ConversionError) -> XMLElement {
        var groups: [[XMLElement?]] = []
        groups.append(try interfaceElements())
        groups.append(channelElements())
        groups.append(try hostDeviceElements())
        groups.append(instance.devices.panicModels.map { XMLElement("panic", ["model": $0]) })
        groups.append(controllerElements())
        groups.append(videoElements())
        groups.append([balloonElement()])
        groups.append(try diskElements())
        groups.append(try inputElements())
        groups.append(serialElements())
        groups.append([watchdogElement(), randomnessElement()])
        groups.append(filesystemElements())
        groups.append(redirectionElements())
        groups.append([soundElement(), tpmElement(), try vsockElement()])
        var devices = XMLElement("devices", [:], groups.flatMap(\.self))
        if instance.isAnnotated(Self.rootComplex), architecture.isPCI {
            try RootComplex.place(&devices)
        }
        return devices
    }

    static let rootComplex = "kubevirt.io/placePCIDevicesOnRootComplex"

    static func alias(_ name: String) -> XMLElement {
        XMLElement("alias", ["name": "ua-\(name)"])
    }

    private func channelElements() -> [XMLElement?] {
        [
            XMLElement(
                "channel",
                ["type": "unix"],
                [XMLElement("target", ["name": "org.qemu.guest_agent.0", "type": "virtio"])]
            ),
            instance.devices.hasDownwardMetrics
                ? XMLElement(
                    "channel",
                    ["type": "unix"],
                    [
                        XMLElement(
                            "source",
                            [
                                "mode": "bind",
                                "path": "/var/run/kubevirt-private/downwardmetrics-channel/"
                                    + "downwardmetrics.sock",
                            ]
                        ),
                        XMLElement(
                            "target",
                            ["name": "org.github.vhostmd.1", "type": "virtio"]
                        ),
                    ]
                ) : nil,
        ]
    }

    private func videoElements() -> [XMLElement?] {
        guard instance.devices.attachesGraphics ?? true else { return [] }
        let usesBochs = context.bochsForEFI && instance.firmware?.efi != nil
        let model: String
        let memory: String?
        if let chosen = instance.devices.videoModel {
            model = chosen
            memory = "16384"
        } else if architecture == .amd64 {
            model = usesBochs ? "bochs" : "vga"
            memory = usesBochs ? nil : "16384"
        } else {
            model = "virtio"
            memory = nil
        }
        return [
            XMLElement(
                "video",
                [:],
                [XMLElement("model", ["type": model, "heads": "1", "vram": memory])]
            ),
            XMLElement(
                "graphics",
                ["type": "vnc"],
                [XMLElement("listen", ["type": "socket", "socket": "\(socketFolder)/virt-vnc"])]
            ),
        ]
    }

    private func balloonElement() -> XMLElement {
        guard instance.devices.attachesBalloon ?? true else {
            return XMLElement("memballoon", ["model": "none"])
        }
        let seconds = context.balloonStatisticsSeconds
        let isDisabled = instance.isAnnotated("kubevirt.io/free-page-reporting-disabled")
        let reports = context.reportsFreePages && !instance.isHighPerformance && !isDisabled
        return XMLElement(
            "memballoon",
            ["model": virtioModel, "freePageReporting": reports ? "on" : "off"],
            [
                seconds == 0 ? nil : XMLElement("stats", ["period": "\(seconds)"]),
                iommu.map { XMLElement("driver", ["iommu": $0]) },
            ]
        )
    }

    private func inputElements() throws(ConversionError) -> [XMLElement?] {
        var elements: [XMLElement?] = instance.devices.inputs.map { input in
            let bus = input.bus ?? "usb"
            return XMLElement(
                "input",
                [
                    "type": input.kind ?? "tablet", "bus": bus,
                    "model": bus == "virtio" ? "virtio" : nil,
                ],
                [Self.alias(input.name)]
            )
        }
        guard instance.devices.attachesGraphics ?? true, architecture != .amd64 else {
            return elements
        }
        let bus = architecture == .arm64 ? "usb" : "virtio"
        if architecture == .arm64, instance.devices.inputs.isEmpty {
            elements.append(XMLElement("input", ["type": "tablet", "bus": bus]))
        }
        elements.append(XMLElement("input", ["type": "keyboard", "bus": bus]))
        return elements
    }

    var hasSerial: Bool { instance.devices.attachesSerial ?? true }

    private func serialElements() -> [XMLElement?] {
        guard hasSerial else { return [] }
        let path = "\(socketFolder)/virt-serial0"
        let isLogged = instance.devices.logsSerial ?? context.logsSerialConsole
        return [
            XMLElement(
                "serial",
                ["type": "unix"],
                [
                    XMLElement("target", ["port": "0"]),
                    XMLElement("source", ["mode": "bind", "path": path]),
                    isLogged
                        ? XMLElement("log", ["file": "\(path)-log", "append": "on"]) : nil,
                ]
            ),
            XMLElement(
                "console",
                ["type": "pty"],
                [XMLElement("target", ["type": "serial", "port": "0"])]
            ),
        ]
    }

    private func watchdogElement() -> XMLElement? {
        instance.devices.watchdog.map { watchdog in
            XMLElement(
                "watchdog",
                [
                    "model": architecture == .s390x ? "diag288" : "i6300esb",
                    "action": watchdog.action,
                ],
                [Self.alias(watchdog.name)]
            )
        }
    }

    private func randomnessElement() -> XMLElement? {
        guard instance.devices.hasRandomness else { return nil }
        return XMLElement(
            "rng",
            ["model": virtioModel],
            [
                XMLElement("backend", ["model": "random"], text: "/dev/urandom"),
                iommu.map { XMLElement("driver", ["iommu": $0]) },
            ]
        )
    }

    private func filesystemElements() -> [XMLElement?] {
        instance.devices.filesystems.map { name in
            let socket = "/var/run/kubevirt/virtiofs-containers/\(name).sock"
            let children = [
                XMLElement(
                    "source",
                    ["dir": context.isAsKubeVirt ? "" : nil, "socket": socket]
                ),
                XMLElement("target", ["dir": name]),
                XMLElement("driver", ["type": "virtiofs", "queue": "1024"]),
            ]
            // KubeVirt spells the mode as libvirt does not, and adds an empty folder.
            return XMLElement(
                "filesystem",
                [
                    "type": "mount",
                    "accessMode": context.isAsKubeVirt ? "passthrough" : nil,
                    "accessmode": context.isAsKubeVirt ? nil : "passthrough",
                ],
                children
            )
        }
    }

    private func redirectionElements() -> [XMLElement?] {
        guard instance.devices.hasClientPassthrough else { return [] }
        return (0..<4).map { index in
            let path = "\(socketFolder)/virt-usbredir-\(index)"
            return XMLElement(
                "redirdev",
                ["type": "unix", "bus": "usb"],
                [XMLElement("source", ["mode": "bind", "path": path])]
            )
        }
    }

    private func soundElement() -> XMLElement? {
        instance.devices.sound.map { sound in
            XMLElement("sound", ["model": sound.model], [Self.alias(sound.name)])
        }
    }

    private func tpmElement() -> XMLElement? {
        instance.devices.tpm.map { tpm in
            XMLElement(
                "tpm",
                ["model": tpm.isPersistent ? "tpm-crb" : "tpm-tis"],
                [
                    XMLElement(
                        "backend",
                        [
                            "type": "emulator", "version": "2.0",
                            "persistent_state": tpm.isPersistent ? "yes" : nil,
                        ]
                    )
                ]
            )
        }
    }

    private func vsockElement() throws(ConversionError) -> XMLElement? {
        let given = instance.devices.attachesVSOCK ? context.vsockCID : nil
        guard let cid = instance.status.vsockCID ?? given else {
            guard !instance.devices.attachesVSOCK else {
                throw .missing(
                    "spec.domain.devices.autoattachVSOCK",
                    "the cluster gives a CID: give it as vsockCID in the context"
                )
            }
            return nil
        }
        return XMLElement(
            "vsock",
            ["model": "virtio-non-transitional"],
            [XMLElement("cid", ["auto": "no", "address": "\(cid)"])]
        )
    }
}
