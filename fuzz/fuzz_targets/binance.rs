//! Every parser whose name begins with `binance`.
#![no_main]

use std::sync::LazyLock;

type Parser = Box<dyn Fn(&[u8]) + Send + Sync>;

static PARSER: LazyLock<Parser> = LazyLock::new(|| Box::new(bellwether_hostile::one_of("binance")));

libfuzzer_sys::fuzz_target!(|input: &[u8]| PARSER(input));
