//! `strategy build`: a package with a strategy in it becomes a WebAssembly component. The strategy is built as it is; a small
//! crate around it, written here, gives it the exports. A core module that another language's compiler made needs none.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::package::{Package, cargo, output};
use super::sources;
use crate::failure::{Code, Failure};
use crate::out;

/// The target that strategies are compiled for.
const TARGET: &str = "wasm32-unknown-unknown";

#[derive(Debug, Args)]
pub(super) struct BuildArgs {
    /// The folder of the strategy's Rust package, or a core module that another language's compiler made.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Where the component goes; of a package by default NAME.wasm in its folder.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Compile the package for this machine instead, to see what the compiler says.
    #[arg(long, conflicts_with = "out")]
    native: bool,
    /// Do not let cargo reach for the network.
    #[arg(long)]
    offline: bool,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// A component that was built.
pub(super) struct Built {
    pub(super) file: PathBuf,
    pub(super) bytes: usize,
}

pub(super) fn run(args: &BuildArgs) -> Result<(), Failure> {
    if args.native {
        let package = Package::read(&args.folder, args.offline)?;
        native(&package, args.offline)?;
        return if args.json { answer(None) } else { Ok(()) };
    }
    let built = if args.folder.is_file() {
        let out = args.out.as_deref().ok_or_else(|| {
            Failure::new(Code::Usage, "a module is not written over: say where its component goes, with --out FILE")
        })?;
        pack(&args.folder, out)?
    } else {
        build(&args.folder, args.out.as_deref(), args.offline)?
    };
    if args.json {
        return answer(Some(&built));
    }
    let file = built.file.display();
    out::answer(&format!("{file}: {:.1} kB\n\nTry: bellwether backtest --strategy {file}", built.bytes as f64 / 1000.0))
}

/// The answer for programs; of what was compiled for this machine there is no component.
fn answer(built: Option<&Built>) -> Result<(), Failure> {
    out::json(&json!({
        "schema_version": 1,
        "file": built.map(|b| b.file.display().to_string()),
        "bytes": built.map(|b| b.bytes),
    }))
}

fn native(package: &Package, offline: bool) -> Result<(), Failure> {
    let mut command = cargo();
    command.args(["build", "--release", "--manifest-path"]).arg(package.folder.join("Cargo.toml"));
    if offline {
        command.arg("--offline");
    }
    run_cargo(&mut command)
}

/// Makes a component of a core module.
fn pack(module: &Path, file: &Path) -> Result<Built, Failure> {
    let failed = |what: String| Failure::new(Code::Failed, what);
    let bytes = std::fs::read(module).map_err(|e| failed(format!("reading {}: {e}", module.display())))?;
    let component = bellwether_wasm::componentize(&bytes).map_err(|e| failed(format!("{}: {e}", module.display())))?;
    // A session with --watch may look at it at any moment.
    let new = file.with_extension("wasm.new");
    std::fs::write(&new, &component)
        .and_then(|()| std::fs::rename(&new, file))
        .map_err(|e| failed(format!("writing {}: {e}", file.display())))?;
    Ok(Built { file: file.to_owned(), bytes: component.len() })
}

/// Builds the component of a Rust package.
pub(super) fn build(folder: &Path, out: Option<&Path>, offline: bool) -> Result<Built, Failure> {
    target_is_there()?;
    let package = Package::read(folder, offline)?;
    let shell = package.target.join("bellwether").join(&package.name);
    write_shell(&package, &shell)?;
    let mut command = cargo();
    command.args(["build", "--release", "--target", TARGET, "--manifest-path"]).arg(shell.join("Cargo.toml"));
    command.arg("--target-dir").arg(package.target.join("bellwether").join("target"));
    // What the caller's own build was told is not meant for this one.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_BUILD_TARGET");
    command.env("CARGO_ENCODED_RUSTFLAGS", without_folders(&package, &shell));
    if offline {
        command.arg("--offline");
    }
    run_cargo(&mut command)?;
    let module = format!("{}_component.wasm", package.ident());
    let module = package.target.join("bellwether").join("target").join(TARGET).join("release").join(module);
    let file = out.map_or_else(|| folder.join(format!("{}.wasm", package.ident())), Path::to_owned);
    pack(&module, &file)
}

/// Flags by which the places of panics in a component name no folder of this machine.
fn without_folders(package: &Package, shell: &Path) -> OsString {
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"));
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home);
    let crates = package.sdk.parent().map(Path::to_owned);
    // Of two that fit the later counts: what lies in another comes after it.
    let named = [
        (cargo, "cargo"),
        (Some(package.workspace.clone()), "workspace"),
        (crates, "bellwether"),
        (Some(package.folder.clone()), "strategy"),
        (Some(shell.to_owned()), "component"),
    ];
    // What the compiler says keeps the names by which its reader finds the places.
    let mut flags = OsString::from("--remap-path-scope=object");
    for (folder, name) in named.iter().filter_map(|(folder, name)| Some((folder.as_ref()?, name))) {
        flags.push("\u{1f}--remap-path-prefix=");
        flags.push(folder);
        flags.push(format!("={name}"));
    }
    flags
}

fn run_cargo(command: &mut std::process::Command) -> Result<(), Failure> {
    // Its answers are for people, as ours on stderr are.
    let status = command.stdout(std::process::Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failure::new(Code::Failed, "cargo could not build it; its words are above")),
        Err(e) => {
            Err(Failure::new(Code::Failed, format!("running cargo: {e}")).help("install Rust: https://rustup.rs"))
        }
    }
}

/// The crate around the strategy: its library as a component's module.
fn write_shell(package: &Package, shell: &Path) -> Result<(), Failure> {
    let guest = package.sdk.join("../guest");
    let guest = guest.canonicalize().map_err(|_| {
        Failure::bad(format!("there is no bellwether-guest beside the sdk in {}", package.sdk.display()))
            .help("`bellwether strategy new NAME` writes both")
    })?;
    let manifest = format!(
        "[workspace]\n\n[package]\nname = \"{name}-component\"\nversion = \"{version}\"\nedition = \"2024\"\npublish = false\n\n\
         [lib]\ncrate-type = [\"cdylib\"]\n\n[dependencies]\n{name} = {{ path = {folder:?} }}\nbellwether-guest = {{ path = {guest:?} }}\n\n\
         [profile.release]\nopt-level = 3\nlto = true\ncodegen-units = 1\npanic = \"abort\"\nstrip = true\n",
        name = package.name,
        version = package.version,
        folder = package.folder,
    );
    sources::write(&shell.join("Cargo.toml"), &manifest)?;
    let source = format!(
        "//! Written by `bellwether strategy build`.\nbellwether_guest::export!({}::{});\n",
        package.ident(),
        package.plugin
    );
    sources::write(&shell.join("src").join("lib.rs"), &source)?;
    // The versions that the strategy is tested with; where it names none, those of this command.
    let lock = std::fs::read_to_string(package.workspace.join("Cargo.lock"));
    let lock = lock.unwrap_or_else(|_| sources::text("Cargo.lock").to_owned());
    sources::write(&shell.join("Cargo.lock"), &lock)
}

fn target_is_there() -> Result<(), Failure> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = std::process::Command::new(rustc);
    command.args(["--print", "target-libdir", "--target", TARGET]);
    let folder = output(&mut command)?;
    if Path::new(String::from_utf8_lossy(&folder).trim()).is_dir() {
        return Ok(());
    }
    Err(Failure::new(Code::Failed, format!("the compiler cannot build for {TARGET}"))
        .help(format!("install it: rustup target add {TARGET}")))
}
