//! What a restore changes, line by line as `facts.sh` tells it: the table under "What comes back otherwise" in
//! `docs/stores/postgres.md` has a line with the reason for each of them.

use super::differences::Known;

/// Whatever the server is that is restored into.
pub(super) const ALWAYS: &[Known] = &[
    changed(
        "Subscription that was enabled",
        "state of every",
        "subscription|feed|t|feed_slot",
        "subscription|feed|f|feed_slot",
    ),
    changed(
        "Rows of a materialised view",
        "rows of every",
        "app.stale|1|03e61c1e1433ab4e62dc4bfbf1a43362",
        "app.stale|1|65513031a507ac739b465eafbe73a3bb",
    ),
    changed(
        "Rows of a materialised view",
        "rows of every",
        "app.stale_rows|49|e86305c92f7dd88ef3ec04c0ff586747",
        "app.stale_rows|40|b888aedc1e2b101e1c64ab76cf59ef5c",
    ),
    changed(
        "Version of an extension",
        "state of every",
        "extension|pg_trgm|1.3",
        "extension|pg_trgm|1.6",
    ),
    gone("Invalid index", "state of every", "invalid index|app.invalid"),
    gone(
        "Comment on what is the server's own",
        "state of every",
        "comment|function|pg_catalog.now()",
    ),
    gone(
        "Comment on what is the server's own",
        "state of every",
        "comment|operator|public.%(pg_catalog.text,pg_catalog.text)",
    ),
    new("Schema `public` that was dropped", "state of bare", "schema|public"),
    new(
        "Extension `plpgsql` that was dropped",
        "state of bare",
        "extension|plpgsql|1.0",
    ),
    changed(
        "Order of a policy's roles",
        "definitions of every",
        "CREATE POLICY own ON app.parent AS RESTRICTIVE FOR UPDATE TO readers, auditor \
         USING ((\"user\" = CURRENT_USER)) WITH CHECK (((amount)::numeric < (9)::numeric));",
        "CREATE POLICY own ON app.parent AS RESTRICTIVE FOR UPDATE TO auditor, readers \
         USING ((\"user\" = CURRENT_USER)) WITH CHECK (((amount)::numeric < (9)::numeric));",
    ),
];

const fn changed(named: &'static str, section: &'static str, was: &'static str, is: &'static str) -> Known {
    Known { named, section, was, is }
}

const fn gone(named: &'static str, section: &'static str, was: &'static str) -> Known {
    changed(named, section, was, "")
}

const fn new(named: &'static str, section: &'static str, is: &'static str) -> Known {
    changed(named, section, "", is)
}
