//! The API keys the sandbox knows: what each may do, from where, until when; and the check of signatures.
//!
//! Written on `ring` alone and apart from the codecs of the exchange door: the two check each other.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bellwether_sdk::Ts;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{hmac, signature};
use serde_json::{Value, json};

use super::error::{Refused, SandboxError};

/// The account of keys that name none.
pub const MAIN: &str = "main";

/// What a key is checked with.
#[derive(Clone)]
enum Proof {
    Hmac(String),
    Ed25519(Vec<u8>),
    Rsa(Vec<u8>),
}

/// A key of the sandbox. `Debug` does not show the secret.
#[derive(Clone)]
pub struct ApiKey {
    /// Its public id.
    pub id: String,
    /// Whose orders and balances it sees.
    pub account: String,
    proof: Proof,
    /// May read the account.
    pub read: bool,
    /// May place and cancel orders.
    pub trade: bool,
    /// Has the permission to withdraw (nothing can be withdrawn here; clients should refuse such keys).
    pub withdraw: bool,
    /// The only addresses it may come from; empty for any.
    pub ips: Vec<IpAddr>,
    /// From when on it is refused; [`Ts::MAX`] for never.
    pub expires: Ts,
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).field("account", &self.account).finish_non_exhaustive()
    }
}

impl ApiKey {
    /// Reads `id[@account]:secret:perm[,perm…][:ip[,ip…]][:expiry]`.
    ///
    /// The secret is the text of an HMAC key, or `ed25519=` or `rsa=` and the base64 of a public key (DER, or 32 raw
    /// bytes for Ed25519). Permissions are `read`, `trade`, `withdraw`. An empty list of addresses allows all. The
    /// expiry is milliseconds since 1970 or a time as in `2026-12-01T00:00:00Z`.
    ///
    /// # Errors
    /// [`SandboxError::Setting`]; the secret is not shown.
    pub fn parse(text: &str) -> Result<Self, SandboxError> {
        let mut parts = text.splitn(5, ':');
        let name = parts.next().unwrap_or_default();
        let wrong = |why: &str| SandboxError::setting(format!("key {name:?}"), why);
        let form = "write id:secret:perm[,perm][:ip[,ip]][:expiry], perms read, trade, withdraw";
        let (Some(secret), Some(perms)) = (parts.next(), parts.next()) else { return Err(wrong(form)) };
        let (id, account) = name.split_once('@').unwrap_or((name, MAIN));
        let legal = |s: &str| !s.is_empty() && s.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
        if !legal(id) || !legal(account) || secret.is_empty() {
            return Err(wrong("an id and an account are letters, digits, - and _, and a secret is not empty"));
        }
        let proof = if let Some(key) = secret.strip_prefix("ed25519=") {
            Proof::Ed25519(ed25519_of(key).ok_or_else(|| wrong("after ed25519= stands base64 of a public key"))?)
        } else if let Some(key) = secret.strip_prefix("rsa=") {
            Proof::Rsa(rsa_of(key).ok_or_else(|| wrong("after rsa= stands base64 of a public key in DER"))?)
        } else {
            Proof::Hmac(secret.to_owned())
        };
        let mut key = Self {
            id: id.to_owned(),
            account: account.to_owned(),
            proof,
            read: false,
            trade: false,
            withdraw: false,
            ips: Vec::new(),
            expires: Ts::MAX,
        };
        for perm in perms.split(',') {
            match perm {
                "read" => key.read = true,
                "trade" => key.trade = true,
                "withdraw" => key.withdraw = true,
                _ => return Err(wrong(form)),
            }
        }
        for ip in parts.next().unwrap_or_default().split(',').filter(|s| !s.is_empty()) {
            key.ips.push(ip.parse().map_err(|_| wrong(&format!("{ip:?} is no IP address")))?);
        }
        if let Some(expiry) = parts.next().filter(|s| !s.is_empty()) {
            let millis = expiry.parse::<i64>().ok();
            let time = || expiry.parse::<jiff::Timestamp>().ok().map(|t| t.as_millisecond());
            key.expires = millis
                .or_else(time)
                .map(Ts::from_millis)
                .ok_or_else(|| wrong(&format!("{expiry:?} is no time; write milliseconds or 2026-12-01T00:00:00Z")))?;
        }
        Ok(key)
    }

    /// A key of random id and secret that may read and trade in the main account, and its secret.
    ///
    /// # Errors
    /// [`SandboxError::Setting`] when the system gives no random bytes.
    pub fn random() -> Result<(Self, String), SandboxError> {
        let (id, secret) = (random_text()?, random_text()?);
        Ok((Self::parse(&format!("{id}:{secret}:read,trade"))?, secret))
    }

    /// How it signs.
    pub fn scheme(&self) -> &'static str {
        match self.proof {
            Proof::Hmac(_) => "HMAC",
            Proof::Ed25519(_) => "ED25519",
            Proof::Rsa(_) => "RSA",
        }
    }

    /// Whether a signature, as sent, is that of the payload.
    pub(super) fn verifies(&self, payload: &str, sent: &str) -> bool {
        let payload = payload.as_bytes();
        let base64 = || STANDARD.decode(sent).unwrap_or_default();
        match &self.proof {
            Proof::Hmac(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
                unhex(sent).is_some_and(|tag| hmac::verify(&key, payload, &tag).is_ok())
            }
            Proof::Ed25519(public) => {
                signature::UnparsedPublicKey::new(&signature::ED25519, public).verify(payload, &base64()).is_ok()
            }
            Proof::Rsa(public) => signature::UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, public)
                .verify(payload, &base64())
                .is_ok(),
        }
    }

    /// Refuses a caller whose key is expired or who comes from elsewhere.
    pub(super) fn admits(&self, from: IpAddr, now: Ts) -> Result<(), Refused> {
        let here = self.ips.is_empty() || self.ips.contains(&from);
        if here && now < self.expires { Ok(()) } else { Err(Refused::bad_key()) }
    }

    /// What `apiRestrictions` and the admin endpoint show.
    pub(super) fn shown(&self) -> Value {
        let ips: Vec<String> = self.ips.iter().map(ToString::to_string).collect();
        let expires = (self.expires != Ts::MAX).then(|| self.expires.nanos() / 1_000_000);
        json!({"id": self.id, "account": self.account, "scheme": self.scheme(), "read": self.read,
               "trade": self.trade, "withdraw": self.withdraw, "ips": ips, "expires": expires})
    }
}

/// All keys, by id.
#[derive(Debug, Default)]
pub(super) struct Keys {
    all: BTreeMap<String, ApiKey>,
    /// Requests that were refused for their key or its signature.
    pub(super) refused: u64,
}

impl Keys {
    pub(super) fn put(&mut self, key: ApiKey) {
        self.all.insert(key.id.clone(), key);
    }

    pub(super) fn remove(&mut self, id: &str) -> bool {
        self.all.remove(id).is_some()
    }

    pub(super) fn get(&self, id: &str) -> Option<&ApiKey> {
        self.all.get(id)
    }

    pub(super) fn list(&self) -> impl Iterator<Item = &ApiKey> {
        self.all.values()
    }
}

/// 64 random letters and digits of the system's generator.
pub(super) fn random_text() -> Result<String, SandboxError> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789ab";
    let mut bytes = [0u8; 64];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| SandboxError::setting("a random key", "the system gives no random bytes"))?;
    Ok(bytes.iter().map(|b| char::from(LETTERS[usize::from(b % 64)])).collect())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect()
}

fn der(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.trim()).ok()
}

/// The 32 bytes of an Ed25519 public key, raw or at the end of its SubjectPublicKeyInfo.
fn ed25519_of(text: &str) -> Option<Vec<u8>> {
    let bytes = der(text)?;
    match bytes.len() {
        32 => Some(bytes),
        44 => Some(bytes[12..].to_vec()),
        _ => None,
    }
}

/// An RSA public key as PKCS#1, which is what stands in the bit string of its SubjectPublicKeyInfo.
fn rsa_of(text: &str) -> Option<Vec<u8>> {
    let bytes = der(text)?;
    let body = element(&bytes, 0x30)?.0;
    if body.first() == Some(&0x02) {
        return Some(bytes);
    }
    let (_, rest) = element(body, 0x30)?;
    let (bits, _) = element(rest, 0x03)?;
    bits.split_first().filter(|(unused, _)| **unused == 0).map(|(_, key)| key.to_vec())
}

/// The content of a DER element of a kind, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (len, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (len.iter().fold(0, |n, b| n << 8 | usize::from(*b)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(len).filter(|_| found == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

    #[test]
    fn the_published_hmac_signatures_verify_and_changed_ones_do_not() {
        let key = ApiKey::parse(&format!("k:{SECRET}:read")).expect("a key");
        let query = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";
        let sent = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71";
        assert!(key.verifies(query, sent) && key.verifies(query, &sent.to_uppercase()));
        assert!(
            !key.verifies(&query.replace("0.1", "0.2"), sent)
                && !key.verifies(query, "c8")
                && !key.verifies(query, "é")
        );
        let wide = "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";
        assert!(key.verifies(wide, "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"));
        let mixed = super::super::params::payload(
            "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC",
            "quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
        );
        assert!(key.verifies(&mixed, "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"));
        assert!(
            key.verifies("timestamp=1578963600000", "d84e6641b1e328e7b418fff030caed655c266299c9355e36ce801ed14631eed4")
        );
    }

    #[test]
    fn the_sorted_payload_of_the_socket_api_verifies() {
        let key = ApiKey::parse(&format!("k:{SECRET}:read")).expect("a key");
        let sent = json!({"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC",
            "quantity": "0.01000000", "price": "52000.00", "recvWindow": 100, "timestamp": 1645423376532i64,
            "apiKey": "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A", "signature": "x"});
        let payload = super::super::params::Params::of_json(Some(&sent)).expect("params").sorted_payload();
        assert!(key.verifies(&payload, "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"));
    }

    #[test]
    fn ed25519_signatures_verify_against_the_public_key() {
        // The public half of RFC 8032's first test key.
        let public = unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").expect("hex");
        let key = ApiKey::parse(&format!("k:ed25519={}:read", STANDARD.encode(public))).expect("a key");
        let query = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";
        let sent = "3fhuDZ9nYMviDQ5OEtJBJS11jUZDTRzRQ+TQMarm+LErFiJvUiVPQjTzDoWZQe4miPX+yHk1v/Z7TWLYjIbmCA==";
        assert!(key.verifies(query, sent) && !key.verifies(&query[1..], sent));
        let logon = "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A&timestamp=1649729878532";
        let sent = "763GJeFgG09B/06V/dq24cLu6f0R57whgDMyOCubDex4CTTElmDgPSIQqLdOsvW5TBxyaaFotVCI8tUmQMChAA==";
        assert!(key.verifies(logon, sent));
    }

    #[test]
    fn rsa_signatures_verify_against_the_public_key() {
        // Made with openssl for this test.
        let public = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA04VCHtq36vW2/8YLpGVmxGjTmvisGPzVmWjsnZkpa4wRtim0/CfF\
             80W9jWLhg6Dy9QdPUfxSoqfOTc7DGd7TozJfTgmM3qYSjOsEAk3LsnHmQ17nWoHTOJQJT6MfnddzgL0atjNm9hU/+cJSXDnI\
             Vz+zSxVZMb7eZR0xJ0FHw4dD+vgAMbQQNziv/8HEKAAaXlZjH8OyNmxFCrFfCxw4hZyy6qm6K+aEv59Ov3cvjz6cl1kxAeTD\
             HMlnMllecYxJNdX6gvBo9sk26iB6mwawEDRqrNGfPD96qRHJuVBe+5rDRWX27FtD4B3gysQ+JZukgqWQ8Ya8j5J52iuiC/S+\
             8QIDAQAB";
        let sent = "nS4m+1eH+6K1jP17Z7eCHWJq3Rk+LALS6e+Dtu4sCkLI5Wz9H0EYVVJP0TJ6Z9ngR2ub6ORnBX1FJ3Dh8XtehNmCJN6N0uO8\
             8g/FAUp+781wxFLpREdKVl6cbHrthRxmy5RfeoTXWgQDzWfRGX5JaKSwCcNbpGGlBZgoFaMQNUCfWMHZPkWhkkmXGg3SOcUe\
             3XTeCImvwuc/It8rn/bL69iX9t5HISGyryoDRX5pOzDM/4XA5T3BDttcNU1wIA98Zdcy5FoBCEkb8fAitt3Q4+fbGQ5zJA7x\
             0rA0S9efZ+vh8707Q1T2VXEoLlw/cK4ac7tFH6lcXIEPgGEB0148yw==";
        let key = ApiKey::parse(&format!("k:rsa={public}:read")).expect("a key");
        assert_eq!(key.scheme(), "RSA");
        assert!(key.verifies("timestamp=1578963600000", sent) && !key.verifies("timestamp=1578963600001", sent));
        assert!(ApiKey::parse("k:rsa=MIIB:read").is_err());
    }

    #[test]
    fn keys_read_with_permissions_addresses_and_expiry() {
        let key = ApiKey::parse("id@second:s:read,trade:127.0.0.2,10.0.0.1:2026-12-01T00:00:00Z").expect("a key");
        assert_eq!((key.account.as_str(), key.read, key.trade, key.withdraw), ("second", true, true, false));
        let (here, there) = (IpAddr::from([127, 0, 0, 2]), IpAddr::from([127, 0, 0, 1]));
        assert!(key.admits(here, Ts::from_millis(0)).is_ok() && key.admits(there, Ts::from_millis(0)).is_err());
        assert_eq!(key.admits(here, Ts::from_millis(1_796_083_200_000)).expect_err("expired").code, -2015);
        for text in [
            "id",
            "id:s",
            "id:s:fly",
            "i d:s:read",
            ":s:read",
            "id:ed25519=AA:read",
            "id:s:read:nowhere",
            "id:s:read::soon",
        ] {
            assert!(ApiKey::parse(text).is_err(), "{text}");
        }
    }
}
