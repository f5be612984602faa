import Testing

@testable import FootingKubeVirt

@Suite struct XMLTests {
    @Test func `An error says what is wrong`() {
        #expect(XMLReadError.documentType.description == "it declares a document type")
    }
}
