//! A notice as text, for those who show text.

use stillpoint_core::ports::notices::{Gravity, Notice, NoticeKind};

/// What is told beside the title, no longer than so many characters.
pub(super) fn body(notice: &Notice, most: usize) -> String {
    let mut lines = vec![notice.text.clone()];
    if let Some(hint) = &notice.hint {
        lines.push(format!("What to do: {hint}"));
    }
    let link = notice
        .link
        .as_ref()
        .map(|link| format!("\n\n{link}"))
        .unwrap_or_default();
    let room = most.saturating_sub(link.chars().count());
    format!("{}{link}", cut(&lines.join("\n\n"), room))
}

/// The title and the rest.
pub(super) fn whole(notice: &Notice, most: usize) -> String {
    let title = title(notice);
    let rest = most.saturating_sub(title.chars().count() + 2);
    format!("{title}\n\n{}", body(notice, rest))
}

/// The title, told by a sign too how much it matters.
pub(super) fn title(notice: &Notice) -> String {
    let sign = match (notice.kind, notice.kind.weight()) {
        (NoticeKind::Digest | NoticeKind::Test | NoticeKind::Restore, _) => "ℹ️",
        (_, Gravity::Bad) => "❌",
        (_, Gravity::Warning) => "⚠️",
        (_, Gravity::Good) => "✅",
    };
    format!("{sign} {}", notice.title)
}

/// At most so many characters, with a mark where something was left out.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}
