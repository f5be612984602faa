#!/usr/bin/env bash
# Builds the plugin for nbdkit and puts it, stripped, at bin/nbdkit-footing-plugin.so.
# Scripts/release.sh runs it, with the options of its build.
#
# The program's own objects are linked once more: with Swift's libraries inside, and with nothing to
# be seen from outside but the entry that nbdkit looks for. nbdkit unloads its plugins, which no
# Swift runtime survives: this one stays (nodelete).
set -euo pipefail

(($# > 0)) || { echo "usage: Scripts/release.sh plugin" >&2; exit 64; }
if [[ ! -e /usr/include/nbdkit-plugin.h ]]; then
    echo "nbdkit's header is missing: run 'make deps', or install nbdkit-plugin-dev" >&2
    exit 1
fi
# Compiled only: what links a static program links no library.
swift build "$@" --target FootingNBDKit
folder=$(swift build "$@" --show-bin-path)
work=$folder/plugin
rm -rf "$work"
mkdir -p "$work/archives" bin
# What the program is made of but its main(), and the plugin's own.
{
    grep -v '/footing\.build/' "$folder/footing.product/Objects.LinkFileList"
    find "$folder"/{C,Footing}NBDKit.build -name '*.o'
} >"$work/objects"
# The linker would take the shared ones, were they found first.
for library in z lz4 deflate crypto uring; do
    ln -s "$(clang -print-file-name=lib$library.a)" "$work/archives/"
done
echo '{ global: plugin_init; local: *; };' >"$work/exports"

linker=(--gc-sections --icf=safe "--version-script=$work/exports" --exclude-libs=ALL -z nodelete
    -z now --wrap=OPENSSL_cpuid_setup)
# The others are named by their module maps.
link=(-emit-library -static-stdlib -use-ld=lld -L "$work/archives" -luring)
[[ $(uname -m) != x86_64 ]] || link+=(-l:libIPSec_MB.a)
for flag in "${linker[@]}"; do link+=(-Xlinker "$flag"); done
swiftc "${link[@]}" -o "$work/plugin.so" "@$work/objects"
plugin=bin/nbdkit-footing-plugin.so
strip -o "$plugin" "$work/plugin.so"

# What is not there could only fail where it is loaded.
foreign=$(nm -D --undefined-only "$plugin" | awk '{ print $2 }' |
    grep -Ev '^nbdkit_|@(GLIBC|GLIBCXX|GCC|CXXABI)_' | grep -Ev '^(_ITM_|__gmon_start__)' || true)
exported=$(nm -D --defined-only "$plugin" | awk '{ print $3 }')
if [[ -n $foreign || $exported != plugin_init ]]; then
    echo "$plugin needs what nobody has, or shows too much:" >&2
    echo "$foreign" "$exported" >&2
    exit 1
fi
echo "$plugin: $(stat -c %s "$plugin") bytes"
