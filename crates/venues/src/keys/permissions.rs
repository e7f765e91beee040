//! What a key may do at its venue, and whether that fits what it is for.
//!
//! There are two scopes. Withdrawal, transfer and administration of an account are none: nothing here can ask for them,
//! and a key that may is refused.

use std::fmt;

use bellwether_sdk::Ts;

/// What a key is for. Market data needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Reading the account.
    Read,
    /// Reading the account, placing and cancelling orders.
    Trade,
}

impl Scope {
    /// Its name in settings and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Trade => "trade",
        }
    }
}

/// What a venue says that a key may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    /// May read the account; `None` when the venue cannot tell.
    pub read: Option<bool>,
    /// May trade.
    pub trade: Option<bool>,
    /// May withdraw or transfer: such a key is refused.
    pub withdraw: Option<bool>,
    /// Bound to addresses; `None` when the venue cannot tell.
    pub ip_bound: Option<bool>,
    /// When it expires; [`Ts::NONE`] for never or unknown.
    pub expires: Ts,
    /// Keys of this venue may have an end, and it does not tell that of this one.
    pub end_unknown: bool,
}

impl Permissions {
    /// What counts when they are compared with those of another time, in one line.
    pub fn summary(&self) -> String {
        let word = |name: &str, value: Option<bool>| {
            format!("{name} {}", value.map_or("unknown", |yes| if yes { "yes" } else { "no" }))
        };
        let parts = [
            word("read", self.read),
            word("trade", self.trade),
            word("withdraw or transfer", self.withdraw),
            word("bound to addresses", self.ip_bound),
        ];
        parts.join(", ")
    }
}

/// What should be known of a key that is fit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remark {
    /// It may trade, and is only for reading.
    MoreThanRead,
    /// It works from any address.
    NoAddresses,
    /// It may expire, and the venue does not tell when.
    EndUnknown,
    /// It expires in so many days.
    Expires(i64),
    /// The venue does not tell what it may do, and the settings accept that.
    Unknown(String),
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MoreThanRead => write!(f, "it may trade, but is only for reading; make one that only reads"),
            Self::NoAddresses => write!(f, "it works from any address; bind it to this machine's at the venue"),
            Self::EndUnknown => write!(f, "the venue does not tell when it expires; note that yourself"),
            Self::Expires(days) => write!(f, "it expires in {days} days; rotate it before"),
            Self::Unknown(what) => write!(f, "{what}; accepted by accept_unknown_scopes"),
        }
    }
}

/// Whether a key fits its scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Fit(Vec<Remark>),
    /// It does not, and why.
    Refused(String),
}

/// Days before its end at which a key's expiry is told.
const EXPIRY_DAYS: i64 = 30;
const DAY_NS: i64 = 86_400_000_000_000;

/// Judges a key of a scope by what the venue said, or why it said nothing that could be understood. What is not known
/// is taken for the worst, unless the settings accept that for this key; what is known to be bad is never accepted.
pub fn judge(scope: Scope, said: Result<&Permissions, &str>, now: Ts, accept_unknown: bool) -> Verdict {
    let unknown = |what: String| match accept_unknown {
        true => Ok(Remark::Unknown(what)),
        false => Err(Verdict::Refused(format!(
            "{what}; a key whose scopes are unknown is not used (pass --accept-unknown-scopes, or set \
             accept_unknown_scopes = true for this key)"
        ))),
    };
    let p = match said {
        Ok(p) => p,
        Err(why) => {
            return match unknown(format!("the venue does not tell what the key may do: {why}")) {
                Ok(remark) => Verdict::Fit(vec![remark]),
                Err(refused) => refused,
            };
        }
    };
    if p.withdraw == Some(true) {
        let why = "it may withdraw or transfer; make a key without that permission and delete this one at the venue";
        return Verdict::Refused(why.to_owned());
    }
    if p.expires != Ts::NONE && p.expires <= now {
        return Verdict::Refused("it has expired; make a new one at the venue".to_owned());
    }
    if p.read == Some(false) {
        return Verdict::Refused("it may not read the account".to_owned());
    }
    if scope == Scope::Trade && p.trade == Some(false) {
        return Verdict::Refused("it may not trade".to_owned());
    }
    let asked = [
        ("withdraw", p.withdraw),
        ("read the account", p.read),
        ("trade", if scope == Scope::Trade { p.trade } else { Some(true) }),
    ];
    let mut remarks = Vec::new();
    for (what, _) in asked.into_iter().filter(|(_, told)| told.is_none()) {
        match unknown(format!("the venue does not tell whether the key may {what}")) {
            Ok(remark) => remarks.push(remark),
            Err(refused) => return refused,
        }
    }
    if scope == Scope::Read && p.trade == Some(true) {
        remarks.push(Remark::MoreThanRead);
    }
    if p.ip_bound == Some(false) {
        remarks.push(Remark::NoAddresses);
    }
    if p.end_unknown {
        remarks.push(Remark::EndUnknown);
    }
    remarks.extend(expiry(p.expires, now));
    Verdict::Fit(remarks)
}

/// A remark when a time of expiry is near.
pub fn expiry(expires: Ts, now: Ts) -> Option<Remark> {
    let days = expires.nanos().checked_sub(now.nanos())? / DAY_NS;
    (expires != Ts::NONE && days < EXPIRY_DAYS).then_some(Remark::Expires(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Ts = Ts::from_millis(1_700_000_000_000);

    fn full() -> Permissions {
        let yes = Some(true);
        Permissions {
            read: yes,
            trade: yes,
            withdraw: Some(false),
            ip_bound: yes,
            expires: Ts::NONE,
            end_unknown: false,
        }
    }

    fn refused(scope: Scope, change: impl FnOnce(&mut Permissions)) -> String {
        let mut p = full();
        change(&mut p);
        match judge(scope, Ok(&p), NOW, true) {
            Verdict::Refused(why) => why,
            fit => panic!("{fit:?}"),
        }
    }

    #[test]
    fn a_key_that_fits_has_nothing_to_remark() {
        assert_eq!(judge(Scope::Trade, Ok(&full()), NOW, false), Verdict::Fit(Vec::new()));
    }

    #[test]
    fn what_is_known_to_be_bad_is_refused_whatever_is_accepted() {
        assert!(refused(Scope::Read, |p| p.withdraw = Some(true)).contains("withdraw"));
        assert!(refused(Scope::Trade, |p| p.trade = Some(false)).contains("may not trade"));
        assert!(refused(Scope::Read, |p| p.read = Some(false)).contains("may not read"));
        assert!(refused(Scope::Trade, |p| p.expires = NOW).contains("expired"));
    }

    #[test]
    fn what_is_unknown_is_refused_unless_accepted() {
        let p = Permissions { withdraw: None, ..full() };
        let told = |accept| judge(Scope::Trade, Ok(&p), NOW, accept);
        assert!(matches!(told(false), Verdict::Refused(why) if why.contains("--accept-unknown-scopes")));
        assert!(matches!(told(true), Verdict::Fit(remarks) if matches!(remarks.as_slice(), [Remark::Unknown(_)])));
        assert!(matches!(judge(Scope::Read, Err("malformed"), NOW, false), Verdict::Refused(_)));
        assert!(matches!(judge(Scope::Read, Err("malformed"), NOW, true), Verdict::Fit(_)));
    }

    #[test]
    fn a_fit_key_is_remarked_upon() {
        let p = Permissions { ip_bound: Some(false), expires: NOW.plus(3 * DAY_NS), ..full() };
        let fit = judge(Scope::Read, Ok(&p), NOW, false);
        assert_eq!(fit, Verdict::Fit(vec![Remark::MoreThanRead, Remark::NoAddresses, Remark::Expires(3)]));
    }
}
