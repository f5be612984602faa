#!/usr/bin/env bash
# Builds the static program and puts it, stripped, at bin/footing; and its dynamically linked twin,
# at bin/footing-dynamic; and the static program footing-kubevirt, which "footing kubevirt" goes on as;
# with "plugin" behind it, the plugin for nbdkit as well (Scripts/plugin.sh).
#
# It starts often and runs for less than two milliseconds, of which each page that is touched first
# costs one or two thousandths. So what a start needs, code and data, is put side by side
# (start-order.txt, made by Scripts/start-order.sh; a name that is gone is ignored), and where types
# that generic code needs cannot be made by the compiler, they are made from each other, not from
# texts that name them, which takes a deep stack besides. Nor does libcrypto look at the processor
# before it is used (Sources/CFooting/footing_crypto.c).
#
# It is not laid out for large pages: mapped in pieces of 2 MiB it would start some 0.1 ms sooner and
# have 9 MiB resident, not 3, and only until the page cache has to read it again.
set -euo pipefail

# Other flags than the debug build's: a folder of its own, or each build would undo the other.
options=(-c release --scratch-path .build/static -Xswiftc -static-executable)
frontend=(-prespecialize-generic-metadata -function-sections
    -disable-concrete-type-metadata-mangled-name-accessors)
for flag in "${frontend[@]}"; do options+=(-Xswiftc -Xfrontend -Xswiftc "$flag"); done
options+=(-Xswiftc -use-ld=lld)
linker=(--gc-sections --icf=safe "--symbol-ordering-file=$PWD/Scripts/start-order.txt"
    --no-warn-symbol-ordering "--script=$PWD/Scripts/start-order.ld"
    --wrap=OPENSSL_cpuid_setup)
for flag in "${linker[@]}"; do options+=(-Xlinker "$flag"); done
built=$(swift build "${options[@]}" --show-bin-path)/footing
# The build does not know that these are inputs of the linker.
for input in Scripts/start-order.{txt,ld}; do
    [[ $input -nt $built ]] && rm -f "$built"
done
swift build "${options[@]}" --product footing
mkdir -p bin
strip -o bin/footing "$built"

if ldd bin/footing >/dev/null 2>&1; then
    echo "bin/footing needs shared libraries:" >&2
    ldd bin/footing >&2
    exit 1
fi
# The twin: the same compiled code, linked so that it can load libraries at run time. What is linked
# into the program is linked into it too, and none of that is shown to what it loads: libqat brings
# a libcrypto of its own.
objects=$(dirname "$built")/footing.product/Objects.LinkFileList
archives=.build/static/archives
mkdir -p "$archives"
for library in z lz4 deflate crypto uring; do
    ln -sf "$(clang -print-file-name=lib$library.a)" "$archives/"
done
linker=(--gc-sections --icf=safe --exclude-libs=ALL --no-export-dynamic --defsym=main=footing_main
    --wrap=OPENSSL_cpuid_setup)
# The others are named by their module maps.
link=(-static-stdlib -use-ld=lld -L "$archives" -luring)
[[ $(uname -m) != x86_64 ]] || link+=(-l:libIPSec_MB.a)
for flag in "${linker[@]}"; do link+=(-Xlinker "$flag"); done
swiftc "${link[@]}" -o .build/static/footing-dynamic "@$objects"
strip -o bin/footing-dynamic .build/static/footing-dynamic

needed=$(ldd bin/footing-dynamic | grep -Ev '^\s*(linux-vdso|/lib|lib(c|m|gcc_s|stdc\+\+)\.so)' || true)
if [[ -n $needed || $(bin/footing-dynamic --version) != "$(bin/footing --version)" ]]; then
    echo "bin/footing-dynamic is not the same program with no more than the C and C++ libraries:" >&2
    echo "$needed" >&2
    exit 1
fi
# KubeVirt's part: libxml2 and libyaml are linked into it alone, and liblzma and ICU into nothing
# (Sources/CFootingXML/footing_xml_unused.c).
swift build "${options[@]}" --product footing-kubevirt
strip -o bin/footing-kubevirt "$(dirname "$built")/footing-kubevirt"
if ldd bin/footing-kubevirt >/dev/null 2>&1 ||
    [[ $(bin/footing kubevirt --version) != "$(bin/footing --version)" ]]; then
    echo "bin/footing-kubevirt is no static program of the same version" >&2
    exit 1
fi
echo "bin/footing-kubevirt: KubeVirt's part, static, $(stat -c %s bin/footing-kubevirt) bytes"
echo "bin/footing-dynamic: its twin, which can load libraries, $(stat -c %s bin/footing-dynamic) bytes"
echo "bin/footing $(bin/footing --version): static, $(stat -c %s bin/footing) bytes"
[[ ${1:-} != plugin ]] || Scripts/plugin.sh "${options[@]}"
