internal import FootingDeployment
internal import FootingHost
internal import FootingSystem

/// `footing detect --watch`: the report, then a line for each change.
struct DetectWatch {
    let root: HostRoot
    let path: String?
    let isJSON: Bool

    func run(_ console: Console) throws(CommandError) {
        let live: LiveSignals
        let watch: DetectionWatch
        do throws(Errno) {
            // Before the thread starts, so that the signals wait for it alone.
            let signals = try StopSignals()
            live = try LiveSignals(root: root)
            try Thread(name: "stop") {
                _ = try? signals.wait()
                live.end()
            }.detach()
        } catch {
            throw CommandError("cannot watch", "the kernel's messages", error)
        }
        for absence in live.absences {
            console.remark("not watched: \(absence.source): \(absence.reason)")
        }
        watch = DetectionWatch(signals: live) { [root, path] in
            Detection(root: root, path: path)
        }
        show(watch.first, console)
        do throws(Errno) {
            // A line that finds no reader ends it as a signal does.
            while console.outputFailure == nil, let change = try watch.next() {
                console.print(isJSON ? change.json.line() : TerminalText.harmless(change.text))
            }
        } catch {
            throw CommandError("cannot wait for", "changes", error)
        }
    }

    private func show(_ detection: Detection, _ console: Console) {
        if isJSON {
            console.print(detection.json().line())
        } else {
            console.write(TerminalText.harmless(detection.summary()) + "\n")
        }
    }
}
