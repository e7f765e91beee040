//! What is not sent: what a place did not ask for, and what was just said.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Notice;
use crate::config::SinkSettings;

/// Messages whose last time is remembered.
const REMEMBERED: usize = 1_000;

/// Filter and memory of one place.
#[derive(Debug)]
pub(super) struct Quiet {
    settings: SinkSettings,
    said: BTreeMap<(String, String), (Instant, u64)>,
}

impl Quiet {
    pub(super) fn new(settings: SinkSettings) -> Self {
        Self { settings, said: BTreeMap::new() }
    }

    /// Whether the place asked for such a notice at all.
    pub(super) fn wants(&self, notice: &Notice) -> bool {
        let of = &self.settings;
        let topic = match of.topics.is_empty() {
            true => notice.topic != "signal",
            false => of.topics.contains(&notice.topic),
        };
        topic && notice.level >= of.level && notice.level <= of.level_max
    }

    /// Whether it is to be sent now, and how often the same was kept back before it. Signals and fills are never the same.
    pub(super) fn lets(&mut self, notice: &Notice, now: Instant) -> Option<u64> {
        if matches!(notice.topic.as_str(), "signal" | "fill" | "start" | "stop") || self.settings.dedupe_s == 0 {
            return Some(0);
        }
        let window = Duration::from_secs(self.settings.dedupe_s);
        if self.said.len() > REMEMBERED {
            self.said.retain(|_, (at, _)| now.duration_since(*at) < window);
        }
        if self.said.len() > REMEMBERED {
            return Some(0);
        }
        let key = (notice.topic.clone(), notice.text.clone());
        match self.said.get_mut(&key) {
            Some((at, kept)) if now.duration_since(*at) < window => {
                *kept += 1;
                None
            }
            said => {
                let kept = said.map_or(0, |(_, kept)| *kept);
                self.said.insert(key, (now, 0));
                Some(kept)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::Ts;

    use super::*;
    use crate::config::{Level, SinkKind};

    fn notice(level: Level, topic: &str) -> Notice {
        Notice::new(Ts::from_millis(1), level, topic, "words")
    }

    #[test]
    fn a_place_gets_the_levels_and_topics_it_asked_for() {
        let mut settings = SinkSettings::new(SinkKind::File, "x");
        let quiet = Quiet::new(settings.clone());
        assert!(quiet.wants(&notice(Level::Info, "fill")) && !quiet.wants(&notice(Level::Info, "signal")));
        (settings.level, settings.topics) = (Level::Error, vec!["guard".to_owned()]);
        let errors = Quiet::new(settings.clone());
        assert!(errors.wants(&notice(Level::Error, "guard")) && !errors.wants(&notice(Level::Warning, "guard")));
        assert!(!errors.wants(&notice(Level::Error, "disk")));
        (settings.level, settings.level_max) = (Level::Info, Level::Warning);
        assert!(!Quiet::new(settings).wants(&notice(Level::Error, "guard")));
    }

    #[test]
    fn the_same_words_are_kept_back_for_a_while_and_counted() {
        let mut quiet = Quiet::new(SinkSettings::new(SinkKind::File, "x"));
        let (start, stale) = (Instant::now(), notice(Level::Warning, "stale"));
        let at = |s| start + Duration::from_secs(s);
        assert_eq!(quiet.lets(&stale, at(0)), Some(0));
        assert_eq!((quiet.lets(&stale, at(10)), quiet.lets(&stale, at(59))), (None, None));
        assert_eq!(quiet.lets(&stale, at(60)), Some(2));
        let fill = notice(Level::Info, "fill");
        assert_eq!((quiet.lets(&fill, at(0)), quiet.lets(&fill, at(0))), (Some(0), Some(0)));
    }
}
