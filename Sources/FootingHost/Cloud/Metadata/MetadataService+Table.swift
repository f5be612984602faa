extension MetadataService {
    /// The service of a provider; nil if none is known here.
    static func of(_ provider: String) -> MetadataService? {
        table.first { $0.provider == provider }
    }

    /// What is asked on the operator's word where DMI names no provider: all are link-local.
    static var candidates: [MetadataService] { table.filter(\.address.isLinkLocal) }

    /// One entry for each provider.
    ///
    /// The order is that of the candidates: first those whose proof is
    /// the hardest to meet by chance, last those that others imitate.
    ///
    /// Tencent is missing: its server is known by a DNS name, and no literal address is documented.
    static let table: [MetadataService] = [
        aws, azure, gcp, oracle, alibaba, ibmcloud, akamai, vultr, scaleway, exoscale, hetzner,
        digitalocean, openstack,
    ]

    // https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html
    private static let aws = MetadataService(
        provider: "aws",
        token: Token(
            request: MetadataRequest(
                method: "PUT",
                path: "/latest/api/token",
                headers: [("X-aws-ec2-metadata-token-ttl-seconds", "60")]
            ),
            header: "X-aws-ec2-metadata-token"
        ),
        path: "/latest/dynamic/instance-identity/document",
        proofs: [
            Proof(.member("instanceId"), .hexadecimal(after: "i-", count: 8...17)),
            Proof(.member("region"), .word),
            Proof(.member("accountId"), .digits),
        ],
        instanceID: Detail(.member("instanceId")),
        region: Detail(.member("region")),
        zone: Detail(.member("availabilityZone")),
        instanceType: Detail(.member("instanceType"))
    )

    // https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service
    private static let azure = MetadataService(
        provider: "azure",
        headers: [("Metadata", "true")],
        path: "/metadata/instance?api-version=2021-02-01",
        proofs: [
            Proof(.member("compute.vmId"), .uuid),
            Proof(.member("compute.azEnvironment"), .beginning("Azure")),
        ],
        instanceID: Detail(.member("compute.vmId")),
        region: Detail(.member("compute.location")),
        zone: Detail(.member("compute.zone")),
        instanceType: Detail(.member("compute.vmSize"))
    )

    // https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys
    private static let gcp = MetadataService(
        provider: "gcp",
        headers: [("Metadata-Flavor", "Google")],
        path: "/computeMetadata/v1/instance/id",
        answerHeader: ("metadata-flavor", "Google"),
        proofs: [Proof(.body, .digits)],
        instanceID: Detail(.body),
        region: Detail(.further("/computeMetadata/v1/instance/zone"), .regionOfZone),
        zone: Detail(.further("/computeMetadata/v1/instance/zone"), .lastName),
        instanceType: Detail(.further("/computeMetadata/v1/instance/machine-type"), .lastName)
    )

    // https://docs.oracle.com/iaas/Content/Compute/Tasks/gettingmetadata.htm; version 2 only.
    private static let oracle = MetadataService(
        provider: "oracle",
        headers: [("Authorization", "Bearer Oracle")],
        path: "/opc/v2/instance/",
        proofs: [Proof(.member("id"), .beginning("ocid1.instance."))],
        instanceID: Detail(.member("id")),
        region: Detail(.member("canonicalRegionName")),
        zone: Detail(.member("availabilityDomain")),
        instanceType: Detail(.member("shape"))
    )

    // https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata, hardened mode.
    private static let alibaba = MetadataService(
        provider: "alibaba",
        address: .alibaba,
        token: Token(
            request: MetadataRequest(
                method: "PUT",
                path: "/latest/api/token",
                headers: [("X-aliyun-ecs-metadata-token-ttl-seconds", "60")]
            ),
            header: "X-aliyun-ecs-metadata-token"
        ),
        path: "/latest/dynamic/instance-identity/document",
        proofs: [
            Proof(.member("instance-id"), .beginning("i-")),
            Proof(.member("region-id"), .word),
            Proof(.member("owner-account-id"), .digits),
        ],
        instanceID: Detail(.member("instance-id")),
        region: Detail(.member("region-id")),
        zone: Detail(.member("zone-id")),
        instanceType: Detail(.member("instance-type"))
    )

    // https://cloud.ibm.com/apidocs/vpc-metadata; off by default, and perhaps on TLS only.
    private static let ibmcloud = MetadataService(
        provider: "ibmcloud",
        token: Token(
            request: MetadataRequest(
                method: "PUT",
                path: "/instance_identity/v1/token?version=2022-03-01",
                headers: [
                    ("Metadata-Flavor", "ibm"), ("Content-Type", "application/json"),
                    ("Accept", "application/json"),
                ],
                body: #"{"expires_in":300}"#
            ),
            member: "access_token",
            header: "Authorization",
            prefix: "Bearer "
        ),
        headers: [("Accept", "application/json")],
        path: "/metadata/v1/instance?version=2022-03-01",
        proofs: [
            Proof(.member("crn"), .beginning("crn:v1:")),
            Proof(.member("id"), .word),
        ],
        instanceID: Detail(.member("id")),
        zone: Detail(.member("zone.name")),
        instanceType: Detail(.member("profile.name"))
    )

    // https://techdocs.akamai.com/cloud-computing/docs/metadata-service-api
    private static let akamai = MetadataService(
        provider: "akamai",
        token: Token(
            request: MetadataRequest(
                method: "PUT",
                path: "/v1/token",
                headers: [("Metadata-Token-Expiry-Seconds", "60")]
            ),
            header: "Metadata-Token"
        ),
        headers: [("Accept", "application/json")],
        path: "/v1/instance",
        proofs: [
            Proof(.member("id"), .digits),
            Proof(.member("region"), .word),
            Proof(.member("type"), .word),
        ],
        instanceID: Detail(.member("id")),
        region: Detail(.member("region")),
        instanceType: Detail(.member("type"))
    )

    // https://www.vultr.com/metadata/
    private static let vultr = MetadataService(
        provider: "vultr",
        headers: [("Metadata-Token", "cloudinit")],
        path: "/v1.json",
        proofs: [
            Proof(.member("instance-v2-id"), .uuid),
            Proof(.member("region.regioncode"), .word),
        ],
        instanceID: Detail(.member("instance-v2-id")),
        region: Detail(.member("region.regioncode"))
    )

    // https://www.scaleway.com/en/docs/instances/how-to/use-cloud-init/
    private static let scaleway = MetadataService(
        provider: "scaleway",
        address: .scaleway,
        path: "/conf?format=json",
        proofs: [
            Proof(.member("id"), .uuid),
            Proof(.member("commercial_type"), .word),
        ],
        instanceID: Detail(.member("id")),
        zone: Detail(.member("location.zone_id")),
        instanceType: Detail(.member("commercial_type"))
    )

    // https://community.exoscale.com/product/compute/instances/how-to/cloud-init-user-data/
    private static let exoscale = MetadataService(
        provider: "exoscale",
        path: "/latest/meta-data/instance-id",
        proofs: [Proof(.body, .uuid)],
        instanceID: Detail(.body),
        zone: Detail(.further("/latest/meta-data/availability-zone")),
        instanceType: Detail(.further("/latest/meta-data/service-offering"))
    )

    // https://docs.hetzner.cloud/reference/cloud#server-metadata
    private static let hetzner = MetadataService(
        provider: "hetzner",
        path: "/hetzner/v1/metadata/instance-id",
        proofs: [Proof(.body, .digits)],
        instanceID: Detail(.body),
        region: Detail(.further("/hetzner/v1/metadata/region")),
        zone: Detail(.further("/hetzner/v1/metadata/availability-zone"))
    )

    // https://docs.digitalocean.com/reference/api/metadata/
    private static let digitalocean = MetadataService(
        provider: "digitalocean",
        path: "/metadata/v1/id",
        proofs: [Proof(.body, .digits)],
        instanceID: Detail(.body),
        region: Detail(.further("/metadata/v1/region"))
    )

    // https://docs.openstack.org/nova/latest/user/metadata.html
    private static let openstack = MetadataService(
        provider: "openstack",
        path: "/openstack/latest/meta_data.json",
        proofs: [Proof(.member("uuid"), .uuid)],
        instanceID: Detail(.member("uuid")),
        zone: Detail(.member("availability_zone"))
    )
}
