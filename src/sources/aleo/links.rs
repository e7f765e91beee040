//! Links of a campaign: shown only when they lead to a domain of the campaign's own official list.
//!
//! Who wants to steal asks for a signature on a page that looks right. So a link is read as a browser reads it, and refused
//! where a person could read it otherwise: another host before an `@`, letters of other alphabets, a domain that only begins
//! or ends like the right one, anything but https.

use reqwest::Url;

/// The domains of a campaign: `example.org`, or `*.example.org` for those below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Official(Vec<String>);

/// A link is not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unofficial {
    /// It is no plain https address.
    #[error("it is no plain https address: {0}")]
    Form(&'static str),
    /// Its domain is not on the list.
    #[error("its domain {0} is not on the campaign's official list")]
    Domain(String),
}

impl Official {
    /// A list.
    ///
    /// # Errors
    /// The entry that is no domain.
    pub fn new(domains: &[String]) -> Result<Self, String> {
        let wrong = domains.iter().find(|d| !is_domain(d.strip_prefix("*.").unwrap_or(d)));
        match wrong {
            None => Ok(Self(domains.iter().map(|d| d.to_ascii_lowercase()).collect())),
            Some(entry) => {
                Err(format!("{entry:?} is no domain; write example.org, or *.example.org for those below it"))
            }
        }
    }

    /// The address as it may be shown.
    ///
    /// # Errors
    /// [`Unofficial`].
    pub fn shown(&self, link: &str) -> Result<String, Unofficial> {
        if !link.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Unofficial::Form("it has blanks, or letters that are not plain"));
        }
        if link.contains(['\\', '"', '<', '>', '`']) {
            return Err(Unofficial::Form("it has a character that browsers read otherwise"));
        }
        let rest = link.strip_prefix("https://").ok_or(Unofficial::Form("it does not begin with https://"))?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(Unofficial::Form("it has a name before its domain"));
        }
        let url = Url::parse(link).map_err(|_| Unofficial::Form("it does not read"))?;
        let host = url.domain().ok_or(Unofficial::Form("it has an address for a domain"))?.to_owned();
        // What we read has to be what a browser reads.
        if !authority.eq_ignore_ascii_case(&host) {
            return Err(Unofficial::Form("its domain is written in an unusual way, or it names a port"));
        }
        if !is_domain(&host) || host.split('.').any(|label| label.starts_with("xn--")) {
            return Err(Unofficial::Form("its domain is not written in plain letters"));
        }
        if self.0.iter().any(|official| fits(official, &host)) {
            Ok(url.to_string())
        } else {
            Err(Unofficial::Domain(host))
        }
    }
}

fn fits(official: &str, host: &str) -> bool {
    match official.strip_prefix("*.") {
        None => official == host,
        Some(parent) => host.strip_suffix(parent).is_some_and(|sub| sub.len() > 1 && sub.ends_with('.')),
    }
}

/// Labels of letters, digits and dashes, at least two of them.
fn is_domain(text: &str) -> bool {
    let label = |l: &str| {
        !l.is_empty()
            && l.len() < 64
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
    };
    text.contains('.') && text.len() < 254 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn official() -> Official {
        Official::new(&["aleo.example.org".to_owned(), "*.stake.example".to_owned()]).expect("a list")
    }

    #[test]
    fn a_link_to_an_official_domain_is_shown() {
        for link in
            ["https://aleo.example.org", "https://aleo.example.org/quest?id=1#top", "https://app.stake.example/x"]
        {
            assert!(official().shown(link).is_ok(), "{link}");
        }
        assert_eq!(official().shown("https://ALEO.example.org/A").as_deref(), Ok("https://aleo.example.org/A"));
    }

    #[test]
    fn a_link_that_only_looks_right_is_not() {
        let tricks = [
            // Another domain, by addition, omission or look.
            "https://aleo.example.org.evil.com/",
            "https://evil-aleo.example.org/",
            "https://sub.aleo.example.org/",
            "https://example.org/",
            "https://aleo-example.org/",
            "https://a1eo.example.org/",
            "https://aleo.exarnple.org/",
            "https://stake.example/",
            "https://evilstake.example/",
            "https://.stake.example/",
            "https://app.stake.example.evil.com/",
            // Userinfo.
            "https://aleo.example.org@evil.com/",
            "https://aleo.example.org:pass@evil.com/",
            "https://evil.com@aleo.example.org/",
            "https://aleo.example.org%40evil.com/",
            // Slashes, fragments, queries in the place of the host.
            "https://evil.com/aleo.example.org",
            "https://evil.com#aleo.example.org",
            "https://evil.com?x=https://aleo.example.org",
            "https://evil.com\\@aleo.example.org/",
            "https:\\\\aleo.example.org/",
            "https:aleo.example.org/",
            "https:///aleo.example.org/",
            "https://evil.com\t.aleo.example.org/",
            // Other alphabets, plain and as punycode.
            "https://\u{430}leo.example.org/",
            "https://aleo.example\u{3002}org/",
            "https://\u{ff41}leo.example.org/",
            "https://xn--leo-5cd.example.org/",
            "https://xn--app-1x.stake.example/",
            "https://aleo\u{200b}.example.org/",
            "https://\u{202e}gro.elpmaxe.oela/",
            // Other schemes, ports, addresses, dots.
            "http://aleo.example.org/",
            "javascript:alert('https://aleo.example.org')",
            "data:text/html,https://aleo.example.org",
            "https://aleo.example.org:8443/",
            "https://aleo.example.org./",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://0x7f.1/",
            "https://aleo%2eexample%2eorg/",
            "",
            "aleo.example.org",
        ];
        for trick in tricks {
            assert!(official().shown(trick).is_err(), "{trick}");
        }
        assert_eq!(
            official().shown("https://evil.com/").expect_err("refused").to_string(),
            "its domain evil.com is not on the campaign's official list"
        );
    }

    #[test]
    fn a_list_holds_domains_only() {
        for wrong in ["*", "*.", "org", "https://aleo.example.org", "a b.org", "al\u{435}o.org", "*.*.org", "-a.org"] {
            assert!(Official::new(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
