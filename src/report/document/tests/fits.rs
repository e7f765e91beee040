//! Holds documents against their JSON Schemas; tests of the command use it too.

use serde_json::{Value, json};

/// Whether a value has the fields and types its schema names, and no others; follows references, objects and arrays.
pub fn fits(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    if let Some(path) = schema["$ref"].as_str() {
        let target = root.pointer(path.trim_start_matches('#')).ok_or_else(|| format!("no {path}"))?;
        return fits(value, target, root);
    }
    if let Some(choices) = schema["enum"].as_array()
        && !choices.contains(value)
    {
        return Err(format!("{value} is not one of {choices:?}"));
    }
    if let Some(options) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        let fit = options.iter().any(|o| fits(value, o, root).is_ok());
        return if fit { Ok(()) } else { Err(format!("{value} fits none of {options:?}")) };
    }
    if !schema["const"].is_null() && schema["const"] != *value {
        return Err(format!("{value} is not {}", schema["const"]));
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types = &schema["type"];
    let has = |t: &str| types == t || types.as_array().is_some_and(|a| a.contains(&json!(t)));
    let fit = types.is_null() || has(kind) || (kind == "integer" && has("number"));
    if !fit {
        return Err(format!("{value} is a {kind}, the schema says {types}"));
    }
    let missing = |name: &&Value| value.get(name.as_str().unwrap_or_default()).is_none();
    if let Some(name) = schema["required"].as_array().into_iter().flatten().find(missing) {
        return Err(format!("{name} is not there"));
    }
    for item in value.as_array().into_iter().flatten() {
        fits(item, &schema["items"], root)?;
    }
    for (name, field) in value.as_object().into_iter().flatten() {
        let of = schema["properties"].get(name).or(schema.get("additionalProperties").filter(|s| s.is_object()));
        let of = of.or((!schema["properties"].is_object()).then_some(&Value::Null));
        fits(field, of.ok_or_else(|| format!("the schema has no {name}"))?, root)
            .map_err(|e| format!("{name}: {e}"))?;
    }
    Ok(())
}
