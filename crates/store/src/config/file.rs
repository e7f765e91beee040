//! A settings file with the places of its keys, so that every complaint names its line.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml_edit::{Document, Item, TableLike, Value};

use super::shape::Shape;
use super::{ConfigError, Origin, Settings, suggest};

/// A TOML file that was read and found to be settings.
#[derive(Debug, Clone)]
pub struct SettingsFile {
    path: PathBuf,
    text: String,
    doc: Document<String>,
}

impl SettingsFile {
    /// Reads a file; its keys and the kinds of its values are checked, each complaint with its line.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|e| ConfigError::Unreadable {
            path: path.to_owned(),
            why: match e.kind() {
                std::io::ErrorKind::NotFound => "no such file".to_owned(),
                std::io::ErrorKind::InvalidData => "not UTF-8 text".to_owned(),
                _ if path.is_dir() => "is a folder; name the TOML file in it".to_owned(),
                _ => e.to_string(),
            },
        })?;
        Self::from_text(path, text)
    }

    /// The same for text at hand; `path` is for messages.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn from_text(path: &Path, text: String) -> Result<Self, ConfigError> {
        let doc = Document::parse(text.clone()).map_err(|e| ConfigError::Syntax {
            origin: Origin::File { path: path.to_owned(), line: e.span().map(|s| line_at(&text, s.start)) },
            why: e.message().trim().replace('\n', ", "),
        })?;
        let file = Self { path: path.to_owned(), text, doc };
        file.check_keys(file.doc.as_table(), &Shape::settings())?;
        file.settings()?;
        Ok(file)
    }

    /// The file's own settings, defaults for the rest.
    ///
    /// # Errors
    /// [`ConfigError::Value`] with the line.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        toml_edit::de::from_str(&self.text).map_err(|e| self.value_error(e.span(), e.message()))
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The file with the line of a dotted path such as `sim.latency_ms` or `strategy.0.params.fast`; `None` when the
    /// file does not set it.
    pub fn origin_of(&self, path: &str) -> Option<Origin> {
        let mut found = None;
        visit(self.doc.as_table(), "", &mut |here, key_span, _| {
            if here == path {
                found = key_span.map(|s| s.start);
            }
        });
        found.map(|at| self.origin(Some(at)))
    }

    fn origin(&self, at: Option<usize>) -> Origin {
        Origin::File { path: self.path.clone(), line: at.map(|at| line_at(&self.text, at)) }
    }

    fn check_keys(&self, table: &dyn TableLike, shape: &Shape) -> Result<(), ConfigError> {
        let Shape::Table(keys) = shape else { return Ok(()) };
        for (name, item) in table.iter() {
            let Some(inner) = keys.get(name) else {
                let known = || keys.keys().map(String::as_str);
                return Err(ConfigError::UnknownKey {
                    origin: self.origin(table.key(name).and_then(toml_edit::Key::span).map(|s| s.start)),
                    key: name.to_owned(),
                    suggestion: suggest(name, known()).map(str::to_owned),
                    known: known().collect::<Vec<_>>().join(", "),
                });
            };
            self.check_item(item, inner)?;
        }
        Ok(())
    }

    fn check_item(&self, item: &Item, shape: &Shape) -> Result<(), ConfigError> {
        if let Some(table) = item.as_table_like() {
            return self.check_keys(table, shape);
        }
        let Shape::List(inner) = shape else { return Ok(()) };
        match item {
            Item::ArrayOfTables(tables) => tables.iter().try_for_each(|t| self.check_keys(t, inner)),
            Item::Value(Value::Array(values)) => {
                values.iter().filter_map(Value::as_inline_table).try_for_each(|t| self.check_keys(t, inner))
            }
            _ => Ok(()),
        }
    }

    fn value_error(&self, span: Option<Range<usize>>, message: &str) -> ConfigError {
        let mut key = String::new();
        if let Some(span) = &span {
            visit(self.doc.as_table(), "", &mut |path, key_span, value_span| {
                let holds = |s: &Range<usize>| s.start <= span.start && span.start < s.end;
                if key_span.as_ref().is_some_and(holds) || value_span.as_ref().is_some_and(holds) {
                    path.clone_into(&mut key);
                }
            });
        }
        if key.is_empty() {
            "settings".clone_into(&mut key);
        }
        let why = if key.starts_with("key.") { hidden(&plain(message)) } else { plain(message) };
        ConfigError::Value { origin: self.origin(span.map(|s| s.start)), key, why }
    }
}

/// Bytes of the text.
type Span = Option<Range<usize>>;

/// Calls back for every key: its dotted path (lists by index), the span of the key and of the value.
fn visit(table: &dyn TableLike, prefix: &str, seen: &mut dyn FnMut(&str, Span, Span)) {
    for (name, item) in table.iter() {
        let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        seen(&path, table.key(name).and_then(toml_edit::Key::span), item.span());
        if let Some(inner) = item.as_table_like() {
            visit(inner, &path, seen);
        } else if let Item::ArrayOfTables(tables) = item {
            for (index, inner) in tables.iter().enumerate() {
                let path = format!("{path}.{index}");
                seen(&path, None, inner.span());
                visit(inner, &path, seen);
            }
        } else if let Item::Value(Value::Array(values)) = item {
            for (index, inner) in values.iter().enumerate() {
                let path = format!("{path}.{index}");
                seen(&path, None, inner.span());
                if let Some(inner) = inner.as_inline_table() {
                    visit(inner, &path, seen);
                }
            }
        }
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|c| **c == b'\n').count() + 1
}

/// A deserialiser's message in the words of this house.
pub(super) fn plain(message: &str) -> String {
    let message = message.lines().next().unwrap_or(message).trim();
    let found = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    if let Some((found, wanted)) = found.and_then(|rest| rest.split_once(", expected ")) {
        let wanted = match wanted {
            "u64" | "u32" | "u16" | "usize" => "a whole number, 0 or more",
            "i64" | "i32" | "an integer" => "a whole number",
            "a boolean" | "a bool" => "true or false",
            "a sequence" => "a list in [ ]",
            "a string" | "path string" => "text in quotes",
            other => other,
        };
        return format!("found {found}; write {wanted}");
    }
    if let Some((found, wanted)) = message.strip_prefix("unknown variant ").and_then(|r| r.split_once(", expected ")) {
        return format!("found {found}; write {wanted}");
    }
    message.to_owned()
}

/// The same without what was found: beside the places of keys stands now and then a key.
fn hidden(why: &str) -> String {
    match why.strip_prefix("found ").and_then(|rest| rest.rsplit_once("; write ")) {
        Some((_, wanted)) => format!("found something else, which is not shown; write {wanted}"),
        None => "is not as it must be; what was found is not shown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        SettingsFile::from_text(Path::new("config/x.toml"), text.to_owned()).expect_err("a complaint").to_string()
    }

    #[test]
    fn an_unknown_key_is_named_with_line_and_the_nearest_there_is() {
        assert_eq!(
            complaint("version = 1\n\n[sim]\nlatncy_ms = 5\n"),
            r#"reading config/x.toml:4: unknown key "latncy_ms"; did you mean "latency_ms"?"#
        );
        assert_eq!(
            complaint("[[strategy]]\nplugin = \"a\"\n[[strategy]]\nplugn = \"b\"\n"),
            r#"reading config/x.toml:4: unknown key "plugn"; did you mean "plugin"?"#
        );
        assert!(complaint("zebra = 1").contains("there are: account, backtest, data"), "{}", complaint("zebra = 1"));
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_named_with_line_and_what_to_write() {
        assert_eq!(
            complaint("[sim]\n# so slow\nlatency_ms = \"fast\"\n"),
            "reading config/x.toml:3: sim.latency_ms: found string \"fast\"; write a whole number, 0 or more"
        );
        assert_eq!(
            complaint("[account]\nkind = \"chequing\"\n"),
            "reading config/x.toml:2: account.kind: found `chequing`; write `cash` or `margin`"
        );
        assert_eq!(
            complaint("[backtest]\ninstruments = [\"binance:BTC/USDT\", \"BTCUSDT\"]\n"),
            "reading config/x.toml:2: backtest.instruments: \"BTCUSDT\" is not an instrument: no venue before a \
             colon; write venue:BASE/QUOTE, e.g. binance:BTC/USDT (spot) or binance:BTC/USDT:USDT (perpetual)"
        );
    }

    #[test]
    fn broken_toml_is_named_with_its_line() {
        let text = complaint("[sim]\nlatency_ms = = 5\n");
        assert!(text.starts_with("reading config/x.toml:2: not valid TOML: "), "{text}");
    }

    #[test]
    fn places_inside_lists_are_found() {
        let text = "[[strategy]]\nplugin = \"ema_cross\"\n[strategy.params]\nfast = 5\n";
        let file = SettingsFile::from_text(Path::new("x.toml"), text.to_owned()).expect("settings");
        let origin = file.origin_of("strategy.0.params.fast").expect("a place");
        assert_eq!(origin.to_string(), "reading x.toml:4");
    }
}
