//! The durations of rotation policies: ISO 8601 with years, months, weeks and days, as Key Vault takes them.

use std::str::FromStr;

use credstore_protocol::Timestamp;
use time::{Duration, Month, OffsetDateTime};

/// Longest period in months or days. Ours: a thousand years.
const MOST: u32 = 365_250;

/// A span of calendar time. A month is as long as the calendar says where it is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    months: u32,
    days: u32,
}

/// The text is no duration of that kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an ISO 8601 duration of years, months, weeks and days")]
pub(super) struct NotAPeriod;

impl Period {
    /// Its length in days, a month counted as 30 and a year as 365.
    pub(super) const fn days(self) -> u32 {
        self.months / 12 * 365 + self.months % 12 * 30 + self.days
    }

    /// Whether it is shorter than so many days.
    pub(super) const fn is_shorter_than(self, days: u32) -> bool {
        self.days() < days
    }

    /// The moment so long after `at`. The last day of a month stands for days that the month does not have.
    pub(super) fn after(self, at: Timestamp) -> Timestamp {
        self.from(at, 1)
    }

    /// The moment so long before `at`.
    pub(super) fn before(self, at: Timestamp) -> Timestamp {
        self.from(at, -1)
    }

    fn from(self, at: Timestamp, direction: i64) -> Timestamp {
        let end = if direction < 0 { i64::MIN } else { i64::MAX };
        let moved = || {
            let start = OffsetDateTime::from_unix_timestamp(at.0).ok()?;
            let month = i64::from(start.year()) * 12 + i64::from(u8::from(start.month())) - 1;
            let month = month + direction * i64::from(self.months);
            let year = i32::try_from(month.div_euclid(12)).ok()?;
            let month = Month::try_from(u8::try_from(month.rem_euclid(12) + 1).ok()?).ok()?;
            let day = start.day().min(month.length(year));
            let date = time::Date::from_calendar_date(year, month, day).ok()?;
            let days = Duration::days(direction * i64::from(self.days));
            Some(start.replace_date(date).checked_add(days)?.unix_timestamp())
        };
        Timestamp(moved().unwrap_or(end))
    }
}

impl FromStr for Period {
    type Err = NotAPeriod;

    fn from_str(text: &str) -> Result<Self, NotAPeriod> {
        let mut rest = text.strip_prefix('P').ok_or(NotAPeriod)?;
        let mut period = Self { months: 0, days: 0 };
        // Every unit at most once and in this order (ISO 8601).
        for (unit, months, days) in [('Y', 12, 0), ('M', 1, 0), ('W', 0, 7), ('D', 0, 1)] {
            let Some((number, after)) = rest.split_once(unit) else { continue };
            if !(1..=6).contains(&number.len()) || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(NotAPeriod);
            }
            let number: u32 = number.parse().map_err(|_| NotAPeriod)?;
            period.months += number * months;
            period.days += number * days;
            rest = after;
        }
        let empty = period == Self { months: 0, days: 0 };
        if !rest.is_empty() || empty || period.months > MOST || period.days > MOST {
            return Err(NotAPeriod);
        }
        Ok(period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let format = time::format_description::well_known::Rfc3339;
        Timestamp(OffsetDateTime::parse(text, &format).unwrap().unix_timestamp())
    }

    #[test]
    fn a_period_is_counted_on_the_calendar() {
        for (period, from, to) in [
            ("P30D", "2026-01-31T10:00:00Z", "2026-03-02T10:00:00Z"),
            ("P1M", "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z"),
            ("P1M", "2028-01-31T10:00:00Z", "2028-02-29T10:00:00Z"),
            ("P18M", "2026-07-01T00:00:00Z", "2028-01-01T00:00:00Z"),
            ("P2Y", "2028-02-29T00:00:00Z", "2030-02-28T00:00:00Z"),
            ("P1Y2M10D", "2026-01-01T00:00:00Z", "2027-03-11T00:00:00Z"),
            ("P1W", "2026-12-28T23:59:59Z", "2027-01-04T23:59:59Z"),
        ] {
            assert_eq!(period.parse::<Period>().unwrap().after(at(from)), at(to), "{period} from {from}");
        }
        let month = "P1M".parse::<Period>().unwrap();
        assert_eq!(month.before(at("2026-03-31T00:00:00Z")), at("2026-02-28T00:00:00Z"));
        assert_eq!("P1Y".parse::<Period>().unwrap().before(at("2026-01-01T00:00:00Z")), at("2025-01-01T00:00:00Z"));
    }

    #[test]
    fn beyond_the_calendar_is_the_end_of_time() {
        let long = "P1000Y".parse::<Period>().unwrap();
        assert_eq!(long.after(at("9999-01-01T00:00:00Z")), Timestamp(i64::MAX));
        assert_eq!(long.after(Timestamp(i64::MAX)), Timestamp(i64::MAX));
        assert_eq!(long.before(Timestamp(i64::MIN)), Timestamp(i64::MIN));
    }

    #[test]
    fn other_texts_are_no_periods() {
        for text in [
            "",
            "P",
            "30D",
            "P30",
            "PD",
            "P-1D",
            "P1.5D",
            "PT1H",
            "P1DT1H",
            "P1D1D",
            "P1D1M",
            "p1d",
            "P 1D",
            "P0D",
            "P0Y0M",
            "P9999999D",
            "P999999Y",
            "P1\u{661}D",
        ] {
            assert_eq!(text.parse::<Period>(), Err(NotAPeriod), "{text}");
        }
    }

    #[test]
    fn lengths_compare_in_days() {
        for (text, days) in [("P28D", 28), ("P1M", 30), ("P4W", 28), ("P1Y", 365), ("P13M", 395)] {
            let period: Period = text.parse().unwrap();
            assert!(!period.is_shorter_than(days) && period.is_shorter_than(days + 1), "{text}");
        }
    }
}
