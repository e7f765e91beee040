//! `keys`: which keys there are, what they may do, and rotating them.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::time::Duration;

use bellwether::config::state_dir;
use bellwether::keys::{Material, Scheme};
use bellwether::run::{KeyDesk, RotateWish};
use clap::{Args, Subcommand};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{out, plan};

/// `keys`
#[derive(Debug, Args)]
#[command(after_help = "\
Secrets are read from a terminal, a file or standard input, never from an argument. docs/keys.md has the sources, a
runbook for rotations and a playbook for emergencies.
Exits 2 for a secret that is missing without a terminal, 3 for a source that does not give its key, 4 for a key that is
refused, 5 for a broken audit.

Examples:
  bellwether keys add binance/main --id KEY_ID --source file:/etc/bellwether/binance.json < secret.txt
  bellwether keys check
  bellwether keys rotate binance/main --from file:/etc/bellwether/binance-2.json --why 'every quarter'
  bellwether keys revoke binance/main --now --dry-run
  bellwether keys status
  bellwether keys audit --verify --head HASH")]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The keys of the settings: whose, what for, from where.
    #[command(after_help = "Example:\n  bellwether keys list --json")]
    List(Show),
    /// Put a key where a source is, and print the lines for the settings.
    #[command(
        after_help = "Example:\n  bellwether keys add binance/main --id KEY_ID --source file:key.json --secret-file secret.txt"
    )]
    Add(AddArgs),
    /// Read keys and try them at their venues: permissions, a signed read, a trial order.
    #[command(after_help = "Example:\n  bellwether keys check binance/main")]
    Check(CheckArgs),
    /// Change to a new key while orders flow.
    #[command(after_help = "Example:\n  bellwether keys rotate binance/main --from file:new.json --dry-run")]
    Rotate(RotateArgs),
    /// Make an end of an old key at its venue, or say the steps.
    #[command(after_help = "Example:\n  bellwether keys retire bybit/main --from file:old.json")]
    Retire(RetireArgs),
    /// Use a key no more, at once.
    #[command(after_help = "Example:\n  bellwether keys revoke binance/main --now --why 'seen in a log'")]
    Revoke(RevokeArgs),
    /// Which processes use which keys, and how often.
    #[command(after_help = "Example:\n  bellwether keys status")]
    Status(Show),
    /// The log of all that happened to keys.
    #[command(after_help = "Example:\n  bellwether keys audit --verify")]
    Audit(AuditArgs),
}

#[derive(Debug, Args)]
struct Show {
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Operator {
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
    /// Who does it, for the audit [default: the user of this process].
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "operator")]
    operator: String,
    /// Why, for the audit.
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
}

#[derive(Debug, Args)]
struct AddArgs {
    /// Whose: VENUE/ACCOUNT.
    account: String,
    /// The key's public id.
    #[arg(long, value_name = "ID")]
    id: String,
    /// Where to put it, e.g. file:PATH.
    #[arg(long, value_name = "SOURCE")]
    source: String,
    /// What it is called.
    #[arg(long, value_name = "NAME", default_value = "main")]
    label: String,
    /// How it signs, where that is not the venue's usual: hmac-sha256, hmac-sha512, ed25519, rsa-sha256, es256, secp256k1.
    #[arg(long, value_name = "SCHEME")]
    scheme: Option<String>,
    /// Read the secret from a file instead of the terminal or standard input.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Read the passphrase that the venue wants beside the signature from a file.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Whose: VENUE/ACCOUNT; all by default.
    account: Option<String>,
    /// Take keys although their venue does not tell what they may do.
    #[arg(long)]
    accept_unknown_scopes: bool,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Debug, Args)]
struct RotateArgs {
    /// Whose: VENUE/ACCOUNT.
    account: String,
    /// Which key, where the account has several.
    #[arg(long, value_name = "NAME")]
    label: Option<String>,
    /// Where the new key is, when not where the settings say.
    #[arg(long, value_name = "SOURCE")]
    from: Option<String>,
    /// Seconds that the processes which share the key may take.
    #[arg(long, value_name = "S", default_value_t = 60)]
    within: u64,
    /// Only try the new key.
    #[arg(long)]
    dry_run: bool,
    /// Take the key although its venue does not tell what it may do.
    #[arg(long)]
    accept_unknown_scopes: bool,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Debug, Args)]
struct RetireArgs {
    /// Whose: VENUE/ACCOUNT.
    account: String,
    /// Which key, where the account has several.
    #[arg(long, value_name = "NAME")]
    label: Option<String>,
    /// Where the old key is: the venue's call is signed with it.
    #[arg(long, value_name = "SOURCE")]
    from: Option<String>,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Debug, Args)]
struct RevokeArgs {
    /// Whose: VENUE/ACCOUNT.
    account: String,
    /// Which key, where the account has several.
    #[arg(long, value_name = "NAME")]
    label: Option<String>,
    /// Yes, at once.
    #[arg(long)]
    now: bool,
    /// Say what would be done.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Debug, Args)]
struct AuditArgs {
    /// Hold every line against the one before and print the head only.
    #[arg(long)]
    verify: bool,
    /// A head that was noted before: it must be in the log.
    #[arg(long, value_name = "HASH")]
    head: Option<String>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &KeysArgs) -> Result<(), Failure> {
    let settings = plan::settings(global)?.settings;
    let state_dir = state_dir(&settings)?;
    let desk = |operator: Option<&Operator>, accept_unknown| KeyDesk {
        settings: &settings,
        state_dir: &state_dir,
        by: operator.map_or_else(String::new, |o| o.operator.clone()),
        why: operator.map_or_else(String::new, |o| o.why.clone()),
        accept_unknown,
    };
    match &args.what {
        What::List(show) => tell(&desk(None, false).list()?, show.json),
        What::Status(show) => tell(&desk(None, false).status()?, show.json),
        What::Add(add) => {
            let document =
                desk(Some(&add.operator), false).add(&add.account, &add.label, &add.source, &material(add)?)?;
            match add.operator.json {
                true => out::json(&document),
                false => out::answer(document["settings"].as_str().unwrap_or_default()),
            }
        }
        What::Check(check) => {
            let document = desk(Some(&check.operator), check.accept_unknown_scopes).check(check.account.as_deref())?;
            tell(&document, check.operator.json)?;
            if document["fit"] == true { Ok(()) } else { Err(Failure::silent(Code::Refused)) }
        }
        What::Rotate(rotate) => {
            let wish = RotateWish {
                account: &rotate.account,
                label: rotate.label.as_deref(),
                from: rotate.from.as_deref(),
                within: Duration::from_secs(rotate.within),
                dry_run: rotate.dry_run,
            };
            let desk = desk(Some(&rotate.operator), rotate.accept_unknown_scopes);
            tell(&desk.rotate(&wish)?, rotate.operator.json)
        }
        What::Retire(retire) => {
            let desk = desk(Some(&retire.operator), false);
            let document = desk.retire(&retire.account, retire.label.as_deref(), retire.from.as_deref())?;
            tell(&document, retire.operator.json)
        }
        What::Revoke(revoke) => {
            if !revoke.now && !revoke.dry_run {
                return Err(Failure::new(Code::Usage, "revoking stops a key at once")
                    .help("pass --now to do it, or --dry-run to see what would be done"));
            }
            let desk = desk(Some(&revoke.operator), false);
            let document = desk.revoke(&revoke.account, revoke.label.as_deref(), revoke.dry_run)?;
            tell(&document, revoke.operator.json)
        }
        What::Audit(audit) => {
            let chain = desk(None, false).chain().map_err(|e| Failure::new(Code::Different, e.to_string()))?;
            if let Some(head) = audit.head.as_deref().filter(|h| !chain.has(h)) {
                return Err(Failure::new(Code::Different, format!("the log does not have the head {head}"))
                    .help("it was rewritten or cut after that head was noted: compare with a backup"));
            }
            let head = chain.head();
            match (audit.json, audit.verify) {
                (true, _) => out::json(&serde_json::json!({
                    "schema_version": 1, "head": head, "count": chain.entries.len(),
                    "entries": if audit.verify { Value::Null } else { serde_json::json!(chain.entries) },
                })),
                (false, true) => out::answer(&format!("{} events, head {head}", chain.entries.len())),
                (false, false) => {
                    let line = |e: &bellwether::keys::Entry| {
                        format!("{} {} {} {} [{}] {}", e.at, e.event, e.account, e.key, e.by, e.detail)
                    };
                    out::answer(&chain.entries.iter().map(line).collect::<Vec<_>>().join("\n"))
                }
            }
        }
    }
}

/// The key that is to be added; its secret from a file, the terminal or standard input.
fn material(add: &AddArgs) -> Result<Material, Failure> {
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).map(Zeroizing::new);
        text.map_err(|e| Failure::bad(format!("reading {}: {e}", path.display())))
    };
    let secret = match &add.secret_file {
        Some(path) => read(path)?,
        None if std::io::stdin().is_terminal() => {
            let asked = rpassword::prompt_password(format!("secret of {} (not shown): ", add.id));
            asked.map(Zeroizing::new).map_err(|e| Failure::new(Code::Failed, format!("reading the terminal: {e}")))?
        }
        None => {
            let mut text = Zeroizing::new(String::new());
            let read = std::io::stdin().take(64 * 1024).read_to_string(&mut text);
            read.map_err(|e| Failure::new(Code::Failed, format!("reading standard input: {e}")))?;
            text
        }
    };
    if secret.trim().is_empty() {
        return Err(Failure::new(Code::Usage, "no secret is given")
            .help("name a file with --secret-file, or give it on standard input or at a terminal"));
    }
    let passphrase = add.passphrase_file.as_ref().map(read).transpose()?;
    let passphrase = passphrase.as_ref().map_or("", |p| p.as_str());
    let mut material = Material::new(&add.id, &secret, passphrase).map_err(|e| Failure::new(Code::Usage, e))?;
    if let Some(word) = &add.scheme {
        let scheme = Scheme::of_word(word).ok_or_else(|| {
            Failure::new(
                Code::Usage,
                "--scheme is none of hmac-sha256, hmac-sha512, ed25519, rsa-sha256, es256, secp256k1",
            )
        })?;
        material.scheme = Some(scheme);
    }
    Ok(material)
}

/// A document as JSON, or its fields one by one.
fn tell(document: &Value, json: bool) -> Result<(), Failure> {
    if json {
        return out::json(document);
    }
    let mut text = String::new();
    for (name, value) in document.as_object().into_iter().flatten().filter(|(n, _)| *n != "schema_version") {
        match value {
            Value::Array(rows) => rows.iter().for_each(|row| text.push_str(&lines(row, 0))),
            Value::Object(_) => text.push_str(&lines(value, 0)),
            value => text.push_str(&format!("{name}: {}\n", word(value))),
        }
    }
    out::answer(text.trim_end())
}

/// An object as indented lines, without what is not set.
fn lines(value: &Value, depth: usize) -> String {
    let Some(fields) = value.as_object() else { return format!("{}- {}\n", "  ".repeat(depth), word(value)) };
    let mut text = String::new();
    for (at, (name, value)) in fields.iter().filter(|(_, v)| !v.is_null() && *v != "").enumerate() {
        let indent = if at == 0 && depth == 0 { String::new() } else { "  ".repeat(depth.max(1)) };
        match value {
            Value::Array(rows) if rows.is_empty() => {}
            Value::Array(rows) => {
                text.push_str(&format!("{indent}{name}:\n"));
                rows.iter().for_each(|row| text.push_str(&lines(row, depth + 2)));
            }
            Value::Object(inner) if inner.is_empty() => {}
            Value::Object(_) => text.push_str(&format!("{indent}{name}:\n{}", lines(value, depth + 2))),
            value => text.push_str(&format!("{indent}{name}: {}\n", word(value))),
        }
    }
    text
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
