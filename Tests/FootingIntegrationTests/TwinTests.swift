import Glibc
import Testing

/// The released program beside its twin, on a machine that shows a QAT device: made of files, in a
/// mount namespace of its own.
@Suite(
    .enabled(if: ReleasedProgram.exists, "bin/footing is missing: run 'make release'"),
    .enabled(if: Script.isRoot, "mount namespaces need root"),
    .enabled(if: Script.hasNamespaces, "this kernel or container allows no namespaces")
)
struct TwinTests {
    /// Runs commands where sysfs shows one virtual function that nothing stands in the way of.
    private func run(_ commands: String) throws -> (status: Int32, output: String) {
        try Script.run(
            """
            cat >inside <<'END'
            set -euo pipefail
            for place in bus kernel; do mount -t tmpfs none "/sys/$place"; done
            slot=/sys/bus/pci/devices/0000:6b:00.1
            mkdir -p "$slot" /sys/kernel/iommu_groups/9
            printf 'DRIVER=vfio-pci\\nPCI_CLASS=B4000\\nPCI_ID=8086:4941\\n' >"$slot/uevent"
            ln -s ../../../../kernel/iommu_groups/9 "$slot/iommu_group"
            cp -a /dev/null null && mount -t tmpfs none /dev && cp -a null /dev/null
            mkdir /dev/vfio && touch /dev/vfio/9
            # Root has no limit of locked memory, with or without this.
            ulimit -l unlimited 2>/dev/null || true
            footing=$1
            # qat TEXT: what the program says about QAT.
            qat() {
                "$footing" accelerators --qat all --state "$PWD" >out 2>&1 || true
                grep -qF "$1" out || { echo "not '$1':"; cat out; exit 1; }
            }
            \(commands)
            END
            unshare --mount --propagation private bash inside "$footing"
            """
        )
    }

    @Test func `a static program goes on as its twin, which looks for the library`() throws {
        let result = try run("qat 'libusdm.so.0: cannot open shared object file'")
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `without a twin, or with another version's, it says so and goes on itself`() throws {
        let result = try run(
            """
            cp "$footing" footing
            footing=$PWD/footing
            qat "$PWD/footing-dynamic: No such file or directory"
            printf '#!/bin/sh\\necho 0.0.1\\n' >footing-dynamic
            chmod +x footing-dynamic
            qat "$PWD/footing-dynamic is not of version"
            qat lz4.compress
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `what only the tests may load is refused`() throws {
        let program = unsafe realpath("/proc/self/exe", nil)
        defer { unsafe free(program) }
        let path = try unsafe String(cString: #require(program))
        let folder = path.split(separator: "/").dropLast().joined(separator: "/")
        let result = try run(
            """
            for name in libqat.so.4 libusdm.so.0; do
                cp '/\(folder)/libfooting-qat-stand-in.so' $name
            done
            export LD_LIBRARY_PATH=$PWD
            qat 'libqat.so.4 is a stand-in for tests'
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `where nobody asks for QAT, the twin is not started`() throws {
        let result = try run(
            """
            cp "$footing" footing
            printf '#!/bin/sh\\ntouch started\\n' >footing-dynamic
            chmod +x footing-dynamic
            ./footing accelerators --state "$PWD" >out
            grep -q 'QAT  *not asked for; .' out
            [[ ! -e started ]]
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }
}
