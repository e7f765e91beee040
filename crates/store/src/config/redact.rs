//! Hides what looks like a secret before settings are shown or stored.

use serde_json::Value;

/// What stands in place of a secret.
pub const REDACTED: &str = "(redacted)";

/// Replaces every value whose key is named like a secret, key, password or token, at any depth. The tables below such a
/// name (`[[key]]`) are looked into instead: what stands there says where keys are.
pub fn redact(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map.iter_mut() {
                if secret_name(name) && !inner.is_null() && !is_tables(inner) {
                    *inner = Value::String(REDACTED.to_owned());
                } else {
                    redact(inner);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

fn is_tables(value: &Value) -> bool {
    let is_table = |v: &Value| v.is_object();
    is_table(value) || value.as_array().is_some_and(|items| items.iter().all(is_table))
}

fn secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["secret", "key", "password", "token", "passphrase"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_at_any_depth_and_the_rest_stays() {
        let mut value = serde_json::json!({"a": [{"api_key": "k", "fast": "5"}], "Password": 1, "token": null});
        redact(&mut value);
        let expected =
            serde_json::json!({"a": [{"api_key": REDACTED, "fast": "5"}], "Password": REDACTED, "token": null});
        assert_eq!(value, expected);
        let mut value = serde_json::json!({"key": [{"source": "file:k", "secret": "s"}], "tokens": ["t"]});
        redact(&mut value);
        let expected = serde_json::json!({"key": [{"source": "file:k", "secret": REDACTED}], "tokens": REDACTED});
        assert_eq!(value, expected);
    }
}
