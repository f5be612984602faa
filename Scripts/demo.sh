#!/usr/bin/env bash
# Makes a disk, serves it, writes to it with unmodified clients, kills the server in the middle of
# it, serves the disk again and finds all data. Leaves nothing behind.
set -euo pipefail

footing=bin/footing
tools=(nbdinfo nbdcopy qemu-img fio mkfs.ext4 e2fsck)
PATH=$PATH:/usr/sbin:/sbin

for tool in "${tools[@]}"; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: run 'make deps'" >&2; exit 1; }
done

folder=$(mktemp -d "${TMPDIR:-/var/tmp}/footing-demo.XXXXXX")
disk=$folder/demo.footing
socket=$folder/demo.sock
uri="nbd+unix:///?socket=$socket"
server=
writer=

# Ends only what this script started.
clean_up() {
    local process
    for process in $writer $server; do
        kill -KILL "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# The disk: an image copied to its start, the same image converted behind that, then fio's part.
image_bytes=$((192 << 20))
second_offset=$image_bytes
fio_offset=$((1 << 30))
fio_bytes=$((256 << 20))

rows=()
step_start=0
milliseconds() { local now=${EPOCHREALTIME/[.,]/}; echo $((now / 1000)); }
step() { printf '\n== %s\n' "$1"; step_start=$(milliseconds); }
# row WHAT RESULT: one line of the table at the end, with the time since the one before.
row() {
    rows+=("$1|$2|$(($(milliseconds) - step_start)) ms")
    step_start=$(milliseconds)
}
# shown COMMAND...: runs a command as the reader would type it in the folder of the disk.
shown() { echo "\$ $*" | sed "s|$folder/||g; s|^\$ bin/|$ |"; "$@" | sed "s|$folder/||g"; }

# serve EDIT: starts the server, waits until it says where it listens, and shows what it says.
serve() {
    echo "\$ footing serve demo.footing --socket demo.sock &"
    rm -f "$folder/serve.log"
    "$footing" serve "$disk" --socket "$socket" >"$folder/serve.log" &
    server=$!
    until grep -qs '^ready' "$folder/serve.log"; do
        kill -0 "$server" 2>/dev/null || { echo "the server ended" >&2; exit 1; }
        sleep 0.02
    done
    sed "s|$folder/||; $1" "$folder/serve.log"
}

# fio_run NAME OPTIONS...: fio on its part of the disk, in blocks that carry their own checksum.
fio_run() {
    local name=$1
    shift
    # --aux-path: where fio leaves the state of its verification.
    fio --aux-path="$folder" --name="$name" --ioengine=nbd --uri="$uri" --verify=crc32c \
        --bs=4k --iodepth=16 --offset="$fio_offset" --size="$fio_bytes" --output-format=normal "$@" \
        >"$folder/fio-$name.log" 2>&1
}

# part OFFSET FORMAT-OPTIONS: how QEMU names a part of the disk.
part() {
    echo "driver=raw,offset=$1,size=$image_bytes,file.driver=nbd,file.path=$socket"
}

step "Where is this?"
shown "$footing" detect
row "detect" "$("$footing" detect --only environment)"

step "Create a disk and serve it"
shown "$footing" disk create "$disk" --size 10G
serve ''
nbdinfo --size "$uri" >/dev/null
row "create and serve" "10 GiB, $(du -h "$disk" | cut -f1) on the host"

step "Write an ext4 file system made from this project's sources"
mkdir "$folder/tree"
cp -r Sources Tests Scripts docs ./*.md Makefile "$folder/tree/"
truncate -s "$image_bytes" "$folder/ext4.img"
mkfs.ext4 -q -E nodiscard -d "$folder/tree" "$folder/ext4.img"
files=$(find "$folder/tree" -type f | wc -l)
echo "$files files in an image of $((image_bytes >> 20)) MiB"
shown nbdcopy --flush "$folder/ext4.img" "$uri"
row "nbdcopy" "ext4 with $files files, written and flushed"

step "The same through qcow2 and qemu-img convert, to another place"
qemu-img convert -f raw -O qcow2 -c "$folder/ext4.img" "$folder/ext4.qcow2"
# Without a cache mode it would not flush.
shown qemu-img convert -n -t writeback -f qcow2 --target-image-opts "$folder/ext4.qcow2" \
    "$(part "$second_offset")"
row "qemu-img convert" "qcow2 to $((second_offset >> 20)) MiB, written and flushed"

step "Kill the server while fio writes"
fio_run fill --rw=write --bs=64k --verify_interval=4k --do_verify=0 --end_fsync=1
echo "fio: wrote $((fio_bytes >> 20)) MiB in blocks with checksums, and flushed"
# Another seed than before: a lost write must not look like the one it replaced.
fio_run overwrite --rw=randwrite --randseed=2 --fsync=8 --do_verify=0 --time_based --runtime=60 &
writer=$!
sleep 3
kill -0 "$writer" 2>/dev/null || { cat "$folder/fio-overwrite.log"; exit 1; }
kill -KILL "$server"
echo "\$ kill -9 $server"
wait "$server" 2>/dev/null || true
wait "$writer" 2>/dev/null || true
server= writer=
written=$(sed -n 's/.*issued rwts: total=[0-9]*,\([0-9]*\),.*short.*/\1/p' \
    "$folder/fio-overwrite.log")
echo "fio had overwritten $written blocks at random by then, with a flush after every 8"
row "kill -9 under fio" "$written blocks overwritten, flush every 8"

step "Serve again: what is there?"
serve '/^recovery/!d'
row "recovery" "$(sed -n 's/^recovery *//p' "$folder/serve.log")"

step "Every block fio wrote is whole"
fio_run verify --rw=read || { cat "$folder/fio-verify.log"; exit 1; }
checked=$(sed -n 's/.*issued rwts: total=\([0-9]*\),.*short.*/\1/p' "$folder/fio-verify.log")
echo "fio: $checked blocks read, every checksum is right"
row "fio verify" "$checked blocks, 0 wrong"

step "Both file systems are what was written"
shown qemu-img compare --image-opts "$(part 0)" \
    "driver=raw,file.filename=$folder/ext4.img"
shown qemu-img compare --image-opts "$(part "$second_offset")" \
    "driver=raw,file.filename=$folder/ext4.img"
row "qemu-img compare" "both copies identical"
qemu-img convert -O raw --image-opts "$(part "$second_offset")" "$folder/read-back.img"
shown e2fsck -fn "$folder/read-back.img" 2>&1 | tee "$folder/e2fsck.log"
row "e2fsck -fn" "$(sed -n 's/^.*read-back.img: *//p' "$folder/e2fsck.log" | tail -1)"

step "Close the disk"
kill -TERM "$server"
wait "$server" # Its status is this script's.
server=
shown "$footing" disk info "$disk"
row "SIGTERM" "closed cleanly, status 0"
shown "$footing" disk check "$disk"
row "disk check" "nothing wrong"

printf '\n'
printf '%s\n' "${rows[@]}" |
    awk -F '|' '{ printf "%-18s %-64s %9s\n", $1, $2, $3 }'
printf '\nNothing was lost. All of it took %d s.\n' "$SECONDS"
