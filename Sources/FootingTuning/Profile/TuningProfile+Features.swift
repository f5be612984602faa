extension TuningProfile {
    /// A part of the program that a place may have to do without.
    public enum Feature: String, Sendable, CaseIterable {
        /// Blocks that are written are compressed.
        case compression
        /// Disks are encrypted.
        case encryption
        /// Segments are kept in a remote store.
        case remote
        /// A disk keeps what it was.
        case snapshots
    }

    /// Whether disks may use a feature.
    public func allows(_ feature: Feature) -> Bool {
        switch self["features"] {
        case .word(let word): word == "all"
        case .names(let names): names.contains(feature.rawValue)
        case .number, .text: preconditionFailure("features are names")
        }
    }

    /// Why a feature is not to be had, and what would change that; for people.
    public func refusal(of feature: Feature) -> String {
        "the profile '\(name)' does not allow \(feature.rawValue): \(text(of: "features"))"
    }
}
