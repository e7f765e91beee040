//! Values of a parameter to try: a single one, a list `5,10,20`, or a range `5:30:5` (its end included), exact decimals.

use bellwether_sdk::{Decimal, num::pow10};

/// Most values one parameter may take in a grid.
const VALUES_MAX: usize = 10_000;

/// The values a text stands for; one means no grid. `parts` says whether the parameter can be listed at all (free text
/// may hold commas and colons of its own).
///
/// # Errors
/// What was found and what to write.
pub(crate) fn values(text: &str, parts: bool) -> Result<Vec<String>, String> {
    if !parts {
        return Ok(vec![text.to_owned()]);
    }
    if text.contains(',') {
        let values: Vec<String> = text.split(',').map(|v| v.trim().to_owned()).collect();
        return match values.iter().any(String::is_empty) {
            true => Err(format!("{text:?} has an empty value; write 5,10,20")),
            false => Ok(values),
        };
    }
    if text.contains(':') { range(text) } else { Ok(vec![text.to_owned()]) }
}

fn range(text: &str) -> Result<Vec<String>, String> {
    let wrong = |why: &str| format!("{text:?} is not a range: {why}; write first:last:step, e.g. 5:30:5");
    let parts: Vec<&str> = text.split(':').collect();
    let [first, last, step] = parts[..] else { return Err(wrong("it needs three numbers")) };
    let read = |part: &str| Decimal::parse(part.trim().as_bytes()).map_err(|e| wrong(&e.to_string()));
    let (first, last, step) = (read(first)?, read(last)?, read(step)?);
    let scale = first.scale().max(last.scale()).max(step.scale());
    let at = |d: Decimal| d.at_scale(scale).map(i128::from).map_err(|e| wrong(&e.to_string()));
    let (low, high, step) = (at(first)?, at(last)?, at(step)?);
    if step <= 0 {
        return Err(wrong("the step must be above zero"));
    }
    if high < low {
        return Err(wrong("the last is below the first"));
    }
    let count = (high - low) / step + 1;
    if count > VALUES_MAX as i128 {
        return Err(wrong(&format!("it has {count} values, at most {VALUES_MAX} are taken")));
    }
    Ok((0..count).map(|i| show(low + i * step, scale)).collect())
}

fn show(mantissa: i128, scale: u8) -> String {
    // Between two i64 numbers, so it fits again.
    let decimal = i64::try_from(mantissa).map(|m| Decimal::new(m, scale).normalized());
    decimal.map_or_else(|_| (mantissa / i128::from(pow10(scale))).to_string(), |d| d.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        values(text, true).expect("values")
    }

    #[test]
    fn ranges_are_exact_and_hold_their_end() {
        assert_eq!(read("5:30:5"), ["5", "10", "15", "20", "25", "30"]);
        assert_eq!(read("0.1:0.3:0.1"), ["0.1", "0.2", "0.3"]);
        assert_eq!(read("-1:1:0.5"), ["-1", "-0.5", "0", "0.5", "1"]);
        assert_eq!(read("5:9:3"), ["5", "8"]);
    }

    #[test]
    fn lists_and_single_values_stand_as_typed() {
        assert_eq!(read("5, 10,20"), ["5", "10", "20"]);
        assert_eq!(read("long-only"), ["long-only"]);
        assert_eq!(values("a,b:c", false).expect("text"), ["a,b:c"]);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["5:30", "5:30:0", "30:5:1", "a:b:c", "5,,6", "0:1000000:1", "1:2:3:4"] {
            assert!(values(text, true).is_err(), "{text}");
        }
    }
}
