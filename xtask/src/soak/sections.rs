//! A report in sections, of which each is written anew by itself. Knows nothing of what they say.

/// The report with one section replaced or added; the others stay as they are, in the order that is given.
pub(super) fn with(report: &str, title: &str, order: &[&str], heading: &str, text: &str) -> String {
    let section = |name: &str| {
        if name == heading {
            return Some(text.trim().to_owned());
        }
        let begin = format!("\n## {name}\n");
        let (_, rest) = report.split_once(&begin)?;
        let end = rest.find("\n## ").unwrap_or(rest.len());
        rest.get(..end).map(|text| text.trim().to_owned())
    };
    let sections = order
        .iter()
        .filter_map(|name| Some(format!("\n## {name}\n\n{}\n", section(name)?)));
    format!("# {title}\n{}", sections.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_section_is_replaced_and_the_others_stay_in_their_order() {
        let order = ["A", "B", "C"];
        let first = with("", "T", &order, "C", "c\n");
        assert_eq!(first, "# T\n\n## C\n\nc\n");
        let second = with(&first, "T", &order, "A", "a");
        assert_eq!(second, "# T\n\n## A\n\na\n\n## C\n\nc\n");
        let third = with(&second, "T", &order, "A", "new");
        assert_eq!(third, "# T\n\n## A\n\nnew\n\n## C\n\nc\n");
    }
}
