//! A strategy's package as cargo describes it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::create;
use crate::failure::{Code, Failure};

/// What `strategy build` must know of a package.
#[derive(Debug)]
pub(super) struct Package {
    /// Its name, as in `Cargo.toml`.
    pub(super) name: String,
    pub(super) version: String,
    /// The folder of its `Cargo.toml`.
    pub(super) folder: PathBuf,
    /// The type that is the strategy, inside its library.
    pub(super) plugin: String,
    /// The folder of the sdk it depends on.
    pub(super) sdk: PathBuf,
    /// The folder of its workspace.
    pub(super) workspace: PathBuf,
    /// Where cargo puts what it builds.
    pub(super) target: PathBuf,
}

impl Package {
    /// The package in a folder.
    pub(super) fn read(folder: &Path, offline: bool) -> Result<Self, Failure> {
        let manifest = folder.join("Cargo.toml");
        let manifest = manifest.canonicalize().map_err(|_| {
            Failure::new(Code::Usage, format!("{} is no Rust package: there is no Cargo.toml", folder.display())).help(
                match create::packing(folder) {
                    Some(lines) => {
                        format!("it is written in another language; pack it there with:\n  {}", lines.join("\n  "))
                    }
                    None => "`bellwether strategy new NAME` makes one".to_owned(),
                },
            )
        })?;
        let mut cargo = cargo();
        cargo.args(["metadata", "--format-version", "1", "--no-deps", "--manifest-path"]).arg(&manifest);
        if offline {
            cargo.arg("--offline");
        }
        let told = output(&mut cargo)?;
        let told: Value = serde_json::from_slice(&told).map_err(|e| {
            Failure::new(Code::Failed, format!("reading what cargo says of {}: {e}", manifest.display()))
        })?;
        let path = |value: &Value| PathBuf::from(value.as_str().unwrap_or_default());
        let packages = told["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let package = packages
            .iter()
            .find(|p| path(&p["manifest_path"]) == manifest)
            .ok_or_else(|| Failure::bad(format!("{} describes no package", manifest.display())))?;
        let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
        let sdk = dependencies.iter().find(|d| d["name"] == "bellwether-sdk").and_then(|d| d["path"].as_str());
        let sdk = sdk.ok_or_else(|| {
            Failure::bad(format!("{} does not depend on bellwether-sdk by a path", manifest.display()))
                .help("`bellwether strategy new NAME` shows how; --sdk PATH names another sdk")
        })?;
        let folder = manifest.parent().unwrap_or(&manifest).to_owned();
        Ok(Self {
            name: package["name"].as_str().unwrap_or_default().to_owned(),
            version: package["version"].as_str().unwrap_or_default().to_owned(),
            plugin: plugin(&package["metadata"]["bellwether"]["strategy"], &folder)?,
            sdk: sdk.into(),
            workspace: path(&told["workspace_root"]),
            target: path(&told["target_directory"]),
            folder,
        })
    }

    /// Its name as the name of a crate.
    pub(super) fn ident(&self) -> String {
        self.name.replace('-', "_")
    }
}

/// The type that is the strategy: as the manifest says, or the only one with an `impl Plugin`.
fn plugin(said: &Value, folder: &Path) -> Result<String, Failure> {
    if let Some(name) = said.as_str() {
        return Ok(name.to_owned());
    }
    let file = folder.join("src").join("lib.rs");
    let text = std::fs::read_to_string(&file)
        .map_err(|e| Failure::bad(format!("reading {}: {e}; a strategy is a library", file.display())))?;
    let found: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("impl Plugin for "))
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
        .collect();
    match found[..] {
        [one] => Ok(one.to_owned()),
        _ => Err(Failure::bad(format!(
            "which strategy? {} has {} lines that begin with `impl Plugin for`",
            file.display(),
            found.len()
        ))
        .help("name the type in Cargo.toml:\n  [package.metadata.bellwether]\n  strategy = \"MyStrategy\"")),
    }
}

/// The cargo that is called: the one that calls us, or the one in the path.
pub(super) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a program for its output.
pub(super) fn output(command: &mut Command) -> Result<Vec<u8>, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|e| {
        Failure::new(Code::Failed, format!("running {name}: {e}")).help("install Rust: https://rustup.rs")
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(Code::Failed, format!("{name} failed:\n{}", said.trim_end())))
}
