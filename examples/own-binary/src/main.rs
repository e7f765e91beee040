//! The whole `bellwether` command, with a strategy of your own in it.
//!
//! In a repository of your own, depend on `bellwether`, `bellwether-cli` and `bellwether-sdk`, and copy these two files.

mod my_cross;

fn main() -> std::process::ExitCode {
    bellwether_cli::main(&bellwether::host::Registry::new().with::<my_cross::MyCross>())
}
