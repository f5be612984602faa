#!/usr/bin/env bash
# Installs the Debian packages that the build, tests, demo and benchmarks need and that are missing.
# Linked into footing-kubevirt: libxml2-dev (and libicu-dev, whose headers it needs) and libyaml-dev.
# Linked into the program: zlib1g-dev, which packs recordings and which Swift itself needs too;
# liblz4-dev, libdeflate-dev and libssl-dev (libcrypto), which compress and encrypt disks;
# liburing-dev, by which disks are read; libipsec-mb-dev, which encrypts faster, on x86-64.
set -euo pipefail

packages=(
    zlib1g-dev liblz4-dev libdeflate-dev libssl-dev liburing-dev
    # KubeVirt's part, and what checks its XML.
    libxml2-dev libyaml-dev pkg-config libxml2-utils libvirt-clients
    nbdkit qemu-utils libnbd-bin python3-libnbd python3-prometheus-client
    fio e2fsprogs xfsprogs btrfs-progs iproute2
    # The plugin, and certificates for its tests.
    nbdkit-plugin-dev openssl
    # The guests, what unpacks their kernels, and what links and strips their static programs.
    qemu-system-x86 busybox-static lz4 xz-utils zstd binutils libc6-dev
)

[[ $(uname -m) != x86_64 ]] || packages+=(libipsec-mb-dev)

if ! command -v swift >/dev/null; then
    echo "swift is missing: install Swift $(cat .swift-version) from https://swift.org/install" >&2
    exit 1
fi
if ! command -v dpkg-query >/dev/null; then
    echo "This is no Debian; install what corresponds to: ${packages[*]}" >&2
    exit 1
fi

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [[ $status == installed ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
    echo "Nothing to install: ${packages[*]}"
    exit 0
fi

apt=(env DEBIAN_FRONTEND=noninteractive apt-get)
install=("${apt[@]}" install --yes --no-install-recommends "${missing[@]}")
if ((EUID == 0)); then
    as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    echo "Missing packages. Run this, then try again:" >&2
    echo "  sudo apt-get install ${missing[*]}" >&2
    exit 1
fi
# The package lists may be absent or old: fetch them only if the first try fails.
"${as_root[@]}" "${install[@]}" </dev/null ||
    { "${as_root[@]}" "${apt[@]}" update && "${as_root[@]}" "${install[@]}" </dev/null; }
