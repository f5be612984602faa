// swift-tools-version: 6.3
import PackageDescription

/// The NBD server on a memory disk or a plain file, to be measured against other servers.
let package = Package(
    name: "nbd-bench",
    dependencies: [.package(name: "footing", path: "../..")],
    targets: [
        .executableTarget(
            name: "nbd-bench-server",
            dependencies: [
                .product(name: "FootingNBD", package: "footing"),
                .product(name: "FootingSystem", package: "footing"),
            ],
            swiftSettings: [.strictMemorySafety()]
        )
    ],
    swiftLanguageModes: [.v6]
)
