//! Times for people: `in 9 days`, `6 min ago`, `1 Jun 2027`; RFC 3339 for everybody else.

use credstore_protocol::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// From here on a date says more than a number of days.
const DATE_FROM: i64 = 30 * DAY;

fn moment(at: Timestamp) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(at.0).ok()
}

/// `2026-11-23T10:42:07Z`.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    moment(at).and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_else(|| at.0.to_string())
}

/// `20261123T104207Z`, for names of files.
pub(crate) fn compact(at: OffsetDateTime) -> String {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    at.to_offset(time::UtcOffset::UTC).format(format).unwrap_or_else(|_| at.unix_timestamp().to_string())
}

/// `2026-11-23`, for names of files.
pub(crate) fn day(at: Timestamp) -> String {
    let format = format_description!("[year]-[month]-[day]");
    moment(at).and_then(|at| at.format(format).ok()).unwrap_or_else(|| at.0.to_string())
}

/// `23 Nov 2027`.
pub(crate) fn date(at: Timestamp) -> String {
    let format = format_description!("[day padding:none] [month repr:short] [year]");
    moment(at).and_then(|at| at.format(format).ok()).unwrap_or_else(|| at.0.to_string())
}

/// When something ends: `in 9 days`, `3 days ago`, or its date when that is a month away or more.
pub(crate) fn expiry(at: Timestamp, now: Timestamp) -> String {
    let left = at.seconds_since(now);
    match (left.abs() < DATE_FROM, left >= 0) {
        (false, _) => date(at),
        (true, true) => format!("in {}", span(left)),
        (true, false) => format!("{} ago", span(-left)),
    }
}

/// When something happened: `just now`, `6 min ago`, `9 h ago`, `31 days`.
pub(crate) fn since(at: Timestamp, now: Timestamp) -> String {
    let passed = now.seconds_since(at);
    match passed {
        ..MINUTE => "just now".to_owned(),
        MINUTE..DAY => format!("{} ago", span(passed)),
        DAY.. => span(passed),
    }
}

fn span(seconds: i64) -> String {
    match seconds {
        ..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..DAY => format!("{} h", seconds / HOUR),
        _ if seconds / DAY == 1 => "1 day".to_owned(),
        _ => format!("{} days", seconds / DAY),
    }
}

/// Reads RFC 3339 with any offset, or a plain date as `az` takes it (midnight UTC).
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(Timestamp(at.unix_timestamp()));
    }
    let day = time::Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?;
    Some(Timestamp(day.midnight().assume_utc().unix_timestamp()))
}

/// Reads a span: `10s`, `500ms`, `2m`, `1h`, `30d`; a bare number is seconds.
pub(crate) fn parse_span(text: &str) -> Option<std::time::Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let factor = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(factor).map(std::time::Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_430_527); // 2026-11-23T10:42:07Z

    #[test]
    fn times_read_as_in_the_specification() {
        assert_eq!(rfc3339(NOW), "2026-11-23T10:42:07Z");
        assert_eq!(expiry(Timestamp(NOW.0 + 9 * DAY), NOW), "in 9 days");
        assert_eq!(expiry(Timestamp(NOW.0 - 3 * DAY), NOW), "3 days ago");
        assert_eq!(expiry(parse("2027-06-01").unwrap(), NOW), "1 Jun 2027");
        assert_eq!(since(Timestamp(NOW.0 - 6 * MINUTE), NOW), "6 min ago");
        assert_eq!(since(Timestamp(NOW.0 - HOUR), NOW), "1 h ago");
        assert_eq!(since(Timestamp(NOW.0 - 31 * DAY), NOW), "31 days");
        assert_eq!(since(NOW, NOW), "just now");
        assert_eq!(since(Timestamp(NOW.0 + 5), NOW), "just now");
    }

    #[test]
    fn a_month_away_is_written_as_a_date() {
        assert_eq!(expiry(Timestamp(NOW.0 + DATE_FROM - 1), NOW), "in 29 days");
        assert_eq!(expiry(Timestamp(NOW.0 + DATE_FROM), NOW), "23 Dec 2026");
        assert_eq!(expiry(Timestamp(NOW.0 - DATE_FROM), NOW), "24 Oct 2026");
    }

    #[test]
    fn spans_have_units() {
        for (text, milliseconds) in [("10s", 10_000), ("500ms", 500), ("2m", 120_000), ("3", 3_000), ("1d", 86_400_000)]
        {
            assert_eq!(parse_span(text), Some(std::time::Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "s", "1w", "-1s", "99999999999999999999s"] {
            assert_eq!(parse_span(text), None, "{text}");
        }
    }
}
