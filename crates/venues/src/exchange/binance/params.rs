//! Parameters of a request, as they stand in queries, in lists of orders and in messages of the WebSocket API.

use std::fmt::Write;

/// One parameter: its name, and where its text ends in the common one.
#[derive(Clone, Copy)]
struct Param {
    key: &'static str,
    from: usize,
    to: usize,
    /// Whether it is a number in JSON.
    number: bool,
}

/// Parameters in the order in which they were added. Their texts stand behind one another in one.
#[derive(Default)]
pub(super) struct Params {
    params: Vec<Param>,
    texts: String,
}

impl Params {
    /// None yet.
    pub(super) fn new() -> Self {
        Self { params: Vec::with_capacity(12), texts: String::with_capacity(320) }
    }

    fn add(&mut self, key: &'static str, value: impl std::fmt::Display, number: bool) {
        let from = self.texts.len();
        // Writing to a String cannot fail.
        let _ = write!(self.texts, "{value}");
        self.params.push(Param { key, from, to: self.texts.len(), number });
    }

    fn value(&self, param: &Param) -> &str {
        &self.texts[param.from..param.to]
    }

    /// With a text.
    pub(super) fn text(mut self, key: &'static str, text: impl std::fmt::Display) -> Self {
        self.add(key, text, false);
        self
    }

    /// With a text, if there is one.
    pub(super) fn text_if(self, key: &'static str, text: Option<impl std::fmt::Display>) -> Self {
        match text {
            Some(text) => self.text(key, text),
            None => self,
        }
    }

    /// With a whole number.
    pub(super) fn number(mut self, key: &'static str, number: impl std::fmt::Display) -> Self {
        self.add(key, number, true);
        self
    }

    /// With other parameters after these.
    pub(super) fn and(mut self, other: Self) -> Self {
        for p in &other.params {
            self.add(p.key, other.value(p), p.number);
        }
        self
    }

    /// As a query, percent-encoded.
    pub(super) fn query(&self) -> String {
        let mut query = String::with_capacity(160);
        for p in &self.params {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(p.key);
            query.push('=');
            encode(self.value(p), &mut query);
        }
        query
    }

    /// Sorted by name, as the WebSocket API signs them: `k=v` joined by `&`, not encoded.
    pub(super) fn payload(&mut self) -> String {
        self.params.sort_by_key(|p| p.key);
        let mut payload = String::with_capacity(320);
        for p in &self.params {
            if !payload.is_empty() {
                payload.push('&');
            }
            payload.push_str(p.key);
            payload.push('=');
            payload.push_str(self.value(p));
        }
        payload
    }

    /// As a JSON object, in their order.
    pub(super) fn object(&self) -> String {
        let mut object = String::with_capacity(480);
        object.push('{');
        for (i, p) in self.params.iter().enumerate() {
            if i > 0 {
                object.push(',');
            }
            // Keys are ours and plain.
            object.push('"');
            object.push_str(p.key);
            object.push_str("\":");
            if p.number { object.push_str(self.value(p)) } else { quote(self.value(p), &mut object) }
        }
        object.push('}');
        object
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters.
pub(super) fn encode(text: &str, into: &mut String) {
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~') {
            into.push(char::from(b));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(into, "%{b:02X}");
        }
    }
}

/// A JSON string.
fn quote(text: &str, into: &mut String) {
    let plain = text.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'"' && b != b'\\');
    if plain {
        into.push('"');
        into.push_str(text);
        into.push('"');
    } else {
        into.push_str(&serde_json::Value::from(text).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_plain_is_encoded_in_queries_and_escaped_in_json() {
        let params = Params::new().text("symbol", "１2").text("note", "a\"b").number("n", 5);
        assert_eq!(params.query(), "symbol=%EF%BC%912&note=a%22b&n=5");
        assert_eq!(params.object(), "{\"symbol\":\"１2\",\"note\":\"a\\\"b\",\"n\":5}");
    }
}
