import Glibc

/// The plugin as `make plugin` leaves it, and what scripts need to load it into nbdkit.
enum NBDKit {
    private static let plugin =
        ReleasedProgram.path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        .joined(separator: "/") + "/nbdkit-footing-plugin.so"

    static var isMissing: Bool {
        let isBuilt = unsafe access(plugin, R_OK) == 0
        return !isBuilt || !ReleasedProgram.exists || !Script.has(.nbdkit)
    }

    /// What every script here begins with, after its common part.
    private static let prelude = """
        plugin='\(plugin)'
        # launch OPTIONS...: nbdkit in the foreground; waits until it listens.
        launch() {
            rm -f pid "$socket"
            nbdkit --foreground --pidfile="$PWD/pid" --unix="$socket" "$@" \\
                >nbdkit.log 2>&1 </dev/null &
            server=$!
            until [[ -s pid ]]; do
                kill -0 "$server" 2>/dev/null || fail "nbdkit ended: $(cat nbdkit.log)"
                sleep 0.01
            done
        }
        # end: SIGTERM, which must leave a disk that was closed.
        end() {
            kill -TERM "$server"
            wait "$server" || fail "nbdkit's status was $?: $(cat nbdkit.log)"
            server=
            is_closed
        }
        is_closed() {
            "$footing" disk check disk.footing >check.log 2>&1 || fail "$(cat check.log)"
            grep -q '^state *closed cleanly' check.log || fail "$(cat check.log)"
            grep -q '^result *nothing wrong' check.log || fail "$(cat check.log)"
        }
        # daemon OPTIONS...: nbdkit as it is by default, which leaves the terminal.
        daemon() {
            rm -f pid "$socket"
            nbdkit --pidfile="$PWD/pid" --unix="$socket" "$@" >nbdkit.log 2>&1 </dev/null ||
                fail "nbdkit's status was $?: $(cat nbdkit.log)"
            # The daemon writes it, after what started it has ended.
            for _ in {1..1000}; do [[ -s pid ]] && break; sleep 0.01; done
            server=$(cat pid)
        }
        # captive COMMAND OPTIONS...: nbdkit for as long as the command runs.
        captive() {
            local command=$1
            shift
            rm -f pid
            timeout --signal=KILL 20 nbdkit --pidfile="$PWD/pid" --unix=- "$@" --run "$command" \
                >nbdkit.log 2>&1 </dev/null && return 0
            server=$(cat pid)
            fail "nbdkit's status was not 0: $(cat nbdkit.log)"
        }
        # gone: waits until the daemon has ended.
        gone() {
            for _ in {1..1000}; do
                kill -0 "$server" 2>/dev/null || { server=; return 0; }
                sleep 0.01
            done
            fail "nbdkit does not end"
        }

        """

    /// Runs a script of `Script` with these functions besides.
    static func run(_ text: String) throws -> (status: Int32, output: String) {
        try Script.run(prelude + text)
    }
}
