//! What is looked at before a component is compiled: whether it is of the contract, and whether compiling it comes to an end
//! soon. It runs over the bytes once and compiles nothing.

use wasmparser::{BinaryReaderError, FunctionBody, Operator, Parser, Payload};

/// The interface a strategy exports, without its version.
pub(crate) const PLUGIN: &str = "bellwether:strategy/plugin";

/// The version of it that this program knows.
const KNOWN: (u32, u32) = (1, 0);

/// Functions of all its modules: interpreters of other languages have some ten thousand.
const FUNCTIONS_MAX: usize = 200_000;

/// Bytes of one function: a compiler's time can grow with the square of it.
const FUNCTION_BYTES_MAX: usize = 1 << 20;

/// Blocks within blocks of one function: the large switch of an interpreter has some hundred.
const NESTED_MAX: usize = 2_000;

/// Looks at a component's bytes.
///
/// # Errors
/// Why it is not to be compiled.
pub(crate) fn before_compiling(bytes: &[u8]) -> Result<(), String> {
    let damaged = |e: BinaryReaderError| format!("it is damaged or no component this program can run: {e}");
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    // Modules and components within the component lie in it, each with an end of its own.
    let (mut within, mut functions) = (0_usize, 0_usize);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(damaged)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => within += 1,
            Payload::End(_) => within = within.saturating_sub(1),
            Payload::ComponentImportSection(section) if within == 0 => {
                for import in section {
                    imports.push(import.map_err(damaged)?.name.name);
                }
            }
            Payload::ComponentExportSection(section) if within == 0 => {
                for export in section {
                    exports.push(export.map_err(damaged)?.name.name);
                }
            }
            Payload::CodeSectionEntry(body) => {
                functions += 1;
                if functions > FUNCTIONS_MAX {
                    return Err(format!("it has more than {FUNCTIONS_MAX} functions"));
                }
                if body.as_bytes().len() > FUNCTION_BYTES_MAX {
                    return Err(format!("it has a function of more than {} KiB", FUNCTION_BYTES_MAX >> 10));
                }
                if nested(&body).map_err(damaged)? > NESTED_MAX {
                    return Err(format!("it has a function with more than {NESTED_MAX} blocks within each other"));
                }
            }
            _ => {}
        }
    }
    contract_of(&imports, &exports).map(drop)
}

/// How deep blocks lie within blocks; more than [`NESTED_MAX`] is not counted to the end.
fn nested(body: &FunctionBody<'_>) -> Result<usize, BinaryReaderError> {
    let (mut now, mut most) = (0_usize, 0_usize);
    for operator in body.get_operators_reader()? {
        match operator? {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } | Operator::TryTable { .. } => {
                now += 1;
                most = most.max(now);
                if most > NESTED_MAX {
                    break;
                }
            }
            Operator::End => now = now.saturating_sub(1),
            _ => {}
        }
    }
    Ok(most)
}

/// What a component asks for and gives must be the contract, nothing more and nothing less. Gives the version of the contract
/// that it was made for: this program's, or an earlier one of the same number before the point.
///
/// # Errors
/// What does not fit.
pub(crate) fn contract_of(imports: &[&str], exports: &[&str]) -> Result<String, String> {
    if !imports.is_empty() {
        return Err(format!("it asks for {}; a strategy is given nothing beyond the contract", imports.join(", ")));
    }
    let Some(version) = exports.iter().find_map(|name| name.strip_prefix(PLUGIN)?.strip_prefix('@')) else {
        return Err(match exports {
            [] => format!("it exports nothing; a strategy exports {PLUGIN}@1"),
            _ => format!("it is of another world: it exports {}, not {PLUGIN}@1", exports.join(", ")),
        });
    };
    let (major, minor) = KNOWN;
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(theirs), Some(one)) if theirs == major && one <= minor => Ok(version.to_owned()),
        _ => Err(format!(
            "it was made for version {version} of the contract; this program knows {major}.{minor}: build one with the other"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component with a module in it that has one function of this code.
    fn component(code: &[u8]) -> Vec<u8> {
        let length = |n: usize| {
            let byte = |shift: u32| (n >> shift) as u8 & 0x7f;
            [byte(0) | 0x80, byte(7) | 0x80, byte(14) | 0x80, byte(21)]
        };
        let section = |id: u8, bytes: &[u8]| [&[id], &length(bytes.len())[..], bytes].concat();
        let body = [&[0], code, &[0x0b]].concat();
        let bodies = [&[1], &length(body.len())[..], &body].concat();
        let module =
            [b"\0asm\x01\0\0\0".to_vec(), section(1, &[1, 0x60, 0, 0]), section(3, &[1, 0]), section(10, &bodies)];
        [b"\0asm\x0d\0\x01\0".to_vec(), section(1, &module.concat())].concat()
    }

    fn blocks(count: usize) -> Vec<u8> {
        [[0x02, 0x40].repeat(count), vec![0x0b; count]].concat()
    }

    #[test]
    fn code_that_would_take_a_compiler_long_is_refused_before_it_is_compiled() {
        let refused = |code: &[u8]| before_compiling(&component(code)).expect_err("not of the contract at the least");
        assert!(refused(&blocks(NESTED_MAX + 1)).contains("more than 2000 blocks within each other"));
        assert!(refused(&[0x01].repeat(FUNCTION_BYTES_MAX)).contains("a function of more than 1024 KiB"));
        // Not too much of either: what is wrong with these is only that they export nothing.
        for fine in [blocks(NESTED_MAX), blocks(4).repeat(1_000), [0x01].repeat(FUNCTION_BYTES_MAX - 2)] {
            assert!(refused(&fine).contains("exports nothing"));
        }
        let many = [blocks(1).repeat(2), vec![0x0b]].concat();
        assert!(refused(&many).contains("damaged"), "one end too many: {}", refused(&many));
    }

    #[test]
    fn a_component_made_for_a_later_contract_is_refused() {
        let of = |version: &str| contract_of(&[], &[format!("{PLUGIN}@{version}").as_str()]);
        for fits in ["1.0.0", "1.0.7"] {
            assert_eq!(of(fits).as_deref(), Ok(fits));
        }
        for other in ["1.1.0", "1.9.0", "2.0.0", "0.9.0", "1", "x"] {
            let why = of(other).expect_err(other);
            assert!(why.contains(&format!("version {other} of the contract; this program knows 1.0")), "{why}");
        }
    }
}
