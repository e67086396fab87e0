//! The icons, drawn into the page: a state is never said by its colour alone.

/// The drawing of this name, for a box of 16 by 16. One that is unknown is a ring.
pub(crate) fn icon(name: &str) -> String {
    let (class, paths) = match name {
        "ok" => ("icon", r#"<path d="M2.5 8.5l4 4 7-9"/>"#),
        "warn" => (
            "icon",
            r#"<path d="M8 2L1.5 13.5h13z"/><path d="M8 6.5v3.5M8 11.4v1"/>"#,
        ),
        "bad" => ("icon", r#"<path d="M3 3l10 10M13 3L3 13"/>"#),
        "live" => ("icon turns", r#"<path d="M13.5 8A5.5 5.5 0 1 1 8 2.5"/>"#),
        "stopped" => ("icon", r#"<path d="M5.5 3v10M10.5 3v10"/>"#),
        "lock" => ("icon", r#"<path d="M3 7.5h10v6H3zM5 7.5V5a3 3 0 0 1 6 0v2.5"/>"#),
        "theme" => (
            "icon",
            r#"<circle cx="8" cy="8" r="5.5"/><path d="M8 2.5v11A5.5 5.5 0 0 0 8 2.5z" fill="currentColor"/>"#,
        ),
        _ => ("icon", r#"<circle cx="8" cy="8" r="5.5"/>"#),
    };
    format!(r#"<svg class="{class}" viewBox="0 0 16 16" aria-hidden="true" focusable="false">{paths}</svg>"#)
}
