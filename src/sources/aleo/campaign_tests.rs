//! Stories of a campaign's checklist against a chain of the test's own.

use super::*;

/// Answers by `program/mapping/key`; what is not there fails as a node does.
struct Told(BTreeMap<&'static str, Value>);

#[async_trait]
impl Chain for Told {
    async fn mapping(&self, program: &str, mapping: &str, key: &str) -> Result<Value, ApiError> {
        let found = self.0.get(format!("{program}/{mapping}/{key}").as_str());
        found.cloned().ok_or_else(|| ApiError::Later("status 500: Something went wrong".to_owned(), None))
    }
}

fn campaign(change: impl FnOnce(&mut Value)) -> Result<Campaign, serde_json::Error> {
    let mut value = serde_json::json!({
        "name": "quest", "official": ["quest.example.org"], "link": "https://quest.example.org/", "ends": "2026-02-01",
        "addresses": {"me": "aleo1me", "you": "aleo1you"},
        "step": [
            {"id": "hold", "title": "Hold 10.5 credits", "check": {"kind": "balance", "credits_min": "10.5"}},
            {"id": "stake", "title": "Stake", "deadline": "2026-01-01", "link": "https://quest.example.org.evil.com/",
             "check": {"kind": "staked", "credits_min": "1", "validator": "aleo1val"}},
            {"id": "vote", "title": "Vote", "check": {"kind": "mapping", "program": "dao.aleo", "mapping": "votes",
             "field": "count", "min": "3"}},
            {"id": "post", "title": "Write about it", "check": {"kind": "off_chain"}}
        ],
        "attested": [{"step": "post", "address": "me", "by": "ann", "at": "2026-01-03"}]
    });
    change(&mut value);
    serde_json::from_value(value)
}

fn chain() -> Told {
    Told(BTreeMap::from([
        ("credits.aleo/account/aleo1me", "10500000u64".into()),
        ("credits.aleo/account/aleo1you", Value::Null),
        ("credits.aleo/bonded/aleo1me", "{\n  validator: aleo1val,\n  microcredits: 1000000u64\n}".into()),
        ("credits.aleo/bonded/aleo1you", "{\n  validator: aleo1other,\n  microcredits: 9000000u64\n}".into()),
        ("dao.aleo/votes/aleo1me", "{ count: 3u8, last: 7u32 }".into()),
    ]))
}

fn look(campaign: &Campaign, at: &str) -> Checklist {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(campaign.look(&chain(), parse_time(at).expect("a time"))).expect("a checklist")
}

#[test]
fn every_step_of_every_address_says_what_was_seen() {
    let list = look(&campaign(|_| {}).expect("a campaign"), "2026-01-15");
    let rows: Vec<(&str, &str, &str, &str)> =
        list.rows.iter().map(|r| (r.step.as_str(), r.address.as_str(), r.mark.name(), r.seen.as_str())).collect();
    let away = "status 500: Something went wrong";
    assert_eq!(
        rows,
        [
            ("hold", "me", "fulfilled", "10.5 credits"),
            ("hold", "you", "missing", "0 credits"),
            ("stake", "me", "fulfilled", "1 credits with aleo1val"),
            ("stake", "you", "missed", "9 credits with aleo1other"),
            ("vote", "me", "fulfilled", "3u8"),
            ("vote", "you", "unknown", away),
            ("post", "me", "attested", "ann says so, done 2026-01-03 (the chain does not show it)"),
            ("post", "you", "unknown", "the chain does not show it"),
        ]
    );
    assert_eq!(list.link.as_deref(), Some("https://quest.example.org/"));
    assert!(list.rows.iter().all(|r| r.link.is_none()), "the only link of a step leads elsewhere");
    assert!(list.refused[0].contains("quest.example.org.evil.com is not on"), "{:?}", list.refused);
    let after = look(&campaign(|_| {}).expect("a campaign"), "2026-02-01");
    assert_eq!(after.rows[1].mark, Mark::Missed, "the campaign's end is the deadline of its steps");
}

#[test]
fn a_person_does_not_overrule_the_chain() {
    let said = serde_json::json!({"step": "hold", "address": "you", "by": "ann", "at": "2026-01-03"});
    let list = look(&campaign(|c| c["attested"] = serde_json::json!([said])).expect("a campaign"), "2026-01-15");
    assert_eq!(list.rows[1].mark, Mark::Missing);
}

#[test]
fn a_file_that_is_wrong_is_refused_where_it_is() {
    let why = |change: &dyn Fn(&mut Value)| match campaign(change) {
        Ok(campaign) => campaign.check().expect_err("refused").to_string(),
        Err(error) => error.to_string(),
    };
    assert!(why(&|c| c["addresses"]["me"] = "APrivateKey1zkp".into()).contains("never a key"));
    assert!(why(&|c| c["step"][0]["check"]["credits_min"] = "10.1234567".into()).contains("credits_min"));
    assert!(why(&|c| c["step"][2]["check"]["mapping"] = "a/../b".into()).contains("program, mapping and key"));
    assert!(why(&|c| c["step"][2]["check"]["equals"] = "3u8".into()).contains("one of equals and min"));
    assert!(why(&|c| c["ends"] = "soon".into()).contains("is not a time"));
    assert!(why(&|c| c["attested"][0]["step"] = "none".into()).contains("attested"));
    assert!(why(&|c| c["official"][0] = "https://x.org".into()).contains("is no domain"));
    assert!(why(&|c| c["private_key"] = "x".into()).contains("unknown field"));
}

#[test]
fn numbers_are_exact() {
    assert_eq!(
        (micro("1"), micro("0.000001"), micro("-1"), micro("1.0000001")),
        (Some(1_000_000), Some(1), None, None)
    );
    let large = "340282366920938463463374607431768211455";
    assert_eq!(plain_number(&format!("{large}u128")), large.parse().ok());
    assert_eq!((plain_number("5u64.public"), plain_number("true"), plain_number("5field")), (Some(5), None, None));
}
