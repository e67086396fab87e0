//! The schemas of what `--json` prints, as they stand in `docs/schemas/`.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Fails unless the document is one that the schema of this name describes.
pub(crate) fn is_as_promised(name: &str, document: &Value) -> Result<()> {
    let schema = read(&format!("schemas/{name}.schema.json"))?;
    let schema = if schema["$ref"] == "../manifest.v1.schema.json" {
        read("manifest.v1.schema.json")?
    } else {
        schema
    };
    let validator = jsonschema::validator_for(&schema).with_context(|| format!("{name} is no schema"))?;
    let wrong: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    if !wrong.is_empty() {
        bail!(
            "not as {name}.schema.json promises:\n{}\n{document:#}",
            wrong.join("\n")
        );
    }
    Ok(())
}

fn read(name: &str) -> Result<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
}

#[test]
fn a_document_of_another_kind_is_refused_by_every_schema() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".schema.json") else {
            continue;
        };
        seen += 1;
        let refused = is_as_promised(name, &serde_json::json!({ "frobnicated": true }));
        assert!(refused.is_err(), "{name} promises nothing");
    }
    assert!(seen >= 15, "{seen} schemas");
    Ok(())
}
