//! A request's parameters: from a query and a form body, or from JSON. What nobody read is refused.

use std::cell::Cell;

use bellwether_sdk::Decimal;
use serde_json::Value;

use super::error::Refused;

/// Parameters in the order sent.
#[derive(Debug, Default)]
pub(super) struct Params {
    all: Vec<(String, String, Cell<bool>)>,
}

impl Params {
    /// Of a query string and a form body.
    pub(super) fn of_text(query: &str, body: &str) -> Result<Self, Refused> {
        let mut params = Self::default();
        for part in query.split('&').chain(body.split('&')).filter(|p| !p.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let decode = |text: &str| decoded(text).ok_or_else(|| Refused::illegal(name));
            params.push(decode(name)?, decode(value)?)?;
        }
        Ok(params)
    }

    /// Of the `params` object of a WebSocket request.
    pub(super) fn of_json(value: Option<&Value>) -> Result<Self, Refused> {
        let mut params = Self::default();
        let Some(value) = value.filter(|v| !v.is_null()) else { return Ok(params) };
        let object = value.as_object().ok_or_else(|| Refused::new(-1135, "Invalid JSON Request"))?;
        for (name, value) in object {
            params.push(name.clone(), text_of(value))?;
        }
        Ok(params)
    }

    fn push(&mut self, name: String, value: String) -> Result<(), Refused> {
        if self.all.iter().any(|(n, ..)| *n == name) {
            return Err(Refused::new(-1101, format!("Duplicate values for parameter '{name}' detected.")));
        }
        self.all.push((name, value, Cell::new(false)));
        Ok(())
    }

    /// A parameter's text, `None` where it was not sent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let (_, value, read) = self.all.iter().find(|(n, ..)| n == name)?;
        read.set(true);
        Some(value)
    }

    /// A parameter that has to be there.
    pub(super) fn need(&self, name: &str) -> Result<&str, Refused> {
        self.get(name).filter(|v| !v.is_empty()).ok_or_else(|| Refused::missing(name))
    }

    /// A whole number.
    pub(super) fn int(&self, name: &str) -> Result<Option<i64>, Refused> {
        self.get(name).map(|v| v.parse().map_err(|_| Refused::illegal(name))).transpose()
    }

    /// A decimal number above zero.
    pub(super) fn decimal(&self, name: &str) -> Result<Option<Decimal>, Refused> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let plain = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit() || c == b'.');
        if !plain {
            return Err(Refused::new(
                -1100,
                format!(
                    "Illegal characters found in parameter '{name}'; legal range is '^([0-9]{{1,20}})(\\.[0-9]{{1,20}})?$'."
                ),
            ));
        }
        let value: Decimal =
            text.parse().map_err(|_| Refused::new(-1111, format!("Parameter '{name}' has too much precision.")))?;
        Ok(Some(value))
    }

    /// `true` or `false`, in any case.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Refused> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(Refused::illegal(name)),
        }
    }

    /// Refuses what was sent and nobody reads.
    pub(super) fn finish(&self) -> Result<(), Refused> {
        // They belong to the signing of any request.
        for name in ["timestamp", "recvWindow", "signature", "apiKey"] {
            self.get(name);
        }
        let read = self.all.iter().filter(|p| p.2.get()).count();
        if read == self.all.len() {
            return Ok(());
        }
        Err(Refused::new(
            -1104,
            format!("Not all sent parameters were read; read '{read}' parameter(s) but was sent '{}'.", self.all.len()),
        ))
    }

    /// What a WebSocket request signs: all but the signature, sorted by name, not percent-encoded.
    pub(super) fn sorted_payload(&self) -> String {
        let mut parts: Vec<(&str, &str)> =
            self.all.iter().filter(|p| p.0 != "signature").map(|p| (p.0.as_str(), p.1.as_str())).collect();
        parts.sort_unstable();
        parts.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What a REST request signs: the query and then the body, without separator, each without its `signature`.
pub(super) fn payload(query: &str, body: &str) -> String {
    let without = |text: &str| {
        text.split('&').filter(|part| !part.is_empty() && !part.starts_with("signature=")).collect::<Vec<_>>().join("&")
    };
    without(query) + &without(body)
}

/// Percent-decoded text; `None` where it is no UTF-8 or has a broken escape.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digit = |b: u8| char::from(b).to_digit(16);
                let value = digit(rest.next()?)? * 16 + digit(rest.next()?)?;
                bytes.push(u8::try_from(value).ok()?);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_query_then_body_without_the_signature() {
        assert_eq!(payload("symbol=LTCBTC&side=BUY", "quantity=1&signature=ab"), "symbol=LTCBTC&side=BUYquantity=1");
        assert_eq!(payload("a=1&signature=xy", ""), "a=1");
    }

    #[test]
    fn what_nobody_reads_is_refused() {
        let params = Params::of_text("symbol=BTC%2FUSDT&foo=1&timestamp=5", "").expect("params");
        assert_eq!(params.get("symbol"), Some("BTC/USDT"));
        assert_eq!(params.finish().expect_err("foo").code, -1104);
        assert_eq!(Params::of_text("a=1&a=2", "").expect_err("twice").code, -1101);
        assert!(Params::of_text("a=%zz", "").is_err() && Params::of_text("a=%f", "").is_err());
    }
}
