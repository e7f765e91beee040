//! The shape of the settings tree, read from its JSON Schema: which keys there are and what kind of value each takes.
//!
//! One source for all layers, so that file, environment and flags know the same keys.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Settings;

/// What may stand at a place of the tree.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// Named keys.
    Table(BTreeMap<String, Shape>),
    /// Any keys.
    Open,
    /// A list.
    List(Box<Shape>),
    /// True or false.
    Bool,
    /// A whole number.
    Whole,
    /// Text, or a number taken by its text.
    Text,
}

impl Shape {
    /// The shape of all settings.
    pub(super) fn settings() -> Self {
        let schema = schemars::schema_for!(Settings).to_value();
        let none = Value::Null;
        Self::of(&schema, schema.get("$defs").unwrap_or(&none))
    }

    fn of(schema: &Value, defs: &Value) -> Self {
        if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
            return Self::of(&defs[name], defs);
        }
        for word in ["oneOf", "anyOf"] {
            if let Some(options) = schema[word].as_array() {
                let shapes = options.iter().filter(|o| o["type"] != "null").map(|o| Self::of(o, defs));
                return shapes.fold(None, Self::join).unwrap_or(Self::Text);
            }
        }
        match kind(schema) {
            "boolean" => Self::Bool,
            "integer" => Self::Whole,
            "array" => Self::List(Box::new(Self::of(&schema["items"], defs))),
            "object" => schema["properties"].as_object().map_or(Self::Open, |properties| {
                Self::Table(properties.iter().map(|(name, inner)| (name.clone(), Self::of(inner, defs))).collect())
            }),
            _ => Self::Text,
        }
    }

    /// Alternatives become the union of their keys, or text.
    fn join(so_far: Option<Self>, next: Self) -> Option<Self> {
        Some(match (so_far, next) {
            (None, next) => next,
            (Some(Self::Table(mut a)), Self::Table(b)) => {
                a.extend(b);
                Self::Table(a)
            }
            (Some(a), b) if a == b => a,
            _ => Self::Text,
        })
    }

    /// The shape at a dotted path, or the first name on the way that is not there with the names that are.
    pub(super) fn at(&self, path: &str) -> Result<&Self, (String, Vec<&str>)> {
        let mut here = self;
        for name in path.split('.') {
            here = match here {
                Self::Table(keys) => {
                    keys.get(name).ok_or_else(|| (name.to_owned(), keys.keys().map(String::as_str).collect()))?
                }
                _ => return Err((name.to_owned(), Vec::new())),
            };
        }
        Ok(here)
    }

    fn walk(&self, prefix: &str, out: &mut Vec<String>) {
        match self {
            Self::Table(keys) => {
                for (name, inner) in keys {
                    let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                    inner.walk(&path, out);
                }
            }
            Self::List(inner) if matches!(**inner, Self::Table(_)) => {}
            Self::Open => {}
            _ => out.push(prefix.to_owned()),
        }
    }
}

fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|k| *k != "null").unwrap_or("string"),
        _ => "string",
    }
}

/// The dotted paths that the environment and `--set` can set, in order.
pub fn known_paths() -> Vec<String> {
    let mut out = Vec::new();
    Shape::settings().walk("", &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_reach_every_section_and_alternative() {
        let paths = known_paths();
        for path in ["state_dir", "data.dir", "sim.latency_ms", "sim.slippage.ticks", "account.kind", "backtest.kinds"]
        {
            assert!(paths.iter().any(|p| p == path), "{path} is not among {paths:?}");
        }
        assert!(!paths.iter().any(|p| p.starts_with("strategy")), "{paths:?}");
    }

    #[test]
    fn kinds_of_values_are_known() {
        let shape = Shape::settings();
        assert_eq!(shape.at("sim.latency_ms"), Ok(&Shape::Whole));
        assert_eq!(shape.at("backtest.close_at_end"), Ok(&Shape::Bool));
        assert_eq!(shape.at("sim.taker_bps"), Ok(&Shape::Text));
        assert_eq!(shape.at("backtest.kinds"), Ok(&Shape::List(Box::new(Shape::Text))));
        assert_eq!(shape.at("sim.latncy").expect_err("no such key").0, "latncy");
    }
}
