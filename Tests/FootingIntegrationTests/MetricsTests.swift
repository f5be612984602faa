import Testing

/// The metrics of a running disk: against what a client did, and by parsers of others.
@Suite(
    .enabled(if: ReleasedProgram.exists, "bin/footing is missing: run 'make release'"),
    .enabled(if: Script.hasLibnbd, "python3-libnbd is missing: run 'make deps'")
)
struct MetricsTests {
    @Test func `counters are exactly what libnbd did`() throws {
        let result = try Script.run(
            """
            create 64M
            serve --memory 64M "--socket=$socket"
            python3 "$clients/metrics.py" "$uri" counted "$footing" disk.footing
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test(
        .enabled(
            if: Script.hasPrometheusClient,
            "python3-prometheus-client is missing: run 'make deps'"
        )
    )
    func `a parser of others reads every sample`() throws {
        let result = try Script.run(
            """
            create 64M
            serve --memory 64M "--socket=$socket"
            python3 "$clients/metrics.py" "$uri" parsed "$footing" disk.footing
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `what is compressed and encrypted is counted`() throws {
        let result = try Script.run(
            """
            (umask 077; head -c 64 /dev/urandom >key)
            create 16M --compression lz4 --encrypt --key-file key
            serve --memory 64M --key-file key "--socket=$socket"
            python3 "$clients/metrics.py" "$uri" accelerated "$footing" disk.footing
            stop
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `metrics are read by HTTP, and two kinds of output are one too many`() throws {
        let result = try Script.run(
            """
            create 16M
            serve "--socket=$socket"
            python3 "$clients/metrics.py" "$uri" fetched "$footing" disk.footing
            expect 64 'exclude each other' "$footing" status --json --openmetrics
            "$footing" status --openmetrics | tail -n 1 | grep -qx '# EOF' || fail 'no end'
            stop
            [[ $("$footing" status --openmetrics) == '# EOF' ]] || fail 'not empty'
            """
        )
        #expect(result.status == 0, "\(result.output)")
    }
}
