//! The derives of `bellwether-sdk`: [`Params`](derive@Params) for a strategy's parameters and
//! [`Choice`](derive@Choice) for an enum of words. They only write impls of the sdk's traits; the rules live there.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Data, DeriveInput, Error, Expr, ExprRange, Fields, Ident, Lit, Meta, RangeLimits, Token, Type};

/// Derives `Params`: each field is a parameter, its doc comment the help,
/// `#[param(default = …, range = low..=high)]` the rest. A field of type `Option<T>` may be left out; every other
/// field needs a default.
#[proc_macro_derive(Params, attributes(param))]
pub fn derive_params(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    params(&input).unwrap_or_else(Error::into_compile_error).into()
}

/// Derives `ParamType` for an enum without fields; `LongShort` is written `long-short`.
#[proc_macro_derive(Choice)]
pub fn derive_choice(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    choice(&input).unwrap_or_else(Error::into_compile_error).into()
}

/// What stands in `#[param(…)]`.
#[derive(Default)]
struct ParamAttr {
    default: Option<Expr>,
    range: Option<(Expr, Expr)>,
}

impl Parse for ParamAttr {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut attr = Self::default();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            if key == "default" {
                attr.default = Some(input.parse()?);
            } else if key == "range" {
                let range: ExprRange = input.parse()?;
                match (range.start, range.limits, range.end) {
                    (Some(low), RangeLimits::Closed(_), Some(high)) => attr.range = Some((*low, *high)),
                    _ => return Err(Error::new(key.span(), "write the range as low..=high")),
                }
            } else {
                return Err(Error::new(key.span(), "unknown key; there are `default` and `range`"));
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(attr)
    }
}

fn doc_of(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|a| match &a.meta {
        Meta::NameValue(nv) if nv.path.is_ident("doc") => match &nv.value {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// The `T` of `Option<T>`.
fn option_of(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|s| s.ident == "Option")?;
    let syn::PathArguments::AngleBracketed(args) = &last.arguments else { return None };
    match args.args.first() {
        Some(syn::GenericArgument::Type(inner)) => Some(inner),
        _ => None,
    }
}

fn params(input: &DeriveInput) -> syn::Result<Tokens> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(input, "Params is for structs"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new_spanned(input, "Params needs named fields"));
    };
    let (mut specs, mut reads) = (Vec::new(), Vec::new());
    for field in &fields.named {
        let Some(ident) = &field.ident else { continue };
        let name = ident.to_string();
        let help = doc_of(&field.attrs);
        let attr = match field.attrs.iter().find(|a| a.path().is_ident("param")) {
            Some(a) => a.parse_args::<ParamAttr>()?,
            None => ParamAttr::default(),
        };
        let optional = option_of(&field.ty);
        let ty = optional.unwrap_or(&field.ty);
        let range = match &attr.range {
            Some((low, high)) => quote!(Some((#low as #ty, #high as #ty))),
            None => quote!(None::<(#ty, #ty)>),
        };
        let default = match (&attr.default, optional) {
            (Some(expr), None) => quote!(Some(#expr)),
            (None, Some(_)) => quote!(None::<#ty>),
            (Some(_), Some(_)) => return Err(Error::new_spanned(field, "an Option parameter has no default")),
            (None, None) => return Err(Error::new_spanned(field, "needs #[param(default = …)] or an Option type")),
        };
        let param_type = quote!(<#ty as ::bellwether_sdk::ParamType>);
        specs.push(quote! {{
            let range: Option<(#ty, #ty)> = #range;
            let default: Option<#ty> = #default;
            ::bellwether_sdk::ParamSpec {
                name: #name,
                help: #help,
                kind: #param_type::KIND,
                default: default.map(|d| #param_type::show(&d)),
                range: range.map(|(low, high)| (#param_type::show(&low), #param_type::show(&high))),
                choices: #param_type::CHOICES,
            }
        }});
        let present = if optional.is_some() { quote!(Some(value)) } else { quote!(value) };
        let absent = match &attr.default {
            Some(expr) => quote!(#expr),
            None => quote!(None),
        };
        reads.push(quote! {
            #ident: match values.get(#name) {
                Some(text) => {
                    let value: #ty = ::bellwether_sdk::params::read_value(#name, text, #range)?;
                    #present
                }
                None => #absent,
            }
        });
    }
    let ident = &input.ident;
    Ok(quote! {
        impl ::bellwether_sdk::Params for #ident {
            fn specs() -> ::std::vec::Vec<::bellwether_sdk::ParamSpec> {
                ::std::vec![#(#specs),*]
            }
            fn from_values(
                values: &::bellwether_sdk::ParamValues,
            ) -> ::std::result::Result<Self, ::bellwether_sdk::ParamError> {
                ::bellwether_sdk::params::check_names(values, &<Self as ::bellwether_sdk::Params>::specs())?;
                Ok(Self { #(#reads),* })
            }
        }
    })
}

/// `LongShort` → `long-short`.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.extend(c.to_lowercase());
    }
    out
}

fn choice(input: &DeriveInput) -> syn::Result<Tokens> {
    let Data::Enum(data) = &input.data else {
        return Err(Error::new_spanned(input, "Choice is for enums"));
    };
    if let Some(variant) = data.variants.iter().find(|v| !matches!(v.fields, Fields::Unit)) {
        return Err(Error::new_spanned(variant, "a choice has no fields"));
    }
    let idents: Vec<_> = data.variants.iter().map(|v| &v.ident).collect();
    let words: Vec<_> = idents.iter().map(|i| kebab(&i.to_string())).collect();
    let remedy = format!("write one of: {}", words.join(", "));
    let ident = &input.ident;
    Ok(quote! {
        impl ::bellwether_sdk::ParamType for #ident {
            const KIND: &'static str = "choice";
            const CHOICES: &'static [&'static str] = &[#(#words),*];
            fn read(text: &str) -> ::std::result::Result<Self, ::std::string::String> {
                match text.trim() {
                    #(#words => Ok(Self::#idents),)*
                    _ => Err(::std::string::String::from(#remedy)),
                }
            }
            fn show(&self) -> ::std::string::String {
                let word = match self { #(Self::#idents => #words),* };
                ::std::string::String::from(word)
            }
        }
        impl ::std::cmp::PartialOrd for #ident {
            fn partial_cmp(&self, other: &Self) -> ::std::option::Option<::std::cmp::Ordering> {
                Some((*self as usize).cmp(&(*other as usize)))
            }
        }
    })
}
