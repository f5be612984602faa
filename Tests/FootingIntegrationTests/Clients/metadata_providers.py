"""What the metadata server of each provider answers, as its documents have it.

Each provider is a dictionary:
  dmi       the files of /sys/class/dmi/id that name it
  address   where its server is
  answers   (method, path) -> (header fields that must be there, status, header fields, body)
  asked     the requests that must be made, in their order, and no other
  facts     what `cloud.metadata` must hold in the end
"""

import json

COMMON = "169.254.169.254"
SECRET = "AQAEAsecret-token=="


def document(value):
    return {"Content-Type": "application/json"}, json.dumps(value).encode()


def text(value):
    return {"Content-Type": "text/plain"}, value.encode()


def google(value):
    return {"Metadata-Flavor": "Google", "Content-Type": "application/text"}, value.encode()


def facts(instance, region=None, zone=None, kind=None):
    return {"instanceId": instance, "region": region, "zone": zone, "instanceType": kind}


def provider(dmi, answers, expected, address=COMMON):
    return {
        "dmi": dmi,
        "address": address,
        "answers": {
            (method, path): (wanted, 200, *answer)
            for (method, path, wanted, answer) in answers
        },
        "asked": [(method, path) for (method, path, _, _) in answers],
        "facts": expected,
    }


UUID = "d8e02d56-2648-49a3-bf97-6be8f1204f38"

PROVIDERS = {
    "aws": provider(
        {"sys_vendor": "Amazon EC2", "bios_vendor": "Amazon EC2"},
        [
            ("PUT", "/latest/api/token", {"x-aws-ec2-metadata-token-ttl-seconds": "60"},
             text(SECRET)),
            ("GET", "/latest/dynamic/instance-identity/document",
             {"x-aws-ec2-metadata-token": SECRET},
             document({
                 "accountId": "123456789012", "architecture": "x86_64",
                 "availabilityZone": "eu-west-1b", "billingProducts": None,
                 "devpayProductCodes": None, "imageId": "ami-5fb8c835",
                 "instanceId": "i-0123456789abcdef0", "instanceType": "m7i.large",
                 "kernelId": None, "pendingTime": "2026-11-19T16:32:11Z",
                 "privateIp": "10.158.112.84", "region": "eu-west-1", "version": "2017-09-30",
             })),
        ],
        facts("i-0123456789abcdef0", "eu-west-1", "eu-west-1b", "m7i.large"),
    ),
    "azure": provider(
        {"chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77",
         "sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine"},
        [
            ("GET", "/metadata/instance?api-version=2021-02-01", {"metadata": "true"},
             document({
                 "compute": {
                     "azEnvironment": "AzurePublicCloud", "location": "westeurope", "zone": "2",
                     "vmId": "02aab8a4-74ef-476e-8182-f6d2ba4166a6",
                     "vmSize": "Standard_D4s_v5", "tagsList": [], "isVmInStandbyPool": "",
                 },
                 "network": {"interface": [{"macAddress": "0011AAFFBB22"}]},
             })),
        ],
        facts("02aab8a4-74ef-476e-8182-f6d2ba4166a6", "westeurope", "2", "Standard_D4s_v5"),
    ),
    "gcp": provider(
        {"product_name": "Google Compute Engine", "sys_vendor": "Google"},
        [
            ("GET", "/computeMetadata/v1/instance/id", {"metadata-flavor": "Google"},
             google("4520031799277581759")),
            ("GET", "/computeMetadata/v1/instance/zone", {"metadata-flavor": "Google"},
             google("projects/123456789012/zones/europe-west1-b")),
            ("GET", "/computeMetadata/v1/instance/machine-type", {"metadata-flavor": "Google"},
             google("projects/123456789012/machineTypes/n2-standard-4")),
        ],
        facts("4520031799277581759", "europe-west1", "europe-west1-b", "n2-standard-4"),
    ),
    "oracle": provider(
        {"chassis_asset_tag": "OracleCloud.com", "sys_vendor": "QEMU"},
        [
            ("GET", "/opc/v2/instance/", {"authorization": "Bearer Oracle"},
             document({
                 "availabilityDomain": "EMIr:PHX-AD-1", "canonicalRegionName": "us-phoenix-1",
                 "id": "ocid1.instance.oc1.phx.exampleuniqueID", "region": "phx",
                 "shape": "VM.Standard.E4.Flex", "timeCreated": 1600381928581,
                 "metadata": {"ssh_authorized_keys": "example-ssh-key"},
             })),
        ],
        facts("ocid1.instance.oc1.phx.exampleuniqueID", "us-phoenix-1", "EMIr:PHX-AD-1",
              "VM.Standard.E4.Flex"),
    ),
    "alibaba": provider(
        {"product_name": "Alibaba Cloud ECS", "sys_vendor": "Alibaba Cloud"},
        [
            ("PUT", "/latest/api/token", {"x-aliyun-ecs-metadata-token-ttl-seconds": "60"},
             text(SECRET)),
            ("GET", "/latest/dynamic/instance-identity/document",
             {"x-aliyun-ecs-metadata-token": SECRET},
             document({
                 "zone-id": "cn-beijing-k", "instance-id": "i-2zec1slzwdzrwmvlr4w2",
                 "region-id": "cn-beijing", "owner-account-id": "1857888888888866",
                 "mac": "00:16:3e:2c:f3:7f", "instance-type": "ecs.g7.xlarge",
             })),
        ],
        facts("i-2zec1slzwdzrwmvlr4w2", "cn-beijing", "cn-beijing-k", "ecs.g7.xlarge"),
        "100.100.100.200",
    ),
    "ibmcloud": provider(
        {"chassis_vendor": "IBM:Cloud Compute Server 1.0:bx2-2x8", "sys_vendor": "QEMU"},
        [
            ("PUT", "/instance_identity/v1/token?version=2022-03-01",
             {"metadata-flavor": "ibm", "content-length": "18"},
             document({"access_token": SECRET, "expires_in": 300})),
            ("GET", "/metadata/v1/instance?version=2022-03-01",
             {"authorization": "Bearer " + SECRET},
             document({
                 "crn": "crn:v1:bluemix:public:is:us-south-1:a/123456::instance:0717_1e09281b",
                 "id": "0717_1e09281b", "profile": {"name": "bx2-2x8"},
                 "zone": {"name": "us-south-1"}, "memory": 8,
             })),
        ],
        facts("0717_1e09281b", None, "us-south-1", "bx2-2x8"),
    ),
    "akamai": provider(
        {"sys_vendor": "Akamai"},
        [
            ("PUT", "/v1/token", {"metadata-token-expiry-seconds": "60"}, text(SECRET)),
            ("GET", "/v1/instance", {"metadata-token": SECRET, "accept": "application/json"},
             document({
                 "id": 30400, "region": "us-southeast", "type": "g6-standard-1",
                 "host_uuid": "3a3ddd59d9a78bb8de041391075df44de62bfec8", "tags": [],
                 "specs": {"vcpus": 1, "memory": 2048, "gpus": 0, "transfer": 2000},
             })),
        ],
        facts("30400", "us-southeast", None, "g6-standard-1"),
    ),
    "vultr": provider(
        {"sys_vendor": "Vultr"},
        [
            ("GET", "/v1.json", {"metadata-token": "cloudinit"},
             document({
                 "hostname": "host", "instance-v2-id": "29bea708-2e6e-480a-90ad-0e6b5d5ad62f",
                 "instanceid": "42872224", "region": {"countrycode": "US", "regioncode": "EWR"},
                 "user-data": [], "bgp": {"ipv4": {"my-asn": ""}},
             })),
        ],
        facts("29bea708-2e6e-480a-90ad-0e6b5d5ad62f", "EWR"),
    ),
    "scaleway": provider(
        {"sys_vendor": "Scaleway"},
        [
            ("GET", "/conf?format=json", {},
             document({
                 "id": "6f1c1b0e-6b0b-4d8e-9f5a-0f3c2a1d9e11", "commercial_type": "DEV1-S",
                 "location": {"platform_id": "13", "zone_id": "par1"}, "ipv6": None,
             })),
        ],
        facts("6f1c1b0e-6b0b-4d8e-9f5a-0f3c2a1d9e11", None, "par1", "DEV1-S"),
        "169.254.42.42",
    ),
    "exoscale": provider(
        {"product_name": "Exoscale Compute Platform"},
        [
            ("GET", "/latest/meta-data/instance-id", {}, text(UUID)),
            ("GET", "/latest/meta-data/availability-zone", {}, text("ch-gva-2")),
            ("GET", "/latest/meta-data/service-offering", {}, text("standard.medium")),
        ],
        facts(UUID, None, "ch-gva-2", "standard.medium"),
    ),
    "hetzner": provider(
        {"sys_vendor": "Hetzner", "product_name": "vServer"},
        [
            ("GET", "/hetzner/v1/metadata/instance-id", {}, text("12345678")),
            ("GET", "/hetzner/v1/metadata/region", {}, text("eu-central")),
            ("GET", "/hetzner/v1/metadata/availability-zone", {}, text("hel1-dc2")),
        ],
        facts("12345678", "eu-central", "hel1-dc2"),
    ),
    "digitalocean": provider(
        {"sys_vendor": "DigitalOcean"},
        [
            ("GET", "/metadata/v1/id", {}, text("2756294")),
            ("GET", "/metadata/v1/region", {}, text("nyc3")),
        ],
        facts("2756294", "nyc3"),
    ),
    "openstack": provider(
        {"product_name": "OpenStack Nova", "sys_vendor": "OpenStack Foundation"},
        [
            ("GET", "/openstack/latest/meta_data.json", {},
             document({"uuid": UUID, "availability_zone": "nova", "launch_index": 0,
                       "random_seed": "yu5ZnkqF2CqnDZVAfZgarG", "devices": []})),
        ],
        facts(UUID, None, "nova"),
    ),
}
