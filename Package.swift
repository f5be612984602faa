// swift-tools-version: 6.3
import PackageDescription

/// Every Swift target is built under the same strict rules; a warning is an error.
let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// Intel's library for AES-GCM; its archive, as the shared library does not show what is used.
#if arch(x86_64)
    let multiBuffer = [":libIPSec_MB.a"]
#else
    let multiBuffer: [String] = []
#endif

/// The library modules and what each may import: the arrows of docs/ARCHITECTURE.md.
let modules: [(name: String, imports: [Target.Dependency])] = [
    ("FootingSystem", ["CFooting", "CZlib"]),
    ("FootingHost", ["FootingSystem", "CFooting"]),
    (
        "FootingAcceleration",
        [
            "FootingHost", "FootingSystem", "CFooting", "CFootingGCM", "CLZ4", "CDeflate",
            "CCrypto", "CQAT",
        ]
    ),
    ("FootingMemory", ["FootingHost", "FootingSystem", "CFooting"]),
    ("FootingDisk", ["FootingAcceleration", "FootingSystem", "CFooting"]),
    ("FootingNBD", ["FootingDisk", "FootingSystem"]),
    ("FootingDeployment", ["FootingHost", "FootingSystem"]),
    ("FootingTuning", ["FootingDeployment", "FootingDisk", "FootingHost", "FootingSystem"]),
    ("FootingLifecycle", ["FootingSystem"]),
    (
        "FootingCommands",
        [
            "FootingLifecycle", "FootingTuning", "FootingDeployment", "FootingMemory",
            "FootingHost", "FootingNBD", "FootingDisk", "FootingAcceleration", "FootingSystem",
        ]
    ),
    (
        "FootingNBDKit",
        ["FootingCommands", "FootingNBD", "FootingDisk", "FootingSystem", "CNBDKit"]
    ),
    ("FootingKubeVirt", ["FootingSystem", "CFootingXML", "CLibYAML"]),
    (
        "FootingKubeVirtCommands",
        ["FootingKubeVirt", "FootingCommands", "FootingSystem"]
    ),
]

let package = Package(
    name: "footing",
    products: modules.map { .library(name: $0.name, targets: [$0.name]) } + [
        .executable(name: "footing", targets: ["footing"]),
        .executable(name: "footing-kubevirt", targets: ["footing-kubevirt"]),
        // For tests alone, which load it by its path.
        .library(name: "footing-qat-stand-in", type: .dynamic, targets: ["CQATStandIn"]),
    ],
    targets: [
        .target(
            name: "CFooting",
            cSettings: [
                .treatAllWarnings(as: .error), .enableWarning("all"), .enableWarning("extra"),
            ],
            // Debian: liburing-dev; the static library is in the program.
            linkerSettings: [.linkedLibrary("uring")]
        ),
        .target(
            name: "CQAT",
            cSettings: [
                .treatAllWarnings(as: .error), .enableWarning("all"), .enableWarning("extra"),
            ]
        ),
        // Debian: libipsec-mb-dev, of whose static library a few functions are taken.
        .target(
            name: "CFootingGCM",
            cSettings: [
                .treatAllWarnings(as: .error), .enableWarning("all"), .enableWarning("extra"),
            ],
            linkerSettings: multiBuffer.map { .linkedLibrary($0) }
        ),
        // Debian: nbdkit-plugin-dev.
        .target(
            name: "CNBDKit",
            cSettings: [
                .treatAllWarnings(as: .error), .enableWarning("all"), .enableWarning("extra"),
            ]
        ),
        .target(
            name: "CQATStandIn",
            dependencies: ["CQAT"],
            path: "Tests/CQATStandIn",
            cSettings: [
                .treatAllWarnings(as: .error), .enableWarning("all"), .enableWarning("extra"),
            ],
            linkerSettings: [.linkedLibrary("z"), .linkedLibrary("crypto")]
        ),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CLZ4", providers: [.apt(["liblz4-dev"])]),
        .systemLibrary(name: "CDeflate", providers: [.apt(["libdeflate-dev"])]),
        .systemLibrary(name: "CCrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CLibXML2",
            pkgConfig: "libxml-2.0",
            providers: [.apt(["libxml2-dev"])]
        ),
        .systemLibrary(
            name: "CLibYAML",
            pkgConfig: "yaml-0.1",
            providers: [.apt(["libyaml-dev"])]
        ),
        // What libxml2 reads, as a table: its callbacks are made for C.
        .target(
            name: "CFootingXML",
            dependencies: ["CLibXML2"],
            cSettings: [
                .treatAllWarnings(as: .error), .enableWarning("all"), .enableWarning("extra"),
            ]
        ),
        .executableTarget(
            name: "footing",
            dependencies: ["FootingCommands"],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "footing-kubevirt",
            dependencies: ["FootingKubeVirtCommands"],
            swiftSettings: strict
        ),
        .target(
            name: "CFootingTesting",
            dependencies: ["CFooting"],
            path: "Tests/CFootingTesting"
        ),
        .target(
            name: "FootingSimulation",
            dependencies: ["FootingAcceleration", "FootingDisk", "FootingSystem"],
            path: "Tests/FootingSimulation",
            swiftSettings: strict
        ),
        .target(
            name: "FootingTestSupport",
            dependencies: ["FootingSystem"],
            path: "Tests/FootingTestSupport",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "footing-simulate",
            dependencies: ["FootingSimulation", "FootingDisk", "FootingSystem"],
            path: "Tests/footing-simulate",
            swiftSettings: strict
        ),
    ]
        + modules.map {
            .target(name: $0.name, dependencies: $0.imports, swiftSettings: strict)
        }
        + [
            .testTarget(
                name: "FootingSystemTests",
                dependencies: ["FootingTestSupport", "FootingSystem", "CFootingTesting"],
                swiftSettings: strict
            ),
            .testTarget(
                name: "FootingHostTests",
                dependencies: [
                    "FootingHost", "FootingDeployment", "FootingTestSupport", "FootingSystem",
                ],
                exclude: ["Fixtures"],
                swiftSettings: strict
            ),
            .testTarget(
                name: "FootingAccelerationTests",
                dependencies: ["FootingAcceleration", "FootingTestSupport", "FootingSystem"],
                swiftSettings: strict
            ),
            .testTarget(
                name: "FootingLifecycleTests",
                dependencies: ["FootingLifecycle", "FootingSystem"],
                swiftSettings: strict
            ),
            .testTarget(
                name: "FootingTuningTests",
                dependencies: [
                    "FootingTuning", "FootingDeployment", "FootingDisk", "FootingHost",
                    "FootingTestSupport", "FootingSystem",
                ],
                swiftSettings: strict
            ),
            .testTarget(
                name: "FootingMemoryTests",
                dependencies: [
                    "FootingMemory", "FootingHost", "FootingTestSupport", "FootingSystem",
                ],
                swiftSettings: strict
            ),
            .testTarget(
                name: "FootingDiskTests",
                dependencies: [
                    "FootingDisk", "FootingSimulation", "FootingTestSupport",
                    "FootingAcceleration", "FootingSystem", "CFootingTesting",
                ],
                swiftSettings: strict
            ),
            .testTarget(
                name: "FootingNBDTests",
                dependencies: [
                    "FootingNBD", "FootingDisk", "FootingSimulation", "FootingTestSupport",
                    "FootingSystem",
                ],
                swiftSettings: strict
            ),
            .testTarget(
                name: "FootingCommandsTests",
                dependencies: [
                    "FootingCommands", "FootingTuning", "FootingLifecycle", "FootingMemory",
                    "FootingDisk", "FootingAcceleration", "FootingTestSupport", "FootingSystem",
                ],
                swiftSettings: strict
            ),
            .testTarget(
                name: "FootingKubeVirtTests",
                dependencies: [
                    "FootingKubeVirt", "FootingKubeVirtCommands", "FootingTestSupport",
                    "FootingSystem",
                ],
                exclude: ["Fixtures"],
                swiftSettings: strict
            ),
            .testTarget(
                name: "FootingIntegrationTests",
                dependencies: ["FootingSystem"],
                exclude: ["Clients"],
                swiftSettings: strict
            ),
            .testTarget(
                name: "FootingGuestTests",
                dependencies: ["FootingSystem"],
                exclude: ["Init"],
                swiftSettings: strict
            ),
            .testTarget(name: "TidyTests", dependencies: ["FootingSystem"], swiftSettings: strict),
        ],
    swiftLanguageModes: [.v6]
)

// Tests spend their time in what they test, the simulations above all. Not the tests themselves:
// they hand out addresses of what an optimiser thinks is not used any more.
if Context.environment["FOOTING_OPTIMIZED"] == "1" {
    for target in package.targets where [.regular, .executable].contains(target.type) {
        target.swiftSettings = (target.swiftSettings ?? []) + [.unsafeFlags(["-O"])]
    }
}

// Under a sanitizer only what runs in the tests' own process is of use, not what starts programs
// and guests.
if Context.environment["FOOTING_SANITIZED"] == "1" {
    let others = ["FootingIntegrationTests", "FootingGuestTests", "TidyTests"]
    package.targets.removeAll { others.contains($0.name) }
}
