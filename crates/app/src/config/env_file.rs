//! Files in the syntax of `.env`: one `NAME=value` a line, `export` before it allowed, `#` for
//! comments, quotes around values, which may then span lines. The platform's own file may be given,
//! so what is not ours is passed over; what is ours is never guessed at: where another reader would
//! put a variable's value for `$NAME`, the file is refused instead.

use super::origin::Origin;
use super::settings::refused;
use crate::failure::Failure;

/// A variable, and its value or why it has none.
pub(super) type Line = (String, Result<String, &'static str>);

/// The variables of a file, in its order.
pub(super) fn parse(text: &str) -> Vec<Line> {
    let mut found = Vec::new();
    let mut rest = text.trim_start_matches('\u{feff}');
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let Some((name, _)) = assignment(line) else {
            rest = after;
            continue;
        };
        // The value may go on beyond the line's end: it is read from the whole rest.
        let (_, value) = rest.split_once('=').unwrap_or_default();
        let (value, remaining) = value_of(value.trim_start_matches([' ', '\t']));
        found.push((name.to_owned(), value));
        rest = remaining;
    }
    found
}

/// The value of one of our variables, or a refusal that does not show it.
pub(super) fn accepted(file: &str, (name, value): Line) -> Result<String, Failure> {
    value.map_err(|problem| {
        let origin = Origin::EnvFile {
            file: file.to_owned(),
            variable: name,
        };
        refused(&origin, problem)
    })
}

fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let name = name.strip_prefix("export ").unwrap_or(name).trim_start();
    let plain = |char: char| char.is_ascii_alphanumeric() || "_.".contains(char);
    (!name.is_empty() && name.chars().all(plain)).then_some((name, value))
}

/// The value at the beginning of a text, and what follows its line.
fn value_of(text: &str) -> (Result<String, &'static str>, &str) {
    match text.chars().next() {
        Some(quote @ ('\'' | '"')) => match closing(&text[1..], quote) {
            Some(end) => quoted(quote, &text[1..=end], &text[end + 2..]),
            None => (Err("its quote is never closed"), after_line(text)),
        },
        _ => (bare(text), after_line(text)),
    }
}

fn after_line(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, after)| after)
}

/// Where the quote ends. In double quotes, a backslash takes the next character's meaning away.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, char)| {
        if !escaped && char == quote {
            return Some(at);
        }
        escaped = quote == '"' && char == '\\' && !escaped;
        None
    })
}

fn quoted<'a>(quote: char, inside: &str, after: &'a str) -> (Result<String, &'static str>, &'a str) {
    let (tail, following) = after.split_once('\n').unwrap_or((after, ""));
    let tail = tail.trim();
    let value = if !tail.is_empty() && !tail.starts_with('#') {
        Err("something follows its closing quote")
    } else if quote == '\'' {
        Ok(inside.to_owned())
    } else {
        unescaped(inside)
    };
    (value, following)
}

fn unescaped(inside: &str) -> Result<String, &'static str> {
    let mut value = String::new();
    let mut chars = inside.chars();
    while let Some(char) = chars.next() {
        value.push(match char {
            '$' => return Err(EXPANSION),
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some(same @ ('"' | '\\' | '$')) => same,
                _ => return Err("it has a backslash before a character that needs none"),
            },
            char => char,
        });
    }
    Ok(value)
}

const EXPANSION: &str = "it has a `$`, which is not expanded here: put the value into single quotes, or write it out";

fn bare(text: &str) -> Result<String, &'static str> {
    let line = text.lines().next().unwrap_or_default();
    let comment = line.starts_with('#').then_some(0);
    let comment = comment.or_else(|| line.find(" #")).or_else(|| line.find("\t#"));
    let value = line[..comment.unwrap_or(line.len())].trim();
    if value.contains('$') {
        return Err(EXPANSION);
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn every_way_to_write_a_value_is_read() {
        let text = "\u{feff}# a comment = none\n\nPLAIN=a b # said\nexport EXPORTED=1\r\n SPACED = x \nHASH=a#b\n\
                    SINGLE='a $b \\n # c'  # said\nDOUBLE=\"a\\n\\\"b\\\" \\$c\"\nLONG='one\ntwo=2'\nEMPTY=\nNOTE=# none\nnonsense\nLAST=z";
        let found: Vec<(String, String)> = parse(text)
            .into_iter()
            .map(|(name, value)| (name, value.unwrap()))
            .collect();
        let expected = [
            ("PLAIN", "a b"),
            ("EXPORTED", "1"),
            ("SPACED", "x"),
            ("HASH", "a#b"),
            ("SINGLE", "a $b \\n # c"),
            ("DOUBLE", "a\n\"b\" $c"),
            ("LONG", "one\ntwo=2"),
            ("EMPTY", ""),
            ("NOTE", ""),
            ("LAST", "z"),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_other_readers_would_change_is_refused_and_the_rest_is_still_read() {
        for (line, why) in [
            ("A=p$w", "single quotes"),
            ("A=\"p$w\"", "single quotes"),
            ("A=\"\\q\"", "backslash"),
            ("A='x' y", "closing quote"),
            ("A='x", "never closed"),
        ] {
            let found = parse(&format!("{line}\nB=1"));
            let problem = found[0].1.as_ref().unwrap_err();
            assert!(problem.contains(why), "{line}: {problem}");
            assert_eq!(found[1], ("B".to_owned(), Ok("1".to_owned())), "{line}");
        }
    }
}
