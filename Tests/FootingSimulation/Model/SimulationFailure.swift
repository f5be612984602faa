/// What a simulation found to be wrong with the engine.
package struct SimulationFailure: Error, CustomStringConvertible {
    /// What is wrong.
    package let description: String

    /// Says what is wrong.
    package init(_ description: String) {
        self.description = description
    }
}
