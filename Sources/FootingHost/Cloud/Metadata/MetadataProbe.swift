internal import FootingSystem

/// Asks a cloud's metadata server who this machine is.
///
/// One deadline bounds everything that one call does: token, proof, details, and all candidates.
struct MetadataProbe: Sendable {
    /// The time that all of it may take.
    static let timeoutMilliseconds: UInt64 = 500

    private let deadline: UInt64

    /// The clock starts here.
    init() {
        deadline = SystemClock().nanoseconds + Self.timeoutMilliseconds * 1_000_000
    }

    /// Asks one provider's server.
    func ask(_ service: MetadataService) -> CloudMetadata {
        do throws(MetadataFailure) {
            return try proven(service)
        } catch {
            return CloudMetadata(
                provider: .known(service.provider),
                address: service.address.rawValue,
                outcome: error.outcome,
                reason: error.reason,
                detailsAbsent: "the metadata server did not prove itself: \(error.reason)",
                evidence: [Self.evidence(service, error.outcome.rawValue, error.reason)]
            )
        }
    }

    /// Asks the providers one after the other, until one proves itself or the time is up.
    ///
    /// An address where nobody answers is not asked in another provider's way again.
    func ask(_ candidates: [MetadataService]) -> CloudMetadata {
        precondition(!candidates.isEmpty, "nobody to ask")
        var evidence: [Evidence] = []
        var silent: Set<MetadataAddress> = []
        var last = candidates[0].address
        var failure: MetadataFailure?
        for service in candidates where !silent.contains(service.address) {
            last = service.address
            do throws(MetadataFailure) {
                return try proven(service, after: evidence)
            } catch {
                evidence.append(Self.evidence(service, error.outcome.rawValue, error.reason))
                if error.isAnswer {
                    // Somebody is there, which says more than that nobody is elsewhere.
                    failure = MetadataFailure(
                        outcome: .unproven,
                        reason: "a server answers, and is no candidate's"
                    )
                } else {
                    if error.isSilence { silent.insert(service.address) }
                    failure = failure ?? error
                }
                if error.outcome == .timedOut { break }
            }
        }
        let reason = failure?.reason ?? ""
        return CloudMetadata(
            provider: .absent("no candidate proved itself"),
            address: last.rawValue,
            outcome: failure?.outcome ?? .unproven,
            reason: reason,
            detailsAbsent: "no metadata server proved itself: \(reason)",
            evidence: evidence
        )
    }

    private func proven(
        _ service: MetadataService,
        after evidence: [Evidence] = []
    ) throws(MetadataFailure) -> CloudMetadata {
        let exchange = MetadataExchange(address: service.address, deadline: deadline)
        var token: String?
        if let place = service.token {
            token = try MetadataAnswer.token(place, exchange.answer(to: place.request))
        }
        let response = try exchange.answer(to: service.request(service.path, token: token))
        let answer = try MetadataAnswer(service, response)
        let details = further(service, exchange, token)
        let fact: (MetadataService.Detail?) -> Fact<String> = { detail in
            answer.fact(detail, further: detail.flatMap { details[$0.path ?? ""] })
        }
        let instanceID = fact(service.instanceID)
        let says = "the metadata server proves itself to be \(service.provider)'s"
        return CloudMetadata(
            provider: .known(service.provider),
            address: service.address.rawValue,
            outcome: .proven,
            reason: says,
            instanceID: instanceID,
            region: fact(service.region),
            zone: fact(service.zone),
            instanceType: fact(service.instanceType),
            evidence: evidence + [Self.evidence(service, instanceID.value ?? "", says)]
        )
    }

    /// The answers to further requests by their path; one that fails takes nothing from the proof.
    private func further(
        _ service: MetadataService,
        _ exchange: MetadataExchange,
        _ token: String?
    ) -> [String: Fact<String>] {
        var answers: [String: Fact<String>] = [:]
        for path in [service.region, service.zone, service.instanceType].compactMap({ $0?.path })
        where answers[path] == nil {
            do throws(MetadataFailure) {
                let response = try exchange.answer(to: service.request(path, token: token))
                answers[path] = .known(try MetadataAnswer.further(service, response))
            } catch {
                answers[path] = .absent("\(path) of the metadata server: \(error.reason)")
            }
        }
        return answers
    }

    private static func evidence(
        _ service: MetadataService,
        _ value: String,
        _ says: String
    ) -> Evidence {
        let source = "http://\(service.address.rawValue)\(service.path)"
        return Evidence(
            source: source,
            value: value,
            says: "asked as \(service.provider)'s: \(says)"
        )
    }
}

extension MetadataService.Detail {
    /// The path of the request that it needs; nil if the first answer has it.
    var path: String? {
        if case .further(let path) = place { return path }
        return nil
    }
}

extension CloudMetadata {
    /// An exchange that proved nothing: each detail is absent for the same reason.
    init(
        provider: Fact<String>,
        address: String,
        outcome: Outcome,
        reason: String,
        detailsAbsent: String,
        evidence: [Evidence]
    ) {
        self.init(
            provider: provider,
            address: address,
            outcome: outcome,
            reason: reason,
            instanceID: .absent(detailsAbsent),
            region: .absent(detailsAbsent),
            zone: .absent(detailsAbsent),
            instanceType: .absent(detailsAbsent),
            evidence: evidence
        )
    }
}
