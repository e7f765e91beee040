//! Signatures of Kraken's REST: HMAC-SHA512 over the path and the SHA-256 of nonce and body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::exchange::{Request, Stamp};
use crate::keys::{KeyError, Scheme, Signer};

/// Puts the nonce into the body, form or JSON, and adds key and signature.
pub(super) fn sign(request: &mut Request, signer: &dyn Signer, stamp: Stamp) -> Result<(), KeyError> {
    let nonce = stamp.nonce.to_string();
    request.body = match request.body.strip_prefix('{') {
        Some("}") => format!("{{\"nonce\":{nonce}}}"),
        Some(rest) => format!("{{\"nonce\":{nonce},{rest}"),
        None if request.body.is_empty() => format!("nonce={nonce}"),
        None => format!("nonce={nonce}&{}", request.body),
    };
    let signature = signature(signer, &request.path, &nonce, &request.body)?;
    request.headers.push(("API-Key".to_owned(), signer.key_id().to_owned()));
    request.headers.push(("API-Sign".to_owned(), signature));
    Ok(())
}

/// The signature of a body that holds the nonce.
pub(super) fn signature(signer: &dyn Signer, path: &str, nonce: &str, body: &str) -> Result<String, KeyError> {
    if signer.scheme() != Scheme::HmacSha512 {
        let (wants, found) = (Scheme::HmacSha512.name(), signer.scheme().name());
        return Err(KeyError::Scheme { venue: "kraken", wants, found });
    }
    let mut hash = Sha256::new();
    hash.update(nonce.as_bytes());
    hash.update(body.as_bytes());
    let mut payload = path.as_bytes().to_vec();
    payload.extend_from_slice(&hash.finalize());
    Ok(STANDARD.encode(signer.sign(&payload)?))
}
