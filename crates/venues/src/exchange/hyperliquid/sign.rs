//! Signatures of Hyperliquid's actions: the action as MessagePack, hashed with the nonce, becomes the id in a small
//! EIP-712 message that the agent's key signs.
//!
//! The action is written once, as JSON. What is hashed is read from that very text, key by key in its order, so that
//! nothing can be signed but what is sent.

use std::fmt;

use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use sha3::{Digest, Keccak256};

use crate::exchange::{Request, Stamp};
use crate::keys::{KeyError, Scheme, Signer};

/// Stands in a question's body for the account's address until it is signed.
pub(super) const ACCOUNT: &str = "$account";
/// Stands there for the address of the account that owns the key, whichever it trades for.
pub(super) const OWNER: &str = "$owner";
/// Stands in a question's body for the address of the key itself.
pub(super) const AGENT: &str = "$agent";

/// Signs a request: an action gets nonce and signature, a question the address it asks about.
pub(super) fn sign(request: &mut Request, signer: &dyn Signer, stamp: Stamp, mainnet: bool) -> Result<(), KeyError> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        action: &'a RawValue,
    }
    if let Ok(body) = serde_json::from_str::<Body<'_>>(&request.body) {
        request.body = payload(body.action.get(), signer, stamp.nonce, mainnet)?;
        return Ok(());
    }
    if request.body.contains(ACCOUNT) {
        request.body = request.body.replace(ACCOUNT, &account(signer)?);
    }
    if request.body.contains(OWNER) {
        request.body = request.body.replace(OWNER, &hex(&address(signer.key_id())?));
    }
    if request.body.contains(AGENT) {
        request.body = request.body.replace(AGENT, &agent(signer)?);
    }
    Ok(())
}

/// The account that is traded for and asked about.
pub(super) fn account(signer: &dyn Signer) -> Result<String, KeyError> {
    let text = if signer.passphrase().is_empty() { signer.key_id() } else { signer.passphrase() };
    address(text).map(|bytes| hex(&bytes))
}

/// The body of an action: itself, the nonce, the signature.
pub(super) fn payload(action: &str, signer: &dyn Signer, nonce: u64, mainnet: bool) -> Result<String, KeyError> {
    let vault = match signer.passphrase() {
        "" => None,
        text => Some(address(text)?),
    };
    let signature = signature(signer, &digest(&connection_id(action, nonce, vault.as_ref())?, mainnet))?;
    let (r, s, v) = (hex(&signature[..32]), hex(&signature[32..64]), signature[64]);
    let vault = vault.map(|v| format!(",\"vaultAddress\":\"{}\"", hex(&v))).unwrap_or_default();
    Ok(format!(
        "{{\"action\":{action},\"nonce\":{nonce},\"signature\":{{\"r\":\"{r}\",\"s\":\"{s}\",\"v\":{v}}}{vault}}}"
    ))
}

/// The hash of an action with its nonce and vault.
pub(super) fn connection_id(action: &str, nonce: u64, vault: Option<&[u8; 20]>) -> Result<[u8; 32], KeyError> {
    let failed = |_| KeyError::Sign(Scheme::Secp256k1.name());
    let node: Node = serde_json::from_str(action).map_err(failed)?;
    let mut bytes = rmp_serde::to_vec(&node).map_err(|_| KeyError::Sign(Scheme::Secp256k1.name()))?;
    bytes.extend_from_slice(&nonce.to_be_bytes());
    match vault {
        None => bytes.push(0),
        Some(address) => {
            bytes.push(1);
            bytes.extend_from_slice(address);
        }
    }
    Ok(keccak(&[&bytes]))
}

/// What is signed: the EIP-712 digest of `Agent { source, connectionId }`.
pub(super) fn digest(connection_id: &[u8; 32], mainnet: bool) -> [u8; 32] {
    const DOMAIN: &[u8] = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
    let mut chain = [0; 32];
    chain[30..].copy_from_slice(&1337u16.to_be_bytes());
    let domain = keccak(&[&keccak(&[DOMAIN]), &keccak(&[b"Exchange"]), &keccak(&[b"1"]), &chain, &[0; 32]]);
    let source: &[u8] = if mainnet { b"a" } else { b"b" };
    let kind = keccak(&[b"Agent(string source,bytes32 connectionId)"]);
    let message = keccak(&[&kind, &keccak(&[source]), connection_id]);
    keccak(&[b"\x19\x01", &domain, &message])
}

/// `r‖s‖v`, 65 bytes.
pub(super) fn signature(signer: &dyn Signer, digest: &[u8; 32]) -> Result<Vec<u8>, KeyError> {
    if signer.scheme() != Scheme::Secp256k1 {
        let (wants, found) = (Scheme::Secp256k1.name(), signer.scheme().name());
        return Err(KeyError::Scheme { venue: "hyperliquid", wants, found });
    }
    let signature = signer.sign(digest)?;
    if signature.len() == 65 { Ok(signature) } else { Err(KeyError::Sign(Scheme::Secp256k1.name())) }
}

/// The address of the key itself, which no one tells us: recovered from a signature over nothing that could be used.
pub(super) fn agent(signer: &dyn Signer) -> Result<String, KeyError> {
    let failed = || KeyError::Sign(Scheme::Secp256k1.name());
    let digest = keccak(&[b"bellwether: which address is this key's"]);
    let bytes = signature(signer, &digest)?;
    let parts = Signature::from_slice(&bytes[..64]).map_err(|_| failed())?;
    let recovery = bytes[64].checked_sub(27).and_then(RecoveryId::from_byte).ok_or_else(failed)?;
    let key = VerifyingKey::recover_from_prehash(&digest, &parts, recovery).map_err(|_| failed())?;
    let point = key.to_sec1_point(false);
    let hash = keccak(&[point.as_bytes().get(1..).ok_or_else(failed)?]);
    Ok(hex(&hash[12..]))
}

fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Keccak256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    format!("0x{}", crate::orders::hex(bytes))
}

fn address(text: &str) -> Result<[u8; 20], KeyError> {
    let wrong = || KeyError::Form {
        scheme: Scheme::Secp256k1.name(),
        why: "its id (and passphrase) must be an account's address, 0x and 40 hex digits",
    };
    let digits = text.trim().strip_prefix("0x").filter(|d| d.len() == 40 && d.is_ascii()).ok_or_else(wrong)?;
    let mut bytes = [0; 20];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).map_err(|_| wrong())?;
    }
    Ok(bytes)
}

/// A JSON value whose keys keep their order. Fractions are refused: decimals go as text.
enum Node {
    Null,
    Bool(bool),
    Number(u64),
    Negative(i64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value without fractions")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Negative(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(row) = rows.next_element()? {
            list.push(row);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Node::Map(map))
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => serializer.serialize_u64(*value),
            Self::Negative(value) => serializer.serialize_i64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(rows) => {
                let mut list = serializer.serialize_seq(Some(rows.len()))?;
                for row in rows {
                    list.serialize_element(row)?;
                }
                list.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}
