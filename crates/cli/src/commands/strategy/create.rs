//! `strategy new`: a folder with a strategy in it that builds, tests and runs as it is.

use std::path::{Path, PathBuf};

use bellwether::host::Registry;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::{sample, sources};
use crate::failure::{Code, Failure};
use crate::out;

#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// Its name: letters, digits, `-` and `_`. Also the folder's.
    name: String,
    /// The language to write it in.
    #[arg(long, value_enum, default_value_t = Lang::Rust)]
    lang: Lang,
    /// Build with the sdk in this folder (a checkout's `crates/sdk`) instead of the one this command carries.
    #[arg(long, value_name = "PATH")]
    sdk: Option<PathBuf>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Lang {
    Rust,
    Python,
    Javascript,
    C,
}

/// A language that is not Rust.
struct Foreign {
    /// Names and templates.
    files: &'static [(&'static str, &'static str)],
    /// What its tools write, beside components.
    ignored: &'static str,
    /// How the component is made.
    build: &'static [&'static str],
}

const PYTHON: Foreign = Foreign {
    files: &[
        ("strategy.py", include_str!("templates/python/strategy.py")),
        ("bellwether.py", include_str!("templates/python/bellwether.py")),
        ("test_strategy.py", include_str!("templates/python/test_strategy.py")),
    ],
    ignored: "__pycache__\n/wit_world\n/componentize_py_*\n/poll_loop.py\n",
    build: &[
        "pip install componentize-py",
        "componentize-py -d wit -w strategy bindings .",
        "python -m unittest test_strategy",
        "componentize-py -d wit -w strategy componentize --stub-wasi strategy -o {{ident}}.wasm",
    ],
};

const JAVASCRIPT: Foreign = Foreign {
    files: &[("strategy.js", include_str!("templates/javascript/strategy.js"))],
    ignored: "/node_modules\n",
    build: &[
        "npm install @bytecodealliance/componentize-js",
        "npx componentize-js strategy.js --wit wit -n strategy -d stdio random clocks http fetch-event -o {{ident}}.wasm",
    ],
};

const C: Foreign = Foreign {
    files: &[("hooks.c", include_str!("templates/c/hooks.c"))],
    ignored: "/strategy.[ch]\n/*.o\n",
    build: &[
        "wit-bindgen c wit -w strategy",
        "clang --target=wasm32-wasi -O2 -nostartfiles -nodefaultlibs -Wl,--no-entry,--strip-debug hooks.c strategy.c \
         strategy_component_type.o -lc -o module.wasm",
        "bellwether strategy build module.wasm --out {{ident}}.wasm",
    ],
};

/// The commands that make a component of a folder, where `strategy new` wrote it in a language that is not Rust.
#[cfg(feature = "wasm")]
pub(super) fn packing(folder: &Path) -> Option<Vec<String>> {
    let language = [&PYTHON, &JAVASCRIPT, &C].into_iter().find(|l| folder.join(l.files[0].0).is_file())?;
    let name = folder.canonicalize().ok()?.file_name()?.to_string_lossy().replace('-', "_");
    Some(language.build.iter().map(|line| line.replace("{{ident}}", &name)).collect())
}

pub(super) fn run(args: &NewArgs, registry: &Registry) -> Result<(), Failure> {
    let name = Name::of(&args.name)?;
    if registry.entries().iter().any(|e| e.name() == name.ident) {
        // `strategy check` would hold the two against each other.
        return Err(Failure::new(Code::Usage, format!("this command has a strategy {:?} already", name.ident)).help(
            format!("choose another name, such as my-{}; `bellwether strategy list` shows those taken", name.package),
        ));
    }
    let sdk = match &args.sdk {
        Some(_) if args.lang != Lang::Rust => {
            return Err(Failure::new(
                Code::Usage,
                "--sdk names Rust sources; the other languages are written without them",
            )
            .help("leave --sdk out, or write it in Rust"));
        }
        Some(path) => Some(sdk_of(path)?),
        None => None,
    };
    let folder = Path::new(&args.name);
    if folder.exists() {
        return Err(Failure::new(Code::Refused, format!("{} is there already", folder.display()))
            .help("choose another name, or remove it first"));
    }
    let draft = Draft::beside(folder);
    let build = match args.lang {
        Lang::Rust => rust(&draft.0, &name, sdk.as_deref())?,
        Lang::Python => foreign(&draft.0, &name, &PYTHON)?,
        Lang::Javascript => foreign(&draft.0, &name, &JAVASCRIPT)?,
        Lang::C => foreign(&draft.0, &name, &C)?,
    };
    sample::write(&draft.0.join("data"))?;
    draft.stands_as(folder)?;
    let (dir, file) = (folder.display(), format!("{}.wasm", name.ident));
    let mut next = vec![format!("cd {dir}")];
    next.extend(build);
    next.push(format!("bellwether strategy check ./{file} --data data"));
    next.push(format!("bellwether backtest --strategy ./{file} --data data"));
    next.push(format!("bellwether paper --strategy ./{file} --data data --interval 1h --pace 0"));
    if args.json {
        return out::json(&json!({
            "schema_version": 1, "name": name.ident, "folder": dir.to_string(), "component": file, "next": next,
        }));
    }
    out::answer(&format!(
        "{dir}: written. Next:\n\n  {}\n\n\
         The bars in data/ are made up, for trying it; `bellwether data download` gets real ones.",
        next.join("\n  ")
    ))
}

/// A folder that is being written. What does not come to its end leaves nothing behind.
struct Draft(PathBuf);

impl Draft {
    fn beside(folder: &Path) -> Self {
        Self(PathBuf::from(format!(".{}.new-{}", folder.display(), std::process::id())))
    }

    fn stands_as(&self, folder: &Path) -> Result<(), Failure> {
        std::fs::rename(&self.0, folder)
            .map_err(|e| Failure::new(Code::Failed, format!("writing {}: {e}", folder.display())))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After the rename there is none; and whoever failed has said why already.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The folder of an sdk that strategies can be built with: the package, and the glue for WebAssembly beside it.
fn sdk_of(path: &Path) -> Result<PathBuf, Failure> {
    let wrong = |what: String| {
        Failure::new(Code::Usage, format!("--sdk {}: {what}", path.display()))
            .help("name a checkout's crates/sdk, or leave --sdk out: this command carries an sdk")
    };
    let folder = path.canonicalize().map_err(|e| wrong(e.to_string()))?;
    for (of, name) in [(folder.clone(), "bellwether-sdk"), (folder.join("../guest"), "bellwether-guest")] {
        let text = std::fs::read_to_string(of.join("Cargo.toml")).unwrap_or_default();
        let manifest = text.parse::<toml_edit::DocumentMut>().unwrap_or_default();
        let found = manifest.get("package").and_then(|p| p.get("name")).and_then(|n| n.as_str());
        if found != Some(name) {
            return Err(wrong(format!("there is no package {name} in {}", of.display())));
        }
    }
    Ok(folder)
}

/// Names that a package of Rust cannot have, or that would hide what a strategy needs.
const NO_PACKAGES: &str = " abstract alloc as async await become bellwether_guest bellwether_sdk box break const continue core \
    crate do dyn else enum extern false final fn for gen if impl in let loop macro match mod move mut override priv \
    proc_macro pub ref return self static std struct super test trait true try type typeof unsafe unsized use virtual where \
    while yield ";

/// Types that the template knows by these names.
const NO_TYPES: &str = " Bar Box Context Default Desk Drop Err Indicator InstrumentId None Ok Option ParamError Params \
    PerInstrument Plugin Probe Result Self Send Signal Sma Some Strategy String Sync Vec ";

/// A name in its spellings.
struct Name {
    /// As a package: `my-cross`.
    package: String,
    /// As a module and in flags: `my_cross`.
    ident: String,
    /// As a type: `MyCross`.
    ty: String,
}

impl Name {
    fn of(text: &str) -> Result<Self, Failure> {
        let good = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.len() <= 40
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !good {
            return Err(Failure::new(Code::Usage, format!("{text:?} is no name for a strategy"))
                .help("begin with a letter; then letters, digits, - and _, 40 at the most"));
        }
        let lower = text.to_ascii_lowercase();
        let words = lower.split(['-', '_']).filter(|w| !w.is_empty());
        let capital = |w: &str| w[..1].to_ascii_uppercase() + &w[1..];
        let (ident, ty) = (lower.replace('-', "_"), words.map(capital).collect::<String>());
        let is_of = |names: &str, name: &str| names.contains(&format!(" {name} "));
        if is_of(NO_PACKAGES, &ident) {
            return Err(Failure::new(Code::Usage, format!("{text:?} means something else in Rust"))
                .help(format!("call it {ident}-strategy, or by what it does")));
        }
        // `sma` would be the type `Sma`, which is the indicator.
        let ty = if is_of(NO_TYPES, &ty) { format!("{ty}Strategy") } else { ty };
        Ok(Self { package: lower.replace('_', "-"), ident, ty })
    }

    fn fill(&self, template: &str) -> String {
        template.replace("{{package}}", &self.package).replace("{{ident}}", &self.ident).replace("{{Type}}", &self.ty)
    }
}

/// Writes a package; gives the commands that build it.
fn rust(folder: &Path, name: &Name, sdk: Option<&Path>) -> Result<Vec<String>, Failure> {
    let sdk = match sdk {
        Some(path) => path.to_owned(),
        None => {
            sources::unpack(&folder.join(".bellwether"))?;
            PathBuf::from(".bellwether/crates/sdk")
        }
    };
    let manifest = name.fill(include_str!("templates/rust/Cargo.toml")).replace("{{sdk}}", &sdk.display().to_string());
    sources::write(&folder.join("Cargo.toml"), &manifest)?;
    sources::write(&folder.join("Cargo.lock"), sources::text("Cargo.lock"))?;
    sources::write(&folder.join("src").join("lib.rs"), &name.fill(include_str!("templates/rust/lib.rs")))?;
    sources::write(&folder.join("clippy.toml"), sources::text("clippy.toml"))?;
    sources::write(&folder.join(".gitignore"), "/target\n*.wasm\n")?;
    Ok(vec!["cargo test".to_owned(), "bellwether strategy build".to_owned()])
}

/// Writes a strategy in another language, with what components have to export; gives the commands that build it.
fn foreign(folder: &Path, name: &Name, language: &Foreign) -> Result<Vec<String>, Failure> {
    for (file, template) in language.files {
        sources::write(&folder.join(file), &name.fill(template))?;
    }
    sources::write(&folder.join("wit").join("strategy.wit"), sources::text("crates/guest/wit/strategy.wit"))?;
    sources::write(&folder.join(".gitignore"), &format!("{}*.wasm\n", language.ignored))?;
    Ok(language.build.iter().map(|line| name.fill(line)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_rust_or_the_sdk_has_already_is_refused_or_gets_a_type_of_its_own() {
        let ty = |name: &str| Name::of(name).map(|n| n.ty).map_err(|e| format!("{e:?}"));
        for word in ["fn", "match", "self", "Self", "std", "bellwether-sdk", "gen", "while"] {
            assert!(ty(word).is_err_and(|e| e.contains("something else")), "{word}");
        }
        for name in ["sma", "strategy", "signal", "plugin", "bar", "context", "probe", "result", "param-error", "some"]
        {
            assert!(ty(name).is_ok_and(|t| t.len() > 8 && t.ends_with("Strategy")), "{name}");
        }
        assert_eq!(ty("my-cross"), Ok("MyCross".to_owned()));
        assert_eq!(ty("fnord"), Ok("Fnord".to_owned()));
        // All that the template opens is known here.
        let template = include_str!("templates/rust/lib.rs");
        let opened = template.lines().filter_map(|l| l.trim().strip_prefix("use bellwether_sdk::"));
        let names = opened.flat_map(|l| l.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
        for name in names.filter(|n| n.starts_with(|c: char| c.is_ascii_uppercase())) {
            assert!(NO_TYPES.contains(&format!(" {name} ")), "{name}");
        }
    }
}
