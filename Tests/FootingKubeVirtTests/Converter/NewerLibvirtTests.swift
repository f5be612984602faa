import Testing

@testable import FootingKubeVirt

/// What the schema of libvirt 9.0 does not have: the texts are what KubeVirt's sources write.
@Suite struct NewerLibvirtTests {
    private func convert(
        _ domain: String,
        annotations: String = "{}",
        context: String = "interfaces: {net: {podInterface: eth0}}"
    ) throws -> String {
        let manifest = """
            {apiVersion: kubevirt.io/v1, kind: VirtualMachineInstance,
             metadata: {name: a, annotations: \(annotations)},
             spec: {domain: {memory: {guest: 1Gi}, \(domain)}, networks: [{name: net}]}}
            """
        return try DomainConverter.convert(manifest: [UInt8](manifest), context: [UInt8](context))
            .xml
    }

    /// The lines from one that begins an element to the one that ends it, without indentation.
    private func element(_ name: String, of xml: String) -> String {
        var lines: [Substring] = []
        for line in xml.split(separator: "\n") {
            let text = line.drop { $0 == " " }
            if !lines.isEmpty || text.hasPrefix("<\(name)") { lines.append(text) }
            if !lines.isEmpty, text == "</\(name)>" || text.hasSuffix("</\(name)>") { break }
        }
        return lines.joined(separator: "\n")
    }

    /// The ports of a passt interface, whether the pod has a proxy, and what is forwarded.
    static let forwards: [(ports: String, proxy: String, lines: [String])] = [
        ("[]", "false", [#"<portForward proto="tcp"/>"#, #"<portForward proto="udp"/>"#]),
        (
            "[{port: 80}, {port: 443, protocol: tcp}, {port: 53, protocol: UDP}]", "false",
            [
                #"<portForward proto="tcp">"#, #"<range start="80"/>"#, #"<range start="443"/>"#,
                "</portForward>", #"<portForward proto="udp">"#, #"<range start="53"/>"#,
                "</portForward>",
            ]
        ),
        (
            "[{port: 53, protocol: UDP}]", "x",
            [
                #"<portForward proto="udp">"#, #"<range start="53"/>"#, "</portForward>",
            ]
        ),
        (
            "[{port: 80}]", "True",
            [#"<portForward proto="tcp">"#]
                + [15000, 15001, 15004, 15006, 15008, 15009, 15020, 15021, 15053, 15090].map {
                    #"<range start="\#($0)" exclude="yes"/>"#
                } + [#"<range start="80"/>"#, "</portForward>"]
        ),
    ]

    @Test func `passt forwards the ports that are named, but the proxy's`() throws {
        for row in Self.forwards {
            let fields =
                "name: net, passtBinding: {}, macAddress: \"02:00:00:00:00:01\", acpiIndex: 3, "
                + "pciAddress: \"0000:10:00.0\", ports: \(row.ports)"
            let xml = try convert(
                "devices: {interfaces: [{\(fields)}]}",
                annotations: "{sidecar.istio.io/inject: \"\(row.proxy)\"}"
            )
            let lines =
                [
                    #"<interface type="vhostuser">"#,
                    #"<address type="pci" domain="0x0000" bus="0x10" slot="0x00" function="0x0"/>"#,
                    #"<source dev="eth0"/>"#, #"<model type="virtio-non-transitional"/>"#,
                    #"<mac address="02:00:00:00:00:01"/>"#, #"<alias name="ua-net"/>"#,
                    #"<acpi index="3"/>"#,
                    #"<backend type="passt" logFile="/var/run/kubevirt/passt.log"/>"#,
                ] + row.lines + ["</interface>"]
            #expect(element("interface", of: xml).split(separator: "\n").map(String.init) == lines)
            // Its memory is another process's too.
            #expect(xml.contains(#"<access mode="shared"/>"#))
        }
    }

    @Test func `passt needs the name of the pod's interface`() {
        let error = #expect(throws: ConversionError.self) {
            try convert("devices: {interfaces: [{name: net, passtBinding: {}}]}", context: "")
        }
        #expect(error?.description.contains("give interfaces.net.podInterface") == true)
    }

    @Test(arguments: [
        (
            "snp: {}", "{}",
            "<launchSecurity type=\"sev-snp\">\n<policy>0x30000</policy>\n</launchSecurity>"
        ),
        (
            "tdx: {}", "{}",
            "<launchSecurity type=\"tdx\">\n<quoteGenerationService/>\n</launchSecurity>"
        ),
        (
            "tdx: {}", "{kubevirt.io/qgs-socket-path: /run/qgs.sock}",
            "<launchSecurity type=\"tdx\">\n<quoteGenerationService path=\"/run/qgs.sock\"/>\n"
                + "</launchSecurity>"
        ),
        (
            "sev: {policy: {encryptedState: true}, session: abc, dhCert: def}", "{}",
            "<launchSecurity type=\"sev\">\n<dhCert>def</dhCert>\n<session>abc</session>\n"
                + "<policy>0x5</policy>\n</launchSecurity>"
        ),
        (
            "sev: {}", "{}",
            "<launchSecurity type=\"sev\">\n<policy>0x1</policy>\n</launchSecurity>"
        ),
    ])
    func `Each kind of an encrypted guest is named`(
        security: String,
        annotations: String,
        expected: String
    ) throws {
        let xml = try convert(
            "firmware: {bootloader: {efi: {secureBoot: false}}}, "
                + "launchSecurity: {\(security)}, devices: {autoattachPodInterface: false}",
            annotations: annotations
        )
        #expect(element("launchSecurity", of: xml) == expected)
    }
}
