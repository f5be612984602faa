internal import FootingSystem

/// A sanitizer that looks on, as `Scripts/test.sh` tells by `FOOTING_SANITIZED`.
package enum Sanitizer {
    /// Whether there is one.
    package static let isOn = Environment.value("FOOTING_SANITIZED") != nil

    /// How often to do what a sanitizer sees in a few rounds as well as in many.
    ///
    /// Each takes many times as long under it, and goes the same ways through the code: what more
    /// of them find the ordinary run finds.
    package static func rounds<Count: BinaryInteger>(_ count: Count, sanitized: Count) -> Count {
        isOn ? sanitized : count
    }
}
