import FootingSystem
import Testing

@testable import FootingHost

/// What each provider's server says, without a network.
@Suite struct MetadataAnswerTests {
    private func response(_ body: String, _ header: (String, String)? = nil) -> HTTPResponse {
        var response = HTTPResponse()
        response.status = 200
        response.headers = header.map { [(name: $0.0, value: $0.1)] } ?? []
        response.body = Array(body.utf8)
        return response
    }

    private func service(_ provider: String) throws -> MetadataService {
        try #require(MetadataService.of(provider))
    }

    /// Provider, answer, then id, region, zone and type, where the first answer has them.
    private static let proven: [(String, String, [String?])] = [
        (
            "aws",
            #"{"accountId":"123456789012","architecture":"x86_64","availabilityZone":"eu-west-1b","#
                + #""instanceId":"i-0123456789abcdef0","instanceType":"m7i.large","#
                + #""region":"eu-west-1","billingProducts":null}"#,
            ["i-0123456789abcdef0", "eu-west-1", "eu-west-1b", "m7i.large"]
        ),
        (
            "azure",
            #"{"compute":{"azEnvironment":"AzurePublicCloud","location":"westeurope","zone":"2","#
                + #""vmId":"02aab8a4-74ef-476e-8182-f6d2ba4166a6","vmSize":"Standard_D4s_v5"}}"#,
            ["02aab8a4-74ef-476e-8182-f6d2ba4166a6", "westeurope", "2", "Standard_D4s_v5"]
        ),
        ("gcp", "4520031799277581759", ["4520031799277581759", nil, nil, nil]),
        (
            "oracle",
            #"{"availabilityDomain":"NWuj:PHX-AD-1","canonicalRegionName":"us-phoenix-1","#
                + #""id":"ocid1.instance.oc1.phx.xyz","region":"phx","shape":"VM.Standard1.1"}"#,
            ["ocid1.instance.oc1.phx.xyz", "us-phoenix-1", "NWuj:PHX-AD-1", "VM.Standard1.1"]
        ),
        (
            "alibaba",
            #"{"zone-id":"cn-beijing-k","instance-id":"i-2zec1slzwdzrwmvlr4w2","#
                + #""region-id":"cn-beijing","owner-account-id":"1857888888888866","#
                + #""instance-type":"ecs.g7.xlarge"}"#,
            ["i-2zec1slzwdzrwmvlr4w2", "cn-beijing", "cn-beijing-k", "ecs.g7.xlarge"]
        ),
        (
            "ibmcloud",
            #"{"crn":"crn:v1:bluemix:public:is:us-south-1:a/1::instance:0717_1e","id":"0717_1e","#
                + #""profile":{"name":"bx2-2x8"},"zone":{"name":"us-south-1"}}"#,
            ["0717_1e", nil, "us-south-1", "bx2-2x8"]
        ),
        (
            "akamai", #"{"id":30400,"region":"us-southeast","type":"g6-standard-1"}"#,
            ["30400", "us-southeast", nil, "g6-standard-1"]
        ),
        (
            "vultr",
            #"{"instance-v2-id":"29bea708-2e6e-480a-90ad-0e6b5d5ad62f","instanceid":"42872224","#
                + #""region":{"countrycode":"US","regioncode":"EWR"}}"#,
            ["29bea708-2e6e-480a-90ad-0e6b5d5ad62f", "EWR", nil, nil]
        ),
        (
            "scaleway",
            #"{"id":"6f1c1b0e-6b0b-4d8e-9f5a-0f3c2a1d9e11","commercial_type":"DEV1-S","#
                + #""location":{"zone_id":"par1"}}"#,
            ["6f1c1b0e-6b0b-4d8e-9f5a-0f3c2a1d9e11", nil, "par1", "DEV1-S"]
        ),
        (
            "exoscale", "6f1c1b0e-6b0b-4d8e-9f5a-0f3c2a1d9e11\n",
            ["6f1c1b0e-6b0b-4d8e-9f5a-0f3c2a1d9e11", nil, nil, nil]
        ),
        ("hetzner", "12345678", ["12345678", nil, nil, nil]),
        ("digitalocean", "2756294", ["2756294", nil, nil, nil]),
        (
            "openstack",
            #"{"uuid":"d8e02d56-2648-49a3-bf97-6be8f1204f38","availability_zone":"nova"}"#,
            ["d8e02d56-2648-49a3-bf97-6be8f1204f38", nil, "nova", nil]
        ),
    ]

    @Test(arguments: proven)
    func `a right answer proves its provider`(
        provider: String,
        body: String,
        facts: [String?]
    ) throws {
        let service = try service(provider)
        let answer = try MetadataAnswer(service, response(body, service.answerHeader))
        let details = [service.instanceID, service.region, service.zone, service.instanceType]
        #expect(details.map { answer.fact($0).value } == facts)
        #expect(details.allSatisfy { answer.fact($0).absence?.isEmpty != true })
    }

    @Test func `every provider has a right answer here`() {
        #expect(Self.proven.map(\.0) == MetadataService.table.map(\.provider))
    }

    @Test(arguments: proven)
    func `no provider's answer proves another one`(
        provider: String,
        body: String,
        facts: [String?]
    ) throws {
        for other in MetadataService.table where other.provider != provider {
            // A number alone proves either of these; DMI and the path tell them apart.
            let numbered = ["hetzner", "digitalocean", "gcp"]
            if numbered.contains(provider), numbered.contains(other.provider) { continue }
            let error = #expect(throws: MetadataFailure.self) {
                try MetadataAnswer(other, response(body, other.answerHeader))
            }
            #expect(error?.outcome == .unproven, "\(provider) as \(other.provider)")
        }
    }

    @Test(arguments: MetadataService.table.map(\.provider))
    func `what is no proof is unproven`(provider: String) throws {
        let service = try service(provider)
        let bodies = [
            "", " ", "{}", "[]", "null", "<html><body>Please log in</body></html>", "-1", "1e9",
            "{\"id\":{}}", "\u{1b}[2J", "123456789012345678901", "i-0123456789abcdef0",
            "02aab8a4-74ef-476e-8182-f6d2ba4166ag", "ocid1.instance.",
        ]
        for body in bodies {
            let error = #expect(throws: MetadataFailure.self, "\(body)") {
                try MetadataAnswer(service, response(body, service.answerHeader))
            }
            #expect(error?.outcome == .unproven)
            // What a server says is never repeated where it is no proof.
            #expect(error?.reason.contains("html") == false)
        }
    }

    @Test func `Google's answer needs Google's header field`() throws {
        let service = try service("gcp")
        for header in [nil, ("metadata-flavor", "google"), ("metadata", "Google")] {
            #expect(throws: MetadataFailure.self) {
                try MetadataAnswer(service, response("123", header))
            }
        }
    }

    @Test func `a detail that is no plain text is absent`() throws {
        let service = try service("oracle")
        let body = #"{"id":"ocid1.instance.x","shape":"\u001b[2J","canonicalRegionName":"","#
        let answer = try MetadataAnswer(service, response(body + #""availabilityDomain":7}"#))
        #expect(answer.fact(service.instanceType).value == nil)
        #expect(answer.fact(service.region).value == nil)
        #expect(answer.fact(service.zone).value == "7")
    }

    @Test func `a further answer gives the last name, and the region of a zone`() throws {
        let service = try service("gcp")
        let answer = try MetadataAnswer(service, response("123", service.answerHeader))
        let zone = Fact.known("projects/7/zones/europe-west1-b")
        #expect(answer.fact(service.zone, further: zone).value == "europe-west1-b")
        #expect(answer.fact(service.region, further: zone).value == "europe-west1")
        #expect(answer.fact(service.region, further: .known("nowhere")).value == nil)
        #expect(answer.fact(service.region, further: .absent("late")).absence == "late")
    }

    @Test func `a token is one word`() throws {
        let plain = MetadataService.Token(request: MetadataRequest(path: "/"), header: "T")
        #expect(try MetadataAnswer.token(plain, response("AQAEA==\n")) == "AQAEA==")
        #expect(try MetadataAnswer.token(plain, response(#"["one"]"#)) == "one")
        var member = plain
        member.member = "access_token"
        #expect(try MetadataAnswer.token(member, response(#"{"access_token":"x"}"#)) == "x")
        let bad = [
            "", "two words", "line\r\nX-Header: y", "<html></html>", "tök", #"["a","b"]"#,
            String(repeating: "x", count: 4097),
        ]
        for body in bad {
            #expect(throws: MetadataFailure.self) {
                try MetadataAnswer.token(plain, response(body))
            }
        }
        for body in ["x", "{}", #"{"access_token":"a\r\nb"}"#, #"{"access_token":1}"#] {
            #expect(throws: MetadataFailure.self) {
                try MetadataAnswer.token(member, response(body))
            }
        }
    }

    @Test func `only listed addresses are asked, Alibaba's only by DMI`() {
        #expect(MetadataAddress.common.number == 0xa9fe_a9fe)
        #expect(MetadataAddress.scaleway.number == 0xa9fe_2a2a)
        #expect(MetadataAddress.alibaba.number == 0x6464_64c8)
        let candidates = MetadataService.candidates.map(\.provider)
        #expect(!candidates.contains("alibaba"))
        #expect(candidates.count == MetadataService.table.count - 1)
        // The kernel's own error, before any packet: the check is in the lowest layer.
        for address: UInt32 in [0x0808_0808, 0x7f00_0001, 0x0a00_0001, 0x6464_64c9, 0xa9fd_a9fe] {
            #expect(throws: Errno.permissionDenied) {
                _ = try Socket.connect(metadataAddress: address)
            }
        }
    }

    @Test func `on EC2 nothing is asked without a token`() throws {
        let aws = try service("aws")
        #expect(aws.token?.request.method == "PUT")
        let request = aws.request(aws.path, token: "secret")
        let text = String(decoding: request.bytes(host: "169.254.169.254"), as: UTF8.self)
        #expect(
            text == """
                GET /latest/dynamic/instance-identity/document HTTP/1.1\r
                Host: 169.254.169.254\r
                User-Agent: footing\r
                X-aws-ec2-metadata-token: secret\r
                Connection: close\r
                \r

                """
        )
    }
}
