//! Every parser whose name begins with `signals`.
#![no_main]

use std::sync::LazyLock;

type Parser = Box<dyn Fn(&[u8]) + Send + Sync>;

static PARSER: LazyLock<Parser> = LazyLock::new(|| Box::new(bellwether_hostile::one_of("signals")));

libfuzzer_sys::fuzz_target!(|input: &[u8]| PARSER(input));
