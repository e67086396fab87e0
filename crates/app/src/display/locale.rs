//! What a terminal can show. One whose locale is not UTF-8 would show three wrong letters for each of our dots.

use std::borrow::Cow;
use std::env;
use std::sync::LazyLock;

/// Whether this process's locale is UTF-8, by the variables that say it, in their order.
static UTF8: LazyLock<bool> = LazyLock::new(|| {
    let named = ["LC_ALL", "LC_CTYPE", "LANG"].map(env::var);
    let first = named.into_iter().flatten().find(|value| !value.is_empty());
    is_utf8(first.as_deref())
});

/// What of a text such a terminal shows: our own signs as ASCII. Names stay as they are; they are nobody's to change.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    if *UTF8 { Cow::Borrowed(text) } else { in_ascii(text) }
}

/// The frames of what turns while something is at work.
pub(super) fn spinner() -> Option<&'static str> {
    (!*UTF8).then_some(r"|/-\ ")
}

/// Without a locale it is `C`, which is ASCII.
fn is_utf8(locale: Option<&str>) -> bool {
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

fn in_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let signs = [
        ('…', "..."),
        ('·', "-"),
        ('→', "->"),
        ('–', "-"),
        ('—', "-"),
        ('×', "x"),
        ('≤', "<="),
    ];
    let mut said = String::with_capacity(text.len());
    for letter in text.chars() {
        match signs.iter().find(|(sign, _)| *sign == letter) {
            Some((_, instead)) => said.push_str(instead),
            None => said.push(letter),
        }
    }
    Cow::Owned(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_says_whether_it_is_utf_8() {
        for yes in ["C.UTF-8", "de_CH.utf8", "en_US.UTF-8@euro"] {
            assert!(is_utf8(Some(yes)), "{yes}");
        }
        for no in [
            None,
            Some(""),
            Some("C"),
            Some("POSIX"),
            Some("de_CH.ISO-8859-1"),
            Some("de_CH"),
        ] {
            assert!(!is_utf8(no), "{no:?}");
        }
    }

    #[test]
    fn signs_become_ascii_and_names_stay() {
        assert_eq!(in_ascii("pinning … · Zürich → back"), "pinning ... - Zürich -> back");
        assert!(matches!(in_ascii("as it is"), Cow::Borrowed("as it is")));
    }
}
