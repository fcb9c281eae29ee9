//! A moment with its offset from UTC, and the calendar it is written in.

use std::fmt;

/// A moment between the years 0 and 9999, as somebody wrote it.
///
/// Invariant: the month is between 1 and 12, and the day exists in it.
pub(in crate::function) struct Moment {
    pub year: i64,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
    pub nanosecond: u32,
    /// Minutes that the clock is ahead of UTC.
    pub offset: i64,
}

const SECOND: i128 = 1_000_000_000;

impl Moment {
    /// Reads RFC 3339 without any of its liberties: `2018-01-02T23:12:01.5-08:00`.
    pub(in crate::function) fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_at_checked(10)?;
        let (clock, zone) = time.strip_prefix('T')?.split_at_checked(8)?;
        let [year, month, day] = numbers(date, "-", [4, 2, 2])?;
        let [hour, minute, second] = numbers(clock, ":", [2, 2, 2])?;
        let (nanosecond, zone) = match zone.strip_prefix('.') {
            Some(fraction) => {
                let length = fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
                let (digits, zone) = fraction.split_at(length);
                if digits.is_empty() {
                    return None;
                }
                (format!("{digits:0<9.9}").parse().ok()?, zone)
            }
            None => (0, zone),
        };
        let offset = if zone == "Z" {
            0
        } else {
            let [hours, minutes] = numbers(zone.get(1..)?, ":", [2, 2])?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            let minutes = i64::from(60 * hours + minutes);
            match zone.as_bytes()[0] {
                b'+' => minutes,
                b'-' => -minutes,
                _ => return None,
            }
        };
        Self::checked(i64::from(year), [month, day, hour, minute, second], nanosecond, offset)
    }

    /// Returns the moment if there is such a day and such a time on it.
    pub(in crate::function) fn checked(year: i64, parts: [u32; 5], nanosecond: u32, offset: i64) -> Option<Self> {
        let [month, day, hour, minute, second] = parts.map(|part| u8::try_from(part).unwrap_or(u8::MAX));
        let exists = (1..=12).contains(&month)
            && (1..=days_in(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        exists.then_some(Self { year, month, day, hour, minute, second, nanosecond, offset })
    }

    /// Returns nanoseconds since the start of 1970 in UTC.
    pub(in crate::function) fn instant(&self) -> i128 {
        let minutes = (self.days() * 24 + i64::from(self.hour)) * 60 + i64::from(self.minute) - self.offset;
        i128::from(minutes * 60 + i64::from(self.second)) * SECOND + i128::from(self.nanosecond)
    }

    /// Returns the moment so many nanoseconds later, on the same clock.
    pub(in crate::function) fn later(&self, nanoseconds: i64) -> Option<Self> {
        let local = self.instant() + i128::from(nanoseconds) + i128::from(self.offset) * 60 * SECOND;
        let nanosecond = u32::try_from(local.rem_euclid(SECOND)).ok()?;
        let seconds = i64::try_from(local.div_euclid(SECOND)).ok()?;
        let (days, second) = (seconds.div_euclid(86_400), u32::try_from(seconds.rem_euclid(86_400)).ok()?);
        let (year, month, day) = date(days);
        if !(0..=9999).contains(&year) {
            return None;
        }
        let parts = [month, day, second / 3_600, second / 60 % 60, second % 60];
        Self::checked(year, parts, nanosecond, self.offset)
    }

    /// Returns the day of the week; 0 is Sunday.
    pub(in crate::function) fn weekday(&self) -> usize {
        // The first day of 1970 was a Thursday.
        usize::try_from((self.days() + 4).rem_euclid(7)).unwrap_or(0)
    }

    /// Returns `Z` or an offset such as `+05:30`.
    pub(in crate::function) fn zone(&self) -> String {
        if self.offset == 0 { "Z".to_owned() } else { self.offset_text(":") }
    }

    pub(in crate::function) fn offset_text(&self, separator: &str) -> String {
        let sign = if self.offset < 0 { '-' } else { '+' };
        let minutes = self.offset.abs();
        format!("{sign}{:02}{separator}{:02}", minutes / 60, minutes % 60)
    }

    /// Returns the days since the start of 1970 on the moment's own calendar.
    fn days(&self) -> i64 {
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        // Years are counted from March on, so that the day that comes and goes is the last one of a year.
        let year = if month > 2 { self.year } else { self.year - 1 };
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
    }
}

/// Prints RFC 3339 without a fraction of seconds.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second, .. } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{}", self.zone())
    }
}

/// Returns year, month and day, from days since the start of 1970.
fn date(days: i64) -> (i64, u32, u32) {
    const DAYS_IN_400_YEARS: i64 = 146_097;
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(DAYS_IN_400_YEARS), days.rem_euclid(DAYS_IN_400_YEARS));
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let small = |number: i64| u32::try_from(number).unwrap_or(0);
    (year, small(month), small(day))
}

fn days_in(year: i64, month: u8) -> u8 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 31,
    }
}

/// Reads numbers of exactly so many digits.
fn numbers<const N: usize>(text: &str, separator: &str, digits: [usize; N]) -> Option<[u32; N]> {
    let parts: Vec<&str> = text.split(separator).collect();
    let mut numbers = [0; N];
    if parts.len() != N {
        return None;
    }
    for ((number, part), length) in numbers.iter_mut().zip(parts).zip(digits) {
        if part.len() != length || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_calendar_goes_both_ways(days in -719_468_i64..2_932_896) {
            let (year, month, day) = date(days);
            let moment = Moment::checked(year, [month, day, 0, 0, 0], 0, 0).expect("the day exists");
            prop_assert_eq!(moment.days(), days);
        }

        #[test]
        fn what_is_printed_is_read_again(seconds in 0_i64..9_000_000_000, offset in -1_439_i64..1_440) {
            let start = Moment::checked(1970, [1, 2, 0, 0, 0], 0, offset).expect("the day exists");
            let moment = start.later(seconds * 1_000_000_000).expect("within the years");
            let again = Moment::parse(&moment.to_string()).expect("printed by us");
            prop_assert_eq!(moment.instant(), again.instant());
            prop_assert_eq!(moment.instant() - start.instant(), i128::from(seconds) * SECOND);
        }
    }
}
