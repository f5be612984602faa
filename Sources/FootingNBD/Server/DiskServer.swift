/// What serves a disk to clients, as far as those need to know who look after the disk.
public protocol DiskServer: Sendable {
    /// What it did so far.
    var statistics: Statistics { get }

    /// How long requests took, and what became of them.
    var requestStatistics: RequestStatistics { get }

    /// Does something while no client is connected; those who come meanwhile wait.
    ///
    /// - Returns: nil, and nothing was done, if there are clients.
    func withoutClients<Result, Failure>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result?
}

extension Server: DiskServer {}
