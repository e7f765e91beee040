//! The sdk's public surface is the one in `docs/sdk-api.txt`: others write strategies against it, so a change is meant.
//! `BELLWETHER_BLESS=1 cargo test -p bellwether-sdk --test api` writes it anew.
//!
//! It is read from the sources: `pub` in any module counts, what is hidden from the docs does not. What macros of the sdk
//! write stands there as the macro and its uses say it.

use std::collections::BTreeSet;
use std::path::Path;

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Attribute, ImplItem, Item, TraitItem, Visibility};

fn is_left_out(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|a| a.path().is_ident("cfg") || a.path().is_ident("doc") && text(&a.meta) == "doc(hidden)")
}

/// Whether an item is seen from outside.
fn is_seen(visibility: &Visibility, attrs: &[Attribute]) -> bool {
    matches!(visibility, Visibility::Public(_)) && !is_left_out(attrs)
}

/// Tokens as text, without documentation and other attributes.
fn text(tokens: impl ToTokens) -> String {
    fn bare(tokens: TokenStream) -> TokenStream {
        let mut out: Vec<TokenTree> = Vec::new();
        for token in tokens {
            match (token, out.last()) {
                (TokenTree::Group(_), Some(TokenTree::Punct(p))) if p.as_char() == '#' => drop(out.pop()),
                (TokenTree::Group(g), _) => out.push(Group::new(g.delimiter(), bare(g.stream())).into()),
                (other, _) => out.push(other),
            }
        }
        out.into_iter().collect()
    }
    let tight = [" ::", ":: ", " ,", "& ", " <", "< ", " >", " :", " ;", " (", "( ", " )", " !", " [", "' "];
    let spaced = bare(tokens.to_token_stream()).to_string();
    tight.iter().fold(spaced, |text, with| text.replace(with, with.trim()))
}

/// What an item is, and what it derives.
fn item(attrs: &[Attribute], what: impl ToTokens) -> String {
    let named = |a: &&Attribute| a.path().is_ident("derive") || a.path().is_ident("non_exhaustive");
    attrs.iter().filter(named).fold(text(what), |line, a| format!("{line} #[{}]", text(&a.meta)))
}

/// The lines of a module whose own modules lie in `folder`.
fn read(folder: &Path, module: &str, items: &[Item], lines: &mut BTreeSet<String>) {
    let mut line = |text: String| {
        lines.insert(format!("{module}{text}"));
    };
    for it in items {
        match it {
            // What a hidden module has may be given on under other names.
            Item::Mod(m) if !m.attrs.iter().any(|a| a.path().is_ident("cfg")) => {
                let name = m.ident.to_string();
                let (below, file) = (folder.join(&name), folder.join(format!("{name}.rs")));
                let file = if file.exists() { file } else { below.join("mod.rs") };
                let source = std::fs::read_to_string(&file).expect("a module has a file");
                let items = syn::parse_file(&source).expect("Rust").items;
                let mut inner = BTreeSet::new();
                read(&below, &format!("{name}::"), &items, &mut inner);
                inner.into_iter().for_each(&mut line);
            }
            Item::Use(u) if is_seen(&u.vis, &u.attrs) => line(format!("use {}", text(&u.tree))),
            Item::Fn(f) if is_seen(&f.vis, &f.attrs) => line(text(&f.sig)),
            Item::Const(c) if is_seen(&c.vis, &c.attrs) => line(format!("const {}: {}", c.ident, text(&c.ty))),
            Item::Type(t) if is_seen(&t.vis, &t.attrs) => line(text(t)),
            Item::Enum(e) if is_seen(&e.vis, &e.attrs) => {
                let (name, variants) = (&e.ident, &e.variants);
                line(item(&e.attrs, quote!(enum #name { #variants })));
            }
            Item::Struct(s) if is_seen(&s.vis, &s.attrs) => {
                let (name, generics) = (&s.ident, &s.generics);
                line(item(&s.attrs, quote!(struct #name #generics)));
                for (place, field) in s.fields.iter().enumerate().filter(|(_, f)| is_seen(&f.vis, &f.attrs)) {
                    let field_name = field.ident.as_ref().map_or(place.to_string(), ToString::to_string);
                    line(format!("{name}.{field_name}: {}", text(&field.ty)));
                }
            }
            Item::Trait(t) if is_seen(&t.vis, &t.attrs) => {
                let (name, over) = (&t.ident, &t.supertraits);
                line(item(&t.attrs, quote!(trait #name: #over)));
                for of in &t.items {
                    match of {
                        TraitItem::Fn(f) if is_left_out(&f.attrs) => {}
                        TraitItem::Fn(f) if f.default.is_some() => line(format!("{name}: {} = …", text(&f.sig))),
                        other => line(format!("{name}: {}", text(other))),
                    }
                }
            }
            Item::Impl(i) => {
                let of = text(&i.self_ty);
                i.trait_.iter().for_each(|(_, of_trait, _)| line(format!("impl {} for {of}", text(of_trait))));
                for inner in &i.items {
                    match inner {
                        ImplItem::Fn(f) if is_seen(&f.vis, &f.attrs) => line(format!("{of}: {}", text(&f.sig))),
                        ImplItem::Const(c) if is_seen(&c.vis, &c.attrs) => line(format!("{of}: const {}", c.ident)),
                        _ => {}
                    }
                }
            }
            Item::Macro(m) => match (&m.ident, text(&m.mac.tokens)) {
                (None, body) => line(format!("{}! {body}", text(&m.mac.path))),
                (Some(name), body) => body.split("pub ").skip(1).for_each(|made| {
                    let end = made.find(['{', ';', '=']).unwrap_or(made.len());
                    line(format!("{name}! makes {}", made[..end].trim()));
                }),
            },
            _ => {}
        }
    }
}

#[test]
fn the_public_surface_is_the_one_that_is_written_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut now = BTreeSet::new();
    let source = std::fs::read_to_string(root.join("src/lib.rs")).expect("the sources");
    read(&root.join("src"), "", &syn::parse_file(&source).expect("Rust").items, &mut now);
    let kept = root.join("../../docs/sdk-api.txt");
    if std::env::var_os("BELLWETHER_BLESS").is_some() {
        std::fs::write(&kept, now.iter().map(|line| format!("{line}\n")).collect::<String>()).expect("written");
    }
    let text = std::fs::read_to_string(&kept).unwrap_or_default();
    let before: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let [gone, new] = [&before - &now, &now - &before];
    assert!(
        gone.is_empty() && new.is_empty(),
        "the sdk's public surface is another; what that means for its version says docs/writing-a-strategy.md, and with \
         BELLWETHER_BLESS=1 docs/sdk-api.txt is written anew\ngone: {gone:#?}\nnew: {new:#?}"
    );
}
