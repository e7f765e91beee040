//! Ctrl-C in the middle.

#![cfg(unix)]

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::desk::{Desk, RUN};

#[test]
fn an_interrupted_grid_exits_130_and_keeps_nothing() {
    let desk = Desk::new().with_bars();
    let line = format!("backtest {RUN} --set strategy.fast=1:2000:1 --set strategy.slow=1:40:1 --state-dir state");
    let child = desk.command(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command runs");
    std::thread::sleep(Duration::from_millis(1500));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success(), "the grid was over before it could be interrupted");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted"), "{output:?}");
    assert!(!desk.path("state/runs").exists());
}
