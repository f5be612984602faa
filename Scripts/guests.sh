#!/usr/bin/env bash
# Gets what the guest tests boot: kernels and Xen from Debian's packages, unpacked, not installed,
# and the guests' own programs. Everything is below .build/guests, and is kept.
set -euo pipefail

guests=$PWD/.build/guests
programs=$PWD/Tests/FootingGuestTests/Init
mkdir -p "$guests/packages"

# What apt would install for a package that only names another, as linux-image-amd64 does.
newest() {
    apt-cache depends --important "$1" 2>/dev/null |
        sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\|xen-hypervisor-[0-9.]*-amd64\)$/\1/p' | head -n 1
}

download() {
    (cd "$guests/packages" && apt-get download "$1" >/dev/null 2>"$guests/download.log")
}

# unpack NAME PACKAGE: the package's files in .build/guests/NAME, unless they are there.
unpack() {
    local name=$1 package=$2
    [[ ! -e $guests/$name/complete ]] || return 0
    rm -rf "${guests:?}/$name"
    # The package lists may be absent or old: fetch them only if the first try fails.
    if ! download "$package" && ! { ((EUID == 0)) && apt-get update >/dev/null 2>&1 &&
        download "$package"; }; then
        echo "$package cannot be downloaded; its guests are left out:" >&2
        grep '^E:' "$guests/download.log" >&2 || true
        return 1
    fi
    dpkg-deb --extract "$guests/packages/${package}"_*.deb "$guests/$name"
    rm -f "$guests/packages/${package}"_*.deb
}

# field FILE OFFSET BYTES: a little-endian number.
field() {
    od --address-radix=n --format="u$3" --skip-bytes="$2" --read-bytes="$3" "$1" | tr -d ' '
}

# The kernel inside a bzImage, by its setup header (Documentation/arch/x86/boot.rst): it starts
# without running a decompressor in the guest, which takes seconds. Its last four bytes are a size.
extract_kernel() {
    local image=$1 to=$2 start length magic
    start=$((($(field "$image" 497 1) + 1) * 512 + $(field "$image" 584 4)))
    length=$(($(field "$image" 588 4) - 4))
    magic=$(od --address-radix=n --format=x1 --skip-bytes="$start" --read-bytes=4 "$image")
    case $magic in
    " 02 21 4c 18") unpacker=(lz4 -d -c) ;;
    " fd 37 7a 58") unpacker=(xz -d -c) ;;
    " 28 b5 2f fd") unpacker=(zstd -d -c) ;;
    *) echo "$image: compressed in an unknown way ($magic)" >&2 && return 1 ;;
    esac
    head --bytes="$((start + length))" "$image" | tail --bytes="+$((start + 1))" |
        "${unpacker[@]}" >"$to"
}

# kernel NAME PACKAGE
kernel() {
    local name=$1 package=$2 image
    package=$(newest "$2")
    unpack "$name" "${package:-$2}" || return 0
    [[ ! -e $guests/$name/complete ]] || return 0
    image=$(echo "$guests/$name"/boot/vmlinuz-*)
    extract_kernel "$image" "$guests/$name/vmlinux"
    mv "$guests/$name"/lib/modules/*/kernel "$guests/$name/modules"
    # Most of the hundreds of megabytes are drivers that no guest has a device for.
    rm -rf "$guests/$name"/{boot,lib,usr,modules/{net,sound,drivers/{gpu,media,net}}}
    # What each module needs, as depmod would find it: "path:depends=name,name".
    (cd "$guests/$name/modules" && grep --null-data --text --only-matching --recursive \
        --include='*.ko' '^depends=.*' . | tr '\0' '\n' | cut --characters=3- >depends)
    basename "$image" >"$guests/$name/complete"
}

xen() {
    local package
    package=$(newest xen-system-amd64)
    unpack xen "${package:-xen-hypervisor-4.17-amd64}" || return 0
    [[ ! -e $guests/xen/complete ]] || return 0
    gunzip --stdout "$guests"/xen/boot/xen-*-amd64.gz >"$guests/xen/xen"
    rm -rf "$guests"/xen/{boot,etc,usr}
    echo "$package" >"$guests/xen/complete"
}

kernel cloud linux-image-cloud-amd64
kernel generic linux-image-amd64
xen
for source in "$programs"/*.c; do
    program=$guests/$(basename "$source" .c)
    [[ ! -e $program || $source -nt $program || $programs/nbd.h -nt $program ]] || continue
    clang -static -O2 -Wall -Wextra -Werror -o "$program" "$source"
    strip "$program"
done
for name in cloud generic xen; do
    [[ ! -e $guests/$name/complete ]] || echo "$name: $(cat "$guests/$name/complete")"
done
