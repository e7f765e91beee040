//! A session that is killed: what it had told is on its tape.

#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::desk::Desk;

#[test]
fn a_killed_session_has_all_that_it_told_on_its_tape_and_goes_on() {
    let desk = Desk::new().at_root();
    let state = desk.path("state").display().to_string();
    let line = format!("paper --pace 100 --set strategy.fast=5 --set strategy.slow=10 --state-dir {state}");
    let mut child = desk.command(&line).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("started");
    let mut told = Vec::new();
    for line in BufReader::new(child.stderr.take().expect("stderr")).lines() {
        let line = line.expect("text");
        told.extend(["order ", "accepted ", "fill "].iter().find_map(|w| line.find(w).map(|at| line[at..].to_owned())));
        if told.len() >= 8 {
            break;
        }
    }
    // SIGKILL: nothing is tidied up.
    child.kill().expect("killed");
    child.wait().expect("dead");
    assert!(told.len() >= 8, "it told {told:?}");
    let shown = desk.done(&format!("tape show --effects last --state-dir {state}"));
    for line in &told {
        assert!(shown.contains(line.as_str()), "{line:?} is not among\n{shown}");
    }
    let replay = desk.json(&format!("replay last --json --state-dir {state}"));
    assert_eq!((&replay["equal"], &replay["order_hash"]["recorded"]), (&true.into(), &serde_json::Value::Null));
    assert_eq!(replay["torn_bytes"], 0);
    let set = "--set strategy.fast=5 --set strategy.slow=10 --set session.durability=sync";
    let on = desk.run(&format!("paper --resume last --pace 100 --for 1s {set} --state-dir {state}"));
    assert_eq!(on.code, 0, "{on:?}");
    let replay = desk.json(&format!("replay last --json --state-dir {state}"));
    assert_eq!(replay["equal"], true);
    assert!(replay["order_hash"]["recorded"].is_string());
}
