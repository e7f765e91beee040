//! Every parser of foreign bytes as a function of bytes. A target may refuse what it is given; it must not panic.
//!
//! `fuzz/` hands these functions to cargo-fuzz, `src/main.rs` to a driver that needs nothing but stable Rust. Both begin
//! with the payloads in `fuzz/corpus`, written by hand after the venues' documents.

mod files;
mod signals;
mod venues;

type Parser = Box<dyn Fn(&[u8]) + Send + Sync>;

/// A parser.
pub struct Target {
    /// Its name; the folder of its first inputs.
    pub name: String,
    run: Parser,
}

impl Target {
    fn new(name: impl Into<String>, run: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }

    /// Gives it an input.
    pub fn run(&self, input: &[u8]) {
        (self.run)(input);
    }
}

/// All parsers.
pub fn targets() -> Vec<Target> {
    let mut all = venues::targets();
    all.extend(files::targets());
    all.extend(signals::targets());
    all
}

/// The parsers whose names begin so; of several, the first byte of an input says which one it is for.
pub fn one_of(prefix: &str) -> impl Fn(&[u8]) + Send + Sync + use<> {
    let its: Vec<Target> = targets().into_iter().filter(|t| t.name.starts_with(prefix)).collect();
    move |input: &[u8]| {
        if let Some((first, rest)) = input.split_first()
            && let Some(target) = its.get(usize::from(*first) % its.len().max(1))
        {
            target.run(rest);
        }
    }
}
