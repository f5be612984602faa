/// The folder for what a user's programs remember from one run to the next.
public enum StateFolder {
    /// `FOOTING_STATE_DIR`, else `/var/lib/footing` for root, else `footing` below
    /// `XDG_STATE_HOME` or `~/.local/state`; nil where none of them is known.
    public static func user() -> String? {
        if let chosen = Environment.value("FOOTING_STATE_DIR"), !chosen.isEmpty { return chosen }
        if ProcessIdentity.userNumber == 0 { return "/var/lib/footing" }
        if let state = Environment.value("XDG_STATE_HOME"), state.utf8.first == 47 {
            return state + "/footing"
        }
        guard let home = Environment.value("HOME"), home.utf8.first == 47 else { return nil }
        return home + "/.local/state/footing"
    }
}
