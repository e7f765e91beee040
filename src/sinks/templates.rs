//! Words of a message by a template: names in braces are put in, nothing is ever evaluated.

use bellwether_sdk::Ts;

use super::Notice;
use crate::config::Level;

/// The template where a sink has none.
const USUAL: &str = "{mark} {topic}: {text}";

/// Longest text of a message, characters.
const TEXT_MAX: usize = 3_500;

/// The text of a notice by a template. What is put in is not read again, so a text with braces stays one; a name that is
/// not known stays as it is written. Control characters but line ends are taken out.
pub fn render(template: Option<&str>, notice: &Notice) -> String {
    let mut out = String::new();
    let mut rest = template.unwrap_or(USUAL);
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        match after.split_once('}').and_then(|(name, next)| Some((value(name, notice)?, next))) {
            Some((value, next)) => {
                out.push_str(&value);
                rest = next;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out.chars().filter(|c| !c.is_control() || *c == '\n').take(TEXT_MAX).collect()
}

fn value(name: &str, notice: &Notice) -> Option<String> {
    Some(match name {
        "text" => notice.text.clone(),
        "topic" => notice.topic.clone(),
        "level" => level(notice.level).to_owned(),
        "mark" => match notice.level {
            Level::Info => "·",
            Level::Warning => "!",
            Level::Error => "!!",
        }
        .to_owned(),
        "time" => time(notice.at),
        other => notice.fields.get(other)?.clone(),
    })
}

/// A level's name.
pub(super) const fn level(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}

/// A time for people, UTC.
pub(super) fn time(at: Ts) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(at.nanos())) {
        Ok(stamp) if at != Ts::NONE => stamp.strftime("%F %TZ").to_string(),
        _ => "before the first event".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(text: &str) -> Notice {
        let mut notice = Notice::new(Ts::from_millis(0), Level::Error, "guard", text);
        notice.fields.insert("symbol".to_owned(), "BTC".to_owned());
        notice
    }

    #[test]
    fn names_are_put_in_once_and_what_is_put_in_is_not_read_again() {
        assert_eq!(render(None, &notice("stop")), "!! guard: stop");
        assert_eq!(render(Some("{level} {symbol} {time}"), &notice("")), "error BTC 1970-01-01 00:00:00Z");
        assert_eq!(render(Some("{text}"), &notice("{topic} {text} {{text}}")), "{topic} {text} {{text}}");
        assert_eq!(render(Some("{no such} { {text"), &notice("x")), "{no such} { {text");
    }

    #[test]
    fn control_characters_and_endless_texts_do_not_pass() {
        assert_eq!(render(Some("{text}"), &notice("a\u{1b}[31mb\nc\u{7}")), "a[31mb\nc");
        assert_eq!(render(Some("{text}"), &notice(&"x".repeat(10_000))).len(), TEXT_MAX);
    }
}
