//! Readers that stop listening, and disks that take nothing.

use std::process::Stdio;

use crate::desk::Desk;

#[test]
fn a_closed_pipe_ends_the_command_quietly() {
    let desk = Desk::new();
    let mut command = desk.command("schema config");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_stdout_is_an_error() {
    let desk = Desk::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("the full device");
    let output = desk.command("schema config").stdout(full).output().expect("the command runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("error: writing to stdout: No space left on device"));
}
