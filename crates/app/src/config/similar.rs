//! "Did you mean": the known name that is nearest to a mistyped one.

/// How alike two names must be, from 0 to 1, to be taken for one another.
const ALIKE: f64 = 0.75;

/// `; did you mean X?`, or nothing if no known name is near.
pub(super) fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let scored = known
        .into_iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(wrong, name), name));
    let best = scored
        .filter(|(score, _)| *score >= ALIKE)
        .max_by(|(left, _), (right, _)| left.total_cmp(right));
    best.map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn only_a_near_name_is_offered() {
        let known = ["retention", "repository"];
        assert_eq!(did_you_mean("retension", known), "; did you mean `retention`?");
        assert_eq!(did_you_mean("colour", known), "");
    }
}
