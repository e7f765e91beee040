//! A program of the user's own that writes lines of JSON: started, watched, started again. It is given no key: its
//! environment is empty but for `PATH`.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Gate;
use crate::config::ProcessSource;
use crate::data::news::FormError;

/// Longest line, bytes.
const LINE_MAX: usize = 64 * 1024;
/// Waits between two starts, the first and the longest.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A program that ran so long is started again without waiting longer than at first.
const STEADY: Duration = Duration::from_secs(60);
/// How often it is asked whether to stop.
const NAP: Duration = Duration::from_millis(50);

/// Runs the program until `stop` is set. Blocks its thread.
pub(super) fn run(settings: &ProcessSource, gate: &Arc<Gate>, stop: &Arc<AtomicBool>) {
    let mut wait = WAIT.0;
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let why = match start(&settings.command) {
            Ok(child) => watch(child, settings, gate, stop),
            Err(why) => why,
        };
        if stop.load(Ordering::Relaxed) {
            return;
        }
        wait = if began.elapsed() >= STEADY { WAIT.0 } else { wait };
        gate.count("restarts");
        gate.tell(format!("{}: {why}; it is started again in {} s", gate.name(), wait.as_secs()));
        let until = Instant::now() + wait;
        while Instant::now() < until && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(NAP);
        }
        wait = (wait * 2).min(WAIT.1);
    }
}

fn start(command: &[String]) -> Result<Child, String> {
    let (program, arguments) = command.split_first().ok_or("no command is set")?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command.spawn().map_err(|e| format!("starting {program}: {e}"))
}

/// Reads the program's lines until it ends; gives why.
fn watch(mut child: Child, settings: &ProcessSource, gate: &Arc<Gate>, stop: &Arc<AtomicBool>) -> String {
    let Some(output) = child.stdout.take() else { return "it has no output".to_owned() };
    let reader = Arc::clone(gate);
    let (heard, last) = std::sync::mpsc::channel();
    let lines = std::thread::spawn(move || read(output, &reader, &heard));
    let mut silent = false;
    let mut since = Instant::now();
    let ended = loop {
        if stop.load(Ordering::Relaxed) {
            // It may have ended by itself meanwhile.
            let _ = child.kill();
            break child.wait();
        }
        match child.try_wait() {
            Ok(None) => {}
            Ok(Some(status)) => break Ok(status),
            Err(error) => break Err(error),
        }
        if last.recv_timeout(NAP).is_ok() {
            (since, silent) = (Instant::now(), false);
        } else if settings.silent_max_s > 0 && since.elapsed().as_secs() >= settings.silent_max_s && !silent {
            silent = true;
            gate.count("stale");
            gate.tell(format!("{}: stale, no line for {} s", gate.name(), settings.silent_max_s));
        }
    };
    // A grandchild may hold the pipe open; what it writes is still read by the thread, which ends with it.
    if lines.is_finished() || !stop.load(Ordering::Relaxed) {
        let _ = lines.join();
    }
    ended.map_or_else(|e| format!("waiting for it: {e}"), |status| format!("it ended with {status}"))
}

fn read(output: impl Read, gate: &Gate, heard: &std::sync::mpsc::Sender<()>) {
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        let max = LINE_MAX as u64 + 1;
        match reader.by_ref().take(max).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) if line.len() > LINE_MAX => {
                gate.refused(&FormError::Large { bytes: line.len(), max: LINE_MAX });
                // The rest of the line is no message either.
                while !line.ends_with(b"\n") {
                    line.clear();
                    match reader.by_ref().take(max).read_until(b'\n', &mut line) {
                        Ok(0) | Err(_) => return,
                        Ok(_) => {}
                    }
                }
            }
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                if !text.trim().is_empty() {
                    // A refusal has been told by the gate.
                    let _ = gate.take_text(text.trim());
                }
            }
        }
        // Nobody listens any more when the program has ended.
        let _ = heard.send(());
    }
}
