//! The date of `strftime_now`, formatted as by Python's `strftime` at midnight in the C locale.

use minijinja::{Error, ErrorKind};

/// A date of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

impl Date {
    /// The date, with years 1 to 9999 as in Python; `None` if it does not exist.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let exists = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=month_days(year, month)).contains(&u16::from(day));
        exists.then_some(Self { year, month, day })
    }

    /// Day of the year, from 0.
    fn of_year(self) -> u16 {
        (1..self.month).map(|month| month_days(self.year, month)).sum::<u16>() + u16::from(self.day) - 1
    }

    /// Day of the week, from 0 for Sunday.
    fn weekday(self) -> u16 {
        let years = u32::from(self.year) - 1;
        let days = years * 365 + years / 4 - years / 100 + years / 400 + u32::from(self.of_year());
        // January 1 of year 1 is a Monday.
        ((days + 1) % 7) as u16
    }

    /// Year and week of ISO 8601: weeks start on Monday; week 1 contains the first Thursday of the year.
    fn iso_week(self) -> (u16, u16) {
        let from_monday = (self.weekday() + 6) % 7;
        let week = (self.of_year() + 10 - from_monday) / 7;
        match week {
            0 => (self.year - 1, weeks_of(self.year - 1)),
            53 if weeks_of(self.year) == 52 => (self.year + 1, 1),
            _ => (self.year, week),
        }
    }
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn month_days(year: u16, month: u8) -> u16 {
    match month {
        2 => 28 + u16::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Number of weeks of an ISO year: 53 if January 1 is a Thursday, or a Wednesday in a leap year; else 52.
fn weeks_of(year: u16) -> u16 {
    let first = Date { year, month: 1, day: 1 };
    // The first days of year 1 can belong to year 0, whose January 1 is a Saturday.
    let weekday = if year == 0 { 6 } else { first.weekday() };
    52 + u16::from(weekday == 4 || (weekday == 3 && is_leap(year)))
}

/// `strftime(format)` at midnight of `date`.
///
/// # Errors
/// A conversion that C does not define. (In Python the result depends on the system.)
pub(super) fn strftime(date: Date, format: &str) -> Result<String, Error> {
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let mut behind = chars.clone();
        let flag = behind.next().filter(|flag| matches!(flag, '-' | '_' | '0' | '^'));
        if flag.is_some() {
            chars = behind;
        }
        let piece = chars.next().and_then(|conversion| convert(date, conversion, flag));
        text.push_str(&piece.ok_or_else(|| unknown(format))?);
    }
    Ok(text)
}

fn unknown(format: &str) -> Error {
    let reason = format!("strftime_now: {} is no date format", crate::words::quote(format));
    Error::new(ErrorKind::InvalidOperation, reason)
}

fn convert(date: Date, conversion: char, flag: Option<char>) -> Option<String> {
    if let Some((value, width, pad)) = field(date, conversion) {
        return Some(padded(value, width, pad, flag));
    }
    let text = match word(date, conversion) {
        Some(word) => word,
        None => strftime(date, composite(conversion)?).ok()?,
    };
    Some(if flag == Some('^') { text.to_uppercase() } else { text })
}

/// Value, width and padding character of a numeric conversion.
fn field(date: Date, conversion: char) -> Option<(u16, usize, char)> {
    let (weekday, day_of_year) = (date.weekday(), date.of_year());
    let (iso_year, iso_week) = date.iso_week();
    Some(match conversion {
        'd' => (date.day.into(), 2, '0'),
        'e' => (date.day.into(), 2, ' '),
        'm' => (date.month.into(), 2, '0'),
        'Y' => (date.year, 1, '0'),
        'y' => (date.year % 100, 2, '0'),
        'C' => (date.year / 100, 2, '0'),
        'G' => (iso_year, 1, '0'),
        'g' => (iso_year % 100, 2, '0'),
        'V' => (iso_week, 2, '0'),
        'j' => (day_of_year + 1, 3, '0'),
        'U' => ((day_of_year + 7 - weekday) / 7, 2, '0'),
        'W' => ((day_of_year + 7 - (weekday + 6) % 7) / 7, 2, '0'),
        'w' => (weekday, 1, '0'),
        'u' => ((weekday + 6) % 7 + 1, 1, '0'),
        'H' | 'M' | 'S' => (0, 2, '0'),
        'k' => (0, 2, ' '),
        'I' => (12, 2, '0'),
        'l' => (12, 2, ' '),
        _ => return None,
    })
}

fn padded(value: u16, width: usize, pad: char, flag: Option<char>) -> String {
    let digits = value.to_string();
    let pad = match flag {
        Some('-') => return digits,
        Some('_') => ' ',
        Some('0') => '0',
        _ => pad,
    };
    let missing = width.saturating_sub(digits.len());
    pad.to_string().repeat(missing) + &digits
}

/// Text of a conversion to a name or to fixed text. The time zone is empty.
fn word(date: Date, conversion: char) -> Option<String> {
    let month = MONTHS[usize::from(date.month) - 1];
    let weekday = WEEKDAYS[usize::from(date.weekday())];
    let text = match conversion {
        'B' => month,
        'b' | 'h' => &month[..3],
        'A' => weekday,
        'a' => &weekday[..3],
        'p' => "AM",
        'P' => "am",
        'f' => "000000",
        'z' | 'Z' => "",
        'n' => "\n",
        't' => "\t",
        '%' => "%",
        _ => return None,
    };
    Some(text.to_owned())
}

/// The format that a conversion abbreviates.
fn composite(conversion: char) -> Option<&'static str> {
    Some(match conversion {
        'F' => "%Y-%m-%d",
        'D' | 'x' => "%m/%d/%y",
        'T' | 'X' => "%H:%M:%S",
        'R' => "%H:%M",
        'r' => "%I:%M:%S %p",
        'c' => "%a %b %e %H:%M:%S %Y",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_exist() {
        assert!(Date::new(2024, 2, 29).is_some() && Date::new(2023, 2, 29).is_none());
        assert!(Date::new(1900, 2, 29).is_none() && Date::new(2000, 2, 29).is_some());
        for (year, month, day) in
            [(0, 1, 1), (10_000, 1, 1), (2024, 0, 1), (2024, 13, 1), (2024, 4, 31), (2024, 4, 0)]
        {
            assert!(Date::new(year, month, day).is_none(), "{year}-{month}-{day}");
        }
    }
}
