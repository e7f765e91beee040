//! What an Aleo explorer or node tells of its chain: blocks, transfers, balances, stakes, as features. Read-only, no key.
//!
//! Answers are JSON values; mappings hold Aleo plaintext such as `30000000u64`. Private records cannot be seen.

use std::collections::BTreeMap;

use serde_json::Value;

/// Microcredits of a credit.
const CREDIT: f64 = 1_000_000.0;

/// What a block says.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Its height.
    pub height: u64,
    /// Unix seconds.
    pub timestamp: i64,
    /// Transactions that were accepted, and rejected ones.
    pub accepted: u64,
    /// Rejected: they paid their fee.
    pub rejected: u64,
    /// By program.
    pub programs: BTreeMap<String, Use>,
}

/// How a program was used in a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Use {
    /// Calls of its functions.
    pub calls: u64,
    /// Those of functions called `transfer_…`.
    pub transfers: u64,
    /// What these say in their public `u64` inputs, microcredits.
    pub value: u64,
}

/// Reads a block; `None` when it is none.
pub fn block(value: &Value) -> Option<Block> {
    let meta = &value["header"]["metadata"];
    let mut block = Block {
        height: meta["height"].as_u64()?,
        timestamp: meta["timestamp"].as_i64()?,
        accepted: 0,
        rejected: 0,
        programs: BTreeMap::new(),
    };
    for transaction in value["transactions"].as_array()? {
        if transaction["status"] != "accepted" {
            block.rejected += 1;
            continue;
        }
        block.accepted += 1;
        let transitions = transaction["transaction"]["execution"]["transitions"].as_array();
        for transition in transitions.into_iter().flatten() {
            let Some(program) = transition["program"].as_str() else { continue };
            let inputs = transition["inputs"].as_array().into_iter().flatten();
            let values = inputs.filter_map(|i| i["value"].as_str().and_then(|v| v.strip_suffix("u64")));
            let sum = values.filter_map(|v| v.parse::<u64>().ok()).fold(0, u64::saturating_add);
            let of = block.programs.entry(program.to_owned()).or_default();
            of.calls += 1;
            if transition["function"].as_str().is_some_and(|f| f.starts_with("transfer_")) {
                of.transfers += 1;
                of.value = of.value.saturating_add(sum);
            }
        }
    }
    Some(block)
}

/// A number of credits out of a mapping's answer: `"30000000u64"`, a struct with `microcredits`, or `null` for none.
pub fn credits(value: &Value) -> Option<f64> {
    match value {
        Value::Null => Some(0.0),
        Value::String(text) => {
            let field = text.split_once("microcredits:").map_or(text.as_str(), |(_, rest)| rest);
            let digits = field.trim_start().split("u64").next()?;
            digits.parse::<u64>().ok().map(|n| n as f64 / CREDIT)
        }
        _ => None,
    }
}

/// The features of a block, and of the time since the one before it.
pub fn features(block: &Block, before: Option<(u64, i64)>, programs: &[String]) -> Vec<(String, f64)> {
    let mut all = vec![
        ("aleo.height".to_owned(), block.height as f64),
        ("aleo.transactions_per_block".to_owned(), block.accepted as f64),
        ("aleo.rejected_per_block".to_owned(), block.rejected as f64),
    ];
    if let Some((height, timestamp)) = before.filter(|(height, _)| *height < block.height) {
        let seconds = (block.timestamp - timestamp) as f64 / (block.height - height) as f64;
        all.push(("aleo.block_time".to_owned(), seconds));
    }
    for program in programs {
        let of = block.programs.get(program).copied().unwrap_or_default();
        all.push((format!("aleo.calls.{program}"), of.calls as f64));
        all.push((format!("aleo.transfers.{program}"), of.transfers as f64));
        all.push((format!("aleo.value.{program}"), of.value as f64 / CREDIT));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = r#"{"header":{"metadata":{"height":12,"timestamp":1700000030}},
      "transactions":[{"status":"accepted","type":"execute","transaction":{"execution":{"transitions":[
          {"program":"credits.aleo","function":"transfer_public","inputs":[{"type":"public","value":"aleo1x"},{"type":"public","value":"2500000u64"}]},
          {"program":"credits.aleo","function":"bond_public","inputs":[{"type":"public","value":"5000000u64"}]}]}}},
        {"status":"rejected","type":"fee","transaction":{}}]}"#;

    #[test]
    fn a_block_gives_its_features() {
        let block = block(&serde_json::from_str(BLOCK).expect("JSON")).expect("a block");
        let all: BTreeMap<String, f64> =
            features(&block, Some((10, 1_700_000_010)), &["credits.aleo".to_owned()]).into_iter().collect();
        assert_eq!(all["aleo.block_time"], 10.0);
        assert_eq!((all["aleo.transactions_per_block"], all["aleo.rejected_per_block"]), (1.0, 1.0));
        let of = |what: &str| all[&format!("aleo.{what}.credits.aleo")];
        assert_eq!((of("calls"), of("transfers"), of("value")), (2.0, 1.0, 2.5), "a stake is no transfer");
        assert!(super::block(&serde_json::json!({"header": 1})).is_none());
    }

    #[test]
    fn balances_and_stakes_read_and_nothing_is_zero() {
        assert_eq!(credits(&serde_json::json!("30000000u64")), Some(30.0));
        assert_eq!(
            credits(&serde_json::json!("{\n  validator: aleo1x,\n  microcredits: 10000000000u64\n}")),
            Some(10_000.0)
        );
        assert_eq!(credits(&Value::Null), Some(0.0));
        assert_eq!(credits(&serde_json::json!("Something went wrong")), None);
        assert_eq!(credits(&serde_json::json!(5)), None);
    }
}
