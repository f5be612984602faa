import Testing

/// How disks are made: by a profile, and prepared, with the released program.
@Suite(.enabled(if: ReleasedProgram.exists, "bin/footing is missing: run 'make release'"))
struct NewDiskTests {
    @Test func `an image keeps to a profile as a new disk does`() throws {
        let result = try Script.run(
            """
            head -c 3M /dev/urandom >image.raw
            words=(image.raw disk.footing --profile edge-generic)
            expect 1 'does not allow compression: features = none' "$footing" disk import \
                "${words[@]}" --set features=none --compression lz4
            expect 1 'does not allow snapshots' "$footing" disk import \
                "${words[@]}" --set features=none --snapshot-reserve 10
            expect 1 'does not allow encryption' "$footing" disk import \
                "${words[@]}" --set features=none --encrypt --key-file image.raw
            expect 64 '--set needs --profile' "$footing" disk import image.raw disk.footing \
                --set features=none
            [[ ! -e disk.footing ]] || fail 'a refusal has left a disk'
            for size in 1 4; do
                "$footing" disk import "${words[@]}" --set segment-size=${size}M >/dev/null
                "$footing" disk info disk.footing | grep -q " of $size MiB$" || fail "$size MiB"
                "$footing" disk export disk.footing back.raw >/dev/null
                cmp image.raw back.raw || fail 'other bytes'
                rm disk.footing back.raw
            done
            "$footing" disk import "${words[@]}" --segment 2M --set segment-size=4M >/dev/null
            "$footing" disk info disk.footing | grep -q ' of 2 MiB$' || fail 'the command line'
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    /// What a script ends with where something is missing that it needs.
    private static let notOverwritten: Int32 = 77
    private static let noRoom: Int32 = 78

    /// On other file systems nothing is prepared, which the disk's own tests look at.
    private static let setting = """
        case $(stat --file-system --format=%T .) in
            ext2/ext3 | xfs) ;;
            *) exit \(notOverwritten) ;;
        esac
        free=$(stat --file-system --format='%a %S' . | { read -r a b; echo $((a * b)); })
        allocated() { stat --format='%b %B' "$1" | { read -r a b; echo $((a * b)); }; }
        new() { "$footing" disk create "$@" --snapshot-reserve 0 >/dev/null; }
        # All but a hole before the first segment, which is smaller than one: so many MiB.
        has_space() { (($(allocated "$1") > $(stat --format=%s "$1") - ($2 << 20))); }
        # Blocks of 4 KiB that are only reserved: some are before the first segment.
        reserved() { filefrag -v "$1" | awk '/unwritten/ { sum += $6 } END { print sum + 0 }'; }
        is_whole() { has_space "$1" "$2" && (($(reserved "$1") < 256)); }

        """

    private func run(_ text: String) throws {
        let result = try Script.run(Self.setting + text)
        switch result.status {
        case Self.notOverwritten: try Test.cancel("the folder is on no ext4 or XFS")
        case Self.noRoom:
            try Test.cancel("too little is free there, or too much")
        default: #expect(result.status == 0, "\(result.output)")
        }
    }

    @Test func `a disk is prepared as far as is asked for`() throws {
        try run(
            """
            new all --size 32M --segment 1M --prepare all
            is_whole all 1 || fail "$(allocated all)"
            new some --size 32M --segment 1M --prepare 9M
            new none --size 32M --segment 1M --prepare 0
            more=$(($(allocated some) - $(allocated none)))
            ((more >= 5 << 20 && more < 6 << 20)) || fail "$more bytes more"
            # An edge place's flash is spared what it would not ask for.
            new spared --size 32M --segment 1M --profile edge-generic
            (($(allocated spared) == $(allocated none))) || fail "$(allocated spared)"
            new asked --size 32M --segment 1M --profile edge-generic --prepare all
            is_whole asked 1 || fail "$(allocated asked)"
            for disk in all some none; do "$footing" disk check $disk >/dev/null; done
            expect 64 'for a disk in a file' "$footing" disk create none --device --size 1M \
                --prepare all
            """
        )
    }

    @Test func `more than the host has free is not prepared`() throws {
        try run(
            """
            # Twice as much, as far as a file can be that large.
            ((free < 2 << 40)) || exit \(Self.noRoom)
            expect 1 'no space for' "$footing" disk create big --size $((free / 512 * 1024)) \
                --prepare all
            [[ ! -e big ]] || fail 'a refusal has left a disk'
            """
        )
    }

    @Test func `a preparation that is stopped leaves nothing`() throws {
        try run(
            """
            ((free > 4 << 30)) || exit \(Self.noRoom)
            "$footing" disk create slow --size 2G --segment 4M --snapshot-reserve 0 --prepare all \
                >/dev/null 2>&1 &
            creation=$!
            # It has its space before anything is written.
            until (($(stat --format=%b slow 2>/dev/null || echo 0) > 1 << 20)); do
                kill -0 $creation 2>/dev/null || break
            done
            kill -TERM $creation 2>/dev/null || true
            status=0
            wait $creation || status=$?
            # A fast host may be done before the signal comes: then it is a whole disk.
            if [[ -e slow ]]; then
                ((status == 0 || status == 143)) || fail "status $status"
                is_whole slow 4 || fail "a part of a disk is there, status $status"
                "$footing" disk check slow >/dev/null
            else
                ((status == 143)) || fail "status $status"
            fi
            """
        )
    }
}
