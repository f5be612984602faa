// swift-tools-version: 6.3
import PackageDescription

// A package of its own: without `--sanitize=fuzzer`, which gives them their main function, fuzzers
// do not link. Scripts/fuzz.sh builds and runs them.

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// The fuzzers: what each feeds, and the module that must bear it.
let fuzzers: [(name: String, module: String)] = [
    ("FuzzHandshake", "FootingNBD"),
    ("FuzzRequests", "FootingNBD"),
    ("FuzzSuperblock", "FootingDisk"),
    ("FuzzCheckpoint", "FootingDisk"),
    ("FuzzCommitRecords", "FootingDisk"),
    ("FuzzDecompression", "FootingAcceleration"),
    ("FuzzKeySlots", "FootingAcceleration"),
    ("FuzzJSON", "FootingSystem"),
    ("FuzzMetadata", "FootingHost"),
    ("FuzzArchive", "FootingHost"),
    ("FuzzHostText", "FootingHost"),
    ("FuzzVirtioLayout", "FootingHost"),
    ("FuzzProfile", "FootingTuning"),
    ("FuzzDomain", "FootingKubeVirt"),
    ("FuzzManifest", "FootingKubeVirt"),
]

let footing: (String) -> Target.Dependency = { .product(name: $0, package: "Footing") }

let package = Package(
    name: "footing-fuzz",
    dependencies: [.package(name: "Footing", path: "..")],
    targets: [
        .target(
            name: "FuzzSupport",
            dependencies: [footing("FootingDisk"), footing("FootingSystem")],
            swiftSettings: strict
        )
    ]
        + fuzzers.map {
            .executableTarget(
                name: $0.name,
                dependencies: ["FuzzSupport", footing($0.module), footing("FootingSystem")],
                swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]
            )
        },
    swiftLanguageModes: [.v6]
)
