//! Every parser whose name begins with `hyperliquid`.
#![no_main]

use std::sync::LazyLock;

type Parser = Box<dyn Fn(&[u8]) + Send + Sync>;

static PARSER: LazyLock<Parser> = LazyLock::new(|| Box::new(bellwether_hostile::one_of("hyperliquid")));

libfuzzer_sys::fuzz_target!(|input: &[u8]| PARSER(input));
