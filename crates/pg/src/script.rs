//! Reading a script as `pg_dumpall --globals-only` writes it: one statement after the other, each
//! split into tokens, so that a statement can be recognised and changed without touching what is
//! quoted. Not a general SQL parser: it knows quotes, comments and semicolons (manual §4.1).

/// One statement of a script, without its semicolon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    tokens: Vec<Token>,
}

/// A piece of a statement. Together they are the statement's text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    kind: Kind,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A bare word or number.
    Word,
    /// `"name"`.
    Name,
    /// `'text'`, `E'text'`, `$tag$text$tag$`.
    Text,
    /// White space and comments.
    Space,
    /// Anything else, one character.
    Sign,
}

/// The statements of a script. Lines of psql's own commands (`\restrict`) are left out.
pub fn statements(script: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut tokens = Vec::new();
    let mut rest = script;
    while !rest.is_empty() {
        let line_begins = tokens.iter().all(|token: &Token| token.kind == Kind::Space);
        if line_begins && rest.starts_with('\\') {
            rest = &rest[line(rest)..];
            continue;
        }
        let (kind, length) = next(rest);
        let (text, after) = rest.split_at(length);
        rest = after;
        if kind == Kind::Sign && text == ";" {
            statements.extend(Statement::of(&std::mem::take(&mut tokens)));
        } else {
            tokens.push(Token {
                kind,
                text: text.to_owned(),
            });
        }
    }
    statements.extend(Statement::of(&tokens));
    statements
}

/// The comments of a script that begin with `--`, each with where it begins. What is quoted holds none.
pub fn comments(script: &str) -> Vec<(usize, &str)> {
    let mut comments = Vec::new();
    let mut at = 0;
    while at < script.len() {
        let (_, length) = next(&script[at..]);
        let text = &script[at..at + length];
        if text.starts_with("--") {
            comments.push((at, text.trim_end()));
        }
        at += length;
    }
    comments
}

/// A text of SQL without what is quoted in it, and without comments: `'…'` and a space stand for them.
pub fn without_texts(script: &str) -> String {
    let mut without = String::new();
    let mut rest = script;
    while !rest.is_empty() {
        let (kind, length) = next(rest);
        let (text, after) = rest.split_at(length);
        without.push_str(match kind {
            Kind::Text => "'…'",
            Kind::Space => " ",
            Kind::Word | Kind::Name | Kind::Sign => text,
        });
        rest = after;
    }
    without
}

impl Statement {
    fn of(tokens: &[Token]) -> Option<Self> {
        let is_space = |token: &Token| token.kind == Kind::Space;
        let first = tokens.iter().position(|token| !is_space(token))?;
        let last = tokens.iter().rposition(|token| !is_space(token))?;
        Some(Self {
            tokens: tokens[first..=last].to_vec(),
        })
    }

    /// The statement's text.
    pub fn text(&self) -> String {
        self.tokens.iter().map(|token| token.text.as_str()).collect()
    }

    /// The name that follows these keywords at the statement's beginning, unquoted.
    pub fn subject(&self, keywords: &[&str]) -> Option<String> {
        let mut tokens = self.tokens.iter().filter(|token| token.kind != Kind::Space);
        for keyword in keywords {
            tokens.next().filter(|token| token.is(keyword))?;
        }
        tokens.next().and_then(Token::name)
    }

    /// The text that follows `PASSWORD`, with its quotes.
    pub fn password(&self) -> Option<&str> {
        let (_, text) = self.password_at()?;
        Some(&self.tokens[text].text)
    }

    /// The statement without `PASSWORD '…'`.
    #[must_use]
    pub fn without_password(&self) -> Self {
        let Some((at, text)) = self.password_at() else {
            return self.clone();
        };
        let kept: Vec<Token> = self.tokens[..at]
            .iter()
            .chain(&self.tokens[text + 1..])
            .cloned()
            .collect();
        Self::of(&kept).unwrap_or_else(|| self.clone())
    }

    /// Where `PASSWORD` stands, and the text that follows it.
    fn password_at(&self) -> Option<(usize, usize)> {
        let text_after = |at: usize| {
            let after = at + 1..self.tokens.len();
            let next = after.into_iter().find(|next| self.tokens[*next].kind != Kind::Space)?;
            (self.tokens[next].kind == Kind::Text).then_some((at, next))
        };
        (0..self.tokens.len())
            .filter(|at| self.tokens[*at].is("PASSWORD"))
            .find_map(text_after)
    }
}

impl Statement {
    /// Whether a keyword stands in it, outside quotes.
    pub fn has(&self, keyword: &str) -> bool {
        self.tokens.iter().any(|token| token.is(keyword))
    }

    /// The statement without `GRANTED BY role` at its end.
    #[must_use]
    pub fn without_grantor(&self) -> Self {
        let is_grantor = |at: &usize| {
            let after = self.tokens[at + 1..].iter().find(|token| token.kind != Kind::Space);
            self.tokens[*at].is("GRANTED") && after.is_some_and(|token| token.is("BY"))
        };
        let end = (0..self.tokens.len()).rev().find(is_grantor);
        let kept = end.and_then(|end| Self::of(&self.tokens[..end]));
        kept.unwrap_or_else(|| self.clone())
    }

    /// The same `CREATE TABLESPACE` without a folder that only one server has: a relative one is inside its data.
    #[must_use]
    pub fn without_relative_location(&self) -> Self {
        let mut moved = self.clone();
        let at = self.tokens.iter().position(|token| token.is("LOCATION"));
        let is_relative = |token: &&mut Token| token.kind == Kind::Text && !token.text.starts_with("'/");
        let after = at.and_then(|at| moved.tokens[at..].iter_mut().find(|token| token.kind == Kind::Text));
        if let Some(location) = after.filter(is_relative) {
            "''".clone_into(&mut location.text);
        }
        moved
    }
}

impl Token {
    fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    fn name(&self) -> Option<String> {
        match self.kind {
            Kind::Word => Some(self.text.to_ascii_lowercase()),
            Kind::Name => Some(self.text[1..self.text.len() - 1].replace("\"\"", "\"")),
            Kind::Text | Kind::Space | Kind::Sign => None,
        }
    }
}

/// The kind and the length in bytes of the token that `rest`, which is not empty, begins with.
fn next(rest: &str) -> (Kind, usize) {
    let begins = |prefix: &str| rest.starts_with(prefix);
    if begins("--") {
        return (Kind::Space, line(rest));
    }
    if begins("/*") {
        return (Kind::Space, rest.find("*/").map_or(rest.len(), |end| end + 2));
    }
    if begins("E'") || begins("e'") {
        return (Kind::Text, 1 + quoted(&rest[1..], '\'', true));
    }
    match rest.chars().next() {
        Some('\'') => (Kind::Text, quoted(rest, '\'', false)),
        Some('"') => (Kind::Name, quoted(rest, '"', false)),
        Some('$') => dollar_quoted(rest).map_or((Kind::Sign, 1), |length| (Kind::Text, length)),
        Some(first) if first.is_whitespace() => (Kind::Space, run(rest, char::is_whitespace)),
        Some(first) if is_word(first) => (Kind::Word, run(rest, is_word)),
        Some(first) => (Kind::Sign, first.len_utf8()),
        None => (Kind::Space, 0),
    }
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

fn run(rest: &str, belongs: impl Fn(char) -> bool) -> usize {
    rest.find(|char| !belongs(char)).unwrap_or(rest.len())
}

fn line(rest: &str) -> usize {
    rest.find('\n').map_or(rest.len(), |end| end + 1)
}

/// A doubled quote is one inside the text; so is an escaped one, where escapes count.
fn quoted(rest: &str, quote: char, escapes: bool) -> usize {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, char)) = chars.next() {
        if char == '\\' && escapes {
            chars.next();
        } else if char == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return at + quote.len_utf8();
        }
    }
    rest.len()
}

fn dollar_quoted(rest: &str) -> Option<usize> {
    let tag_end = 1 + rest[1..].find('$')?;
    let tag = &rest[..=tag_end];
    let sound = tag[1..tag.len() - 1].chars().all(is_word);
    let body = rest[tag.len()..].find(tag).filter(|_| sound)?;
    Some(tag.len() + body + tag.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(script: &str) -> Vec<String> {
        statements(script).iter().map(Statement::text).collect()
    }

    #[test]
    fn statements_end_at_semicolons_outside_quotes() {
        let script = "\\restrict abc\n-- Roles; all of them\nCREATE ROLE \"a;b\";\nCOMMENT ON ROLE x IS 'it''s; so';\n\
                      ALTER ROLE x SET s TO E'\\';';\nSELECT $q$;$q$;\n\\unrestrict abc\n";
        assert_eq!(
            texts(script),
            [
                "CREATE ROLE \"a;b\"",
                "COMMENT ON ROLE x IS 'it''s; so'",
                "ALTER ROLE x SET s TO E'\\';'",
                "SELECT $q$;$q$",
            ]
        );
    }

    #[test]
    fn a_comment_is_none_where_it_is_quoted() {
        let script = "-- a\nSELECT '\n-- b\n', $x$\n-- c\n$x$, \"\n-- d\n\"; -- e\n";
        assert_eq!(comments(script), [(0, "-- a"), (46, "-- e")]);
    }

    #[test]
    fn a_statement_is_known_by_its_first_words() {
        let all = statements("CREATE ROLE \"Odd \"\"one\"\"\";ALTER ROLE plain WITH LOGIN;");
        assert_eq!(all[0].subject(&["CREATE", "ROLE"]).as_deref(), Some("Odd \"one\""));
        assert_eq!(all[1].subject(&["ALTER", "ROLE"]).as_deref(), Some("plain"));
        assert_eq!(all[1].subject(&["CREATE", "ROLE"]), None);
    }

    #[test]
    fn a_grantor_can_be_taken_out() {
        let all = statements(
            "GRANT a TO b WITH ADMIN OPTION GRANTED BY \"granted BY x\";GRANT granted TO b;CREATE ROLE granted;",
        );
        assert_eq!(all[0].without_grantor().text(), "GRANT a TO b WITH ADMIN OPTION");
        assert_eq!(all[1].without_grantor(), all[1]);
        assert_eq!(all[2].without_grantor(), all[2]);
        assert!(all[0].has("admin") && !all[0].has("by x"));
    }

    #[test]
    fn a_location_inside_the_data_is_none() {
        let all = statements(
            "CREATE TABLESPACE a OWNER b LOCATION 'pg_tblspc/16384';CREATE TABLESPACE a LOCATION '/x';CREATE ROLE location;",
        );
        assert_eq!(
            all[0].without_relative_location().text(),
            "CREATE TABLESPACE a OWNER b LOCATION ''"
        );
        assert_eq!(all[1].without_relative_location(), all[1]);
        assert_eq!(all[2].without_relative_location(), all[2]);
    }

    #[test]
    fn a_password_can_be_taken_out() {
        let all =
            statements("ALTER ROLE \"x PASSWORD 'y'\" WITH LOGIN PASSWORD 'SCRAM-SHA-256$4096:a' VALID UNTIL 'z';");
        assert_eq!(
            all[0].without_password().text(),
            "ALTER ROLE \"x PASSWORD 'y'\" WITH LOGIN  VALID UNTIL 'z'"
        );
        assert_eq!(all[0].password(), Some("'SCRAM-SHA-256$4096:a'"));
        let none = statements("ALTER ROLE x WITH NOLOGIN;");
        assert_eq!(none[0].password(), None);
        assert_eq!(none[0].without_password(), none[0]);
    }
}
