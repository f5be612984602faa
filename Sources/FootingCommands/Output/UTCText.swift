/// Points in time for people: `2026-11-21 15:35:07`, in UTC.
enum UTCText {
    /// - Parameter unixSeconds: seconds since 1970; what is beyond the year 9999 is shown as a
    ///   number.
    static func text(unixSeconds: UInt64) -> String {
        guard unixSeconds < 253_402_300_800 else { return "\(unixSeconds)" }
        // Days since 1 March of year 0, so that the leap day is the last of a year.
        let days = Int(unixSeconds / 86_400) + 719_468
        let era = days / 146_097
        let day = days % 146_097
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365
        let ofYear = day - (365 * year + year / 4 - year / 100)
        let month = (5 * ofYear + 2) / 153
        let calendarMonth = month < 10 ? month + 3 : month - 9
        let calendarYear = year + era * 400 + (calendarMonth <= 2 ? 1 : 0)
        let seconds = Int(unixSeconds % 86_400)
        let parts = [
            calendarMonth, ofYear - (153 * month + 2) / 5 + 1, seconds / 3600, seconds / 60 % 60,
            seconds % 60,
        ].map { $0 < 10 ? "0\($0)" : "\($0)" }
        return "\(calendarYear)-\(parts[0])-\(parts[1]) \(parts[2]):\(parts[3]):\(parts[4])"
    }
}
