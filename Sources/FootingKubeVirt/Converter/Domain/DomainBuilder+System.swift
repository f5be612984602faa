extension DomainBuilder {
    /// `<os>`.
    func systemElement() throws(ConversionError) -> XMLElement {
        let boot = instance.firmware?.kernelBoot
        let firmware = try firmwareElements()
        return XMLElement(
            "os",
            ["firmware": firmware.isSelected ? "efi" : nil],
            [
                firmware.isSelected ? selectedFirmwareElement : nil,
                XMLElement(
                    "type",
                    ["arch": architecture.libvirtName, "machine": instance.machineType],
                    text: "hvm"
                ),
                try tablesElement(),
                architecture.isPCI ? XMLElement("smbios", ["mode": "sysinfo"]) : nil,
                instance.startsPaused
                    ? XMLElement("bootmenu", ["enable": "yes", "timeout": "10000"]) : nil,
                instance.firmware?.usesSerial == true
                    ? XMLElement("bios", ["useserial": "yes"]) : nil,
                firmware.loader,
                firmware.variables,
                try kernelElement("kernel", boot?.kernelPath),
                try kernelElement("initrd", boot?.initrdPath),
                boot?.arguments.map { XMLElement("cmdline", text: $0) },
            ]
        )
    }

    private struct FirmwareElements {
        var isSelected = false
        var loader: XMLElement?
        var variables: XMLElement?
    }

    private var selectedFirmwareElement: XMLElement {
        XMLElement(
            "firmware",
            [:],
            ["secure-boot", "enrolled-keys"].map {
                XMLElement("feature", ["enabled": "yes", "name": $0])
            }
        )
    }

    private func firmwareElements() throws(ConversionError) -> FirmwareElements {
        guard let efi = instance.firmware?.efi else { return FirmwareElements() }
        let isSecure = efi.isSecure ?? true
        let folder =
            context.isNonRoot
            ? "/var/run/kubevirt-private/libvirt/qemu/nvram" : "/var/lib/libvirt/qemu/nvram"
        let file = "\(folder)/\(instance.name)_VARS.fd"
        if context.firmware?.selectsItself == true, isSecure, !isEncrypted {
            // On arm64 libvirt keeps the variables in a store of its own.
            return FirmwareElements(
                isSelected: true,
                variables: architecture == .arm64
                    ? nil : XMLElement("nvram", ["format": "raw"], text: file)
            )
        }
        let (code, variables) = firmwareFiles(isSecure: isSecure)
        let isLoaderSecure = context.firmware?.isSecure ?? (isSecure && !isTDX)
        var isStateless = isTDX
        if case .snp = instance.launchSecurity { isStateless = true }
        return FirmwareElements(
            loader: XMLElement(
                "loader",
                [
                    "readonly": "yes", "secure": isLoaderSecure ? "yes" : "no",
                    "type": isStateless ? "rom" : "pflash",
                ],
                text: code
            ),
            variables: isStateless
                ? nil : XMLElement("nvram", ["template": variables.nonEmpty], text: file)
        )
    }

    /// The files of the context, or those that KubeVirt's own image has.
    private func firmwareFiles(isSecure: Bool) -> (code: String, variables: String) {
        if let firmware = context.firmware, !firmware.selectsItself {
            return (firmware.code, firmware.variables)
        }
        if architecture == .arm64 {
            return ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd")
        }
        let folder = "/usr/share/edk2/ovmf"
        switch instance.launchSecurity {
        case .sev: return ("\(folder)/OVMF_CODE.cc.fd", "\(folder)/OVMF_VARS.fd")
        case .snp: return ("\(folder)/OVMF.amdsev.fd", "")
        case .tdx:
            return ("\(folder)/OVMF.inteltdx\(isSecure ? ".secboot" : "").fd", "")
        case nil, .unnamed:
            return (
                "\(folder)/OVMF_CODE.secboot.fd",
                "\(folder)/OVMF_VARS\(isSecure ? ".secboot" : "").fd"
            )
        }
    }

    private func kernelElement(
        _ name: String,
        _ path: String?
    ) throws(ConversionError) -> XMLElement? {
        guard let path else { return nil }
        guard let file = path.split(separator: "/").last, file != ".." else {
            throw .impossible("spec.domain.firmware.kernelBoot.container: \(path) is no file")
        }
        let folder = "/var/run/kubevirt/container-disks/kernel-boot"
        return XMLElement(name, text: "\(folder)/\(file)")
    }

    /// ACPI tables from secrets, as Windows' licence.
    private func tablesElement() throws(ConversionError) -> XMLElement? {
        guard let tables = instance.firmware?.tables, !tables.isEmpty else { return nil }
        var elements: [XMLElement] = []
        for table in tables {
            let volume = instance.volumes.first { $0.name == table.volume }
            guard volume?.source == .secret else {
                throw .impossible(
                    "spec.domain.firmware.acpi: “\(table.volume)” is no volume with a secret"
                )
            }
            let path = "/var/run/kubevirt-private/secret/\(table.volume)/\(table.kind).bin"
            elements.append(XMLElement("table", ["type": table.kind], text: path))
        }
        return XMLElement("acpi", [:], elements)
    }

    /// The element `<sysinfo>`.
    ///
    /// libvirt's schema refuses parts without entries, which KubeVirt writes.
    func informationElement() -> XMLElement {
        var system: [(name: String, value: String)] = []
        if let firmware = instance.firmware {
            if let uuid = firmware.uuid { system.append(("uuid", uuid)) }
            if let serial = firmware.serial { system.append(("serial", serial)) }
        }
        system += context.smbios
        return XMLElement(
            "sysinfo",
            ["type": "smbios"],
            [
                entries("system", system), entries("bios", []), entries("baseBoard", []),
                entries("chassis", instance.chassis ?? []),
            ]
        )
    }

    private func entries(
        _ name: String,
        _ entries: [(name: String, value: String)]
    ) -> XMLElement? {
        guard !entries.isEmpty || context.isAsKubeVirt else { return nil }
        return XMLElement(
            name,
            [:],
            entries.map { XMLElement("entry", ["name": $0.name], text: $0.value) }
        )
    }
}
