//! One-time codes (RFC 6238: SHA-1, 30 seconds, six digits), as authenticator apps show them.

use ring::hmac;

/// How long a code is shown, seconds.
const STEP_S: u64 = 30;

/// The code of a secret at a Unix time, seconds.
pub fn code_at(secret: &[u8], unix_s: u64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &(unix_s / STEP_S).to_be_bytes());
    let bytes = tag.as_ref();
    let offset = usize::from(bytes.last().copied().unwrap_or(0) & 0x0f);
    let four = bytes.get(offset..offset + 4).unwrap_or(&[0; 4]);
    let number = four.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) & 0x7fff_ffff;
    number % 1_000_000
}

/// Whether a word is the code of now, or of the step before or after; gives the step, which may be used once.
pub fn is_code(secret: &[u8], word: &str, unix_s: u64) -> Option<u64> {
    if word.len() != 6 || !word.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let code: u32 = word.parse().ok()?;
    let steps = [unix_s, unix_s.saturating_sub(STEP_S), unix_s.saturating_add(STEP_S)];
    steps.into_iter().find(|at| code_at(secret, *at) == code).map(|at| at / STEP_S)
}

/// The bytes of a secret in base32, as apps take it.
pub(super) fn from_base32(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut count, mut out) = (0u32, 0u32, Vec::new());
    for c in text.bytes().filter(|c| !matches!(c, b' ' | b'-' | b'=')) {
        let value = match c.to_ascii_uppercase() {
            c @ b'A'..=b'Z' => c - b'A',
            c @ b'2'..=b'7' => c - b'2' + 26,
            _ => return None,
        };
        bits = (bits << 5 | u32::from(value)) & 0xfff;
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    (out.len() >= 10).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_6238() {
        let secret = b"12345678901234567890";
        // The last six digits of the appendix's eight.
        for (at, code) in [(59, 287_082), (1_111_111_109, 81_804), (1_234_567_890, 5_924), (20_000_000_000, 353_130)] {
            assert_eq!(code_at(secret, at), code, "{at}");
        }
        assert_eq!(is_code(secret, "287082", 60), Some(1));
        assert_eq!(is_code(secret, "287082", 200), None);
        assert_eq!(is_code(secret, "28708", 59), None);
        assert_eq!(from_base32("GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ").as_deref(), Some(secret.as_slice()));
    }
}
