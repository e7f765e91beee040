//! Tokens: a JWT per request, good for two minutes and for one method and path.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::facts::HOST;
use crate::exchange::codec::{Writer, to_millis};
use crate::exchange::{Request, Stamp};
use crate::keys::{KeyError, Scheme, Signer};

/// How long a token is good, seconds.
const LIFE_S: i64 = 120;

/// A token for a method and path, or for a socket where there is none.
pub(super) fn token(signer: &dyn Signer, stamp: Stamp, uri: Option<&str>) -> Result<String, KeyError> {
    let algorithm = match signer.scheme() {
        Scheme::Es256 => "ES256",
        Scheme::Ed25519 => "EdDSA",
        other => return Err(KeyError::Scheme { venue: "coinbase", wants: "ES256 or Ed25519", found: other.name() }),
    };
    let now = to_millis(stamp.now).div_euclid(1000);
    let header = Writer::default()
        .text("alg", algorithm)
        .text("typ", "JWT")
        .text("kid", signer.key_id())
        .text("nonce", &format!("{:032x}", stamp.nonce))
        .end();
    let claims = Writer::default()
        .text("sub", signer.key_id())
        .text("iss", "cdp")
        .raw("nbf", &now.to_string())
        .raw("exp", &now.saturating_add(LIFE_S).to_string())
        .text_if("uri", uri)
        .end();
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = signer.sign(signed.as_bytes())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Adds the token of a request; the query is not part of what it is made out to.
pub(super) fn request(request: &mut Request, signer: &dyn Signer, stamp: Stamp) -> Result<(), KeyError> {
    let uri = format!("{} {HOST}{}", request.method.name(), request.path);
    let token = token(signer, stamp, Some(&uri))?;
    request.headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    Ok(())
}
