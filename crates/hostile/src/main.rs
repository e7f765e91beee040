//! The smoke run: each parser is given so many inputs, mutated from its corpus by seeded chance. A panic ends it with the
//! parser, the seed and the input, which becomes a test.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bellwether_hostile::{Target, targets};
use clap::Parser;

/// Gives every parser of foreign bytes hostile inputs.
#[derive(Debug, Parser)]
struct Args {
    /// Inputs per parser.
    #[arg(long, default_value_t = 10_000)]
    inputs: u64,
    /// Seed of the mutations.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only parsers whose names begin so.
    #[arg(long, default_value = "")]
    only: String,
    /// The folder of first inputs.
    #[arg(long, default_value = "fuzz/corpus")]
    corpus: PathBuf,
    /// Parsers at once.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// Seeded numbers (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n.max(1) as u64).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        const ODD: &[u8] = b"\"{}[]:,-+.0919eEnull\\ \x00\x7f\x80\xff\r\n\t=";
        match self.below(2) {
            0 => ODD[self.below(ODD.len())],
            _ => self.below(256).to_le_bytes()[0],
        }
    }
}

/// Parts that break readers of numbers, texts and lists.
const PARTS: [&[u8]; 12] = [
    b"null",
    b"-0",
    b"1e999",
    b"99999999999999999999999999999999999999999",
    b"-9223372036854775808",
    b"0.000000000000000000000000000000000001",
    b"\"\\ud800\"",
    b"\xef\xbf\xbf",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"{\"a\":",
    b"\xf0\x9f\x92\xa9",
    b"true",
];

/// An input made of one or two others.
fn mutate(dice: &mut Dice, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = corpus[dice.below(corpus.len())].clone();
    for _ in 0..=dice.below(4) {
        if bytes.is_empty() {
            bytes.push(dice.byte());
        }
        let (at, other) = (dice.below(bytes.len()), dice.below(bytes.len()));
        match dice.below(9) {
            0 | 1 => bytes[at] = dice.byte(),
            2 => drop(bytes.remove(at)),
            3 => bytes.insert(at, dice.byte()),
            4 => bytes.swap(at, other),
            5 => bytes.truncate(at),
            6 => drop(bytes.splice(at..at, PARTS[dice.below(PARTS.len())].iter().copied())),
            7 => bytes[at] ^= 1 << dice.below(8),
            _ => {
                let donor = &corpus[dice.below(corpus.len())];
                let from = dice.below(donor.len());
                let part: Vec<u8> = donor.iter().skip(from).take(dice.below(40)).copied().collect();
                let until = (at + dice.below(20)).min(bytes.len());
                drop(bytes.splice(at..until, part));
            }
        }
    }
    bytes
}

/// The first inputs of a parser; where there are none, an empty one.
fn corpus(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.sort();
    let mut all: Vec<Vec<u8>> = paths.iter().filter_map(|p| std::fs::read(p).ok()).collect();
    all.push(Vec::new());
    all
}

/// Gives a parser its inputs; the one that it panics of, with its number.
fn attack(target: &Target, args: &Args) -> Option<(u64, Vec<u8>)> {
    let corpus = corpus(&args.corpus.join(&target.name));
    let mut dice = Dice(args.seed);
    for number in 0..args.inputs {
        let first = usize::try_from(number).ok().and_then(|n| corpus.get(n));
        let input = first.cloned().unwrap_or_else(|| mutate(&mut dice, &corpus));
        if catch_unwind(AssertUnwindSafe(|| target.run(&input))).is_err() {
            return Some((number, input));
        }
    }
    None
}

fn main() -> std::process::ExitCode {
    let args = Args::parse();
    let targets: Vec<Target> = targets().into_iter().filter(|t| t.name.starts_with(&args.only)).collect();
    let (next, findings) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            let began = Instant::now();
            let found = attack(target, &args);
            println!("{:<28} {:>9} inputs {:>7.1} s", target.name, args.inputs, began.elapsed().as_secs_f64());
            if let (Some((number, input)), Ok(mut findings)) = (found, findings.lock()) {
                findings.push(format!(
                    "{} panics at input {number} of seed {}: {:?}",
                    target.name,
                    args.seed,
                    String::from_utf8_lossy(&input)
                ));
            }
        }
    };
    std::thread::scope(|scope| (0..args.threads.max(1)).for_each(|_| drop(scope.spawn(work))));
    let findings = findings.into_inner().unwrap_or_default();
    findings.iter().for_each(|f| println!("{f}"));
    println!("{} parsers, {} inputs each, {} panics", targets.len(), args.inputs, findings.len());
    u8::from(!findings.is_empty()).into()
}
