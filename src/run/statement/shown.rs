//! A statement as people, programs and accountants read it.

use serde_json::{Value, json};

use super::{Entry, Statement};

/// The statement as CSV, for accounting: fills, then funding, then money in and out.
pub fn csv(statement: &Statement) -> String {
    let mut text = String::from(
        "symbol,id,ts_ns,side,qty,price,fee,fee_currency,fee_booked,fee_booked_currency,state,kind,amount,currency,\
         amount_booked\n",
    );
    let mut line = |fields: [&str; 15]| {
        text.push_str(&fields.join(","));
        text.push('\n');
    };
    let state = |differs: &[&str]| if differs.is_empty() { "equal".to_owned() } else { differs.join(" and ") };
    for row in &statement.rows {
        let empty = Entry::default();
        let shown = row.venue.as_ref().or(row.ours.as_ref()).unwrap_or(&empty);
        let ours = row.ours.as_ref().unwrap_or(&empty);
        line([
            row.symbol.as_str(),
            &row.id,
            &shown.ts,
            &shown.side,
            &shown.qty,
            &shown.price,
            &shown.fee,
            &shown.fee_currency,
            &ours.fee,
            &ours.fee_currency,
            &state(&row.differs()),
            "fill",
            "",
            "",
            "",
        ]);
    }
    for row in &statement.payments {
        let state = if row.aside { "not ours".to_owned() } else { state(&row.differs()) };
        let amount = |side: &Option<String>| side.clone().unwrap_or_default();
        line([
            row.symbol.as_str(),
            &row.id,
            &row.ts,
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            &state,
            "funding",
            &amount(&row.venue),
            &row.currency,
            &amount(&row.ours),
        ]);
    }
    for row in &statement.transfers {
        // Whether the sum of a currency is known to our books is told by the document: single ones are not.
        line([&row.venue, &row.id, &row.ts, "", "", "", "", "", "", "", "", &row.what, &row.amount, &row.currency, ""]);
    }
    text
}

/// The statement as the document of `statement --json`.
pub fn document(statement: &Statement) -> Value {
    let side = |e: &Option<Entry>| match e {
        None => Value::Null,
        Some(e) => json!({
            "ts_ns": e.ts, "side": e.side, "qty": e.qty, "price": e.price, "fee": e.fee, "fee_currency": e.fee_currency,
        }),
    };
    let rows = statement.rows.iter().map(|r| {
        json!({
            "symbol": r.symbol.as_str(), "id": r.id, "ours": side(&r.ours), "venue": side(&r.venue),
            "differs": r.differs(),
        })
    });
    let funding = statement.payments.iter().map(|p| {
        json!({
            "symbol": p.symbol.as_str(), "id": p.id, "ts_ns": p.ts, "currency": p.currency, "ours": p.ours,
            "venue": p.venue, "aside": p.aside, "differs": p.differs(),
        })
    });
    let transfers = statement.transfers.iter().map(|t| {
        json!({
            "venue": t.venue, "id": t.id, "ts_ns": t.ts, "what": t.what, "amount": t.amount, "currency": t.currency,
        })
    });
    let moved = statement
        .moved
        .iter()
        .map(|m| json!({"currency": m.currency, "ours": m.ours, "venue": m.venue, "differs": m.differs()}));
    let (fills, payments, currencies) = statement.different();
    json!({
        "schema_version": 1,
        "equal": statement.is_equal(),
        "fills": statement.rows.len(),
        "different": fills + payments + currencies,
        "rows": rows.collect::<Vec<_>>(),
        "funding": funding.collect::<Vec<_>>(),
        "transfers": transfers.collect::<Vec<_>>(),
        "moved": moved.collect::<Vec<_>>(),
        "notes": statement.notes,
    })
}

/// The statement as a table for people: what differs, then how many were compared.
pub fn text(statement: &Statement) -> String {
    let mut text = String::new();
    for row in statement.rows.iter().filter(|r| !r.differs().is_empty()) {
        text.push_str(&format!("DIFFERENT {} fill {}: {}\n", row.symbol, row.id, row.differs().join(" and ")));
        text.push_str(&format!("  ours:  {:?}\n  venue: {:?}\n", row.ours, row.venue));
    }
    for row in statement.payments.iter().filter(|p| !p.differs().is_empty()) {
        let amount = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing".to_owned());
        text.push_str(&format!("DIFFERENT {} funding {}: {}\n", row.symbol, row.id, row.differs().join(" and ")));
        text.push_str(&format!("  ours:  {}\n  venue: {} {}\n", amount(&row.ours), amount(&row.venue), row.currency));
    }
    for row in statement.moved.iter().filter(|m| m.differs()) {
        text.push_str(&format!(
            "DIFFERENT {}: the session left {} alone, the venue's transfers come to {}\n",
            row.currency, row.ours, row.venue
        ));
    }
    let (fills, payments, currencies) = statement.different();
    text.push_str(&format!("{} fills, {fills} different\n", statement.rows.len()));
    text.push_str(&format!("{} payments of funding, {payments} different\n", statement.payments.len()));
    text.push_str(&format!(
        "{} transfers in {} currencies, {currencies} different\n",
        statement.transfers.len(),
        statement.moved.len()
    ));
    for note in &statement.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}
