/// Which release this is.
public enum Release {
    /// The version that `footing --version` prints and recordings carry; the only place it stands.
    public static let version = "0.1.0"
}
