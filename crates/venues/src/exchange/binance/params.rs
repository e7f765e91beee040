//! Parameters of a request, as they stand in queries, in lists of orders and in messages of the WebSocket API.

use std::fmt::Write;

use bellwether_sdk::num::write_mantissa;

use super::super::ClientId;

/// What the text of a parameter is made of. Each order is written on its way to the venue: nothing goes through a
/// formatter that need not.
pub(super) trait Value {
    /// Writes it at the end of a text.
    fn write(self, into: &mut String);
}

impl Value for &str {
    fn write(self, into: &mut String) {
        into.push_str(self);
    }
}

impl Value for String {
    fn write(self, into: &mut String) {
        into.push_str(&self);
    }
}

impl Value for ClientId {
    fn write(self, into: &mut String) {
        into.push_str(self.hex().as_str());
    }
}

impl Value for u64 {
    fn write(self, into: &mut String) {
        // Writing to a String cannot fail.
        let _ = write!(into, "{self}");
    }
}

impl Value for u32 {
    fn write(self, into: &mut String) {
        u64::from(self).write(into);
    }
}

impl Value for usize {
    fn write(self, into: &mut String) {
        (self as u64).write(into);
    }
}

impl Value for i64 {
    fn write(self, into: &mut String) {
        write_mantissa(self, 0, into);
    }
}

/// A price or a quantity: its mantissa and its scale.
pub(super) struct Exact(pub(super) i64, pub(super) u8);

impl Value for Exact {
    fn write(self, into: &mut String) {
        write_mantissa(self.0, self.1, into);
    }
}

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

    fn add(&mut self, key: &'static str, value: impl Value, number: bool) {
        let from = self.texts.len();
        value.write(&mut self.texts);
        self.params.push(Param { key, from, to: self.texts.len(), number });
    }

    fn value(&self, param: &Param) -> &str {
        &self.texts[param.from..param.to]
    }

    /// With a text.
    pub(super) fn text(mut self, key: &'static str, text: impl Value) -> Self {
        self.add(key, text, false);
        self
    }

    /// With a text, if there is one.
    pub(super) fn text_if(self, key: &'static str, text: Option<impl Value>) -> Self {
        match text {
            Some(text) => self.text(key, text),
            None => self,
        }
    }

    /// With a whole number.
    pub(super) fn number(mut self, key: &'static str, number: impl Value) -> Self {
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
        self.object_into(&mut object);
        object
    }

    /// [`object`](Self::object) at the end of a text.
    pub(super) fn object_into(&self, object: &mut String) {
        object.push('{');
        for (i, p) in self.params.iter().enumerate() {
            if i > 0 {
                object.push(',');
            }
            // Keys are ours and plain.
            object.push('"');
            object.push_str(p.key);
            object.push_str("\":");
            if p.number { object.push_str(self.value(p)) } else { quote(self.value(p), object) }
        }
        object.push('}');
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
    // Without an early end, many bytes are looked at at once.
    let plain = text.bytes().fold(true, |plain, b| plain & ((0x20..0x7f).contains(&b) & (b != b'"') & (b != b'\\')));
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
        let params = Params::new().text("symbol", "１2").text("note", "a\"b").number("n", 5_i64);
        assert_eq!(params.query(), "symbol=%EF%BC%912&note=a%22b&n=5");
        assert_eq!(params.object(), "{\"symbol\":\"１2\",\"note\":\"a\\\"b\",\"n\":5}");
    }
}
