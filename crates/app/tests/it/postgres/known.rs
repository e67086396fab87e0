//! What a restore changes, line by line as `facts.sh` tells it: the table under "What comes back otherwise" in
//! `docs/stores/postgres.md` has a line with the reason for each of them.

use stillpoint_testkit::lone_postgres::Known;

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

/// On another server than the one that was backed up.
pub(super) const ELSEWHERE: &[Known] = &[
    gone("Databases that are not backed up", "server", "database|broken|f"),
    gone("Databases that are not backed up", "server", "database|own_template|t"),
];

/// From 15 to 17.
pub(super) const FROM_15_TO_17: &[Known] = &[
    view(" SELECT parent.id,", " SELECT id,"),
    view("    parent.\"user\"", "    \"user\""),
    view("  WHERE (parent.late > 0);", "  WHERE (late > 0);"),
    view(" SELECT refers.id,", " SELECT id,"),
    view("    refers.self", "    self"),
    view("  WHERE (refers.id < 100)", "  WHERE (id < 100)"),
    view(" SELECT counting.n", " SELECT n"),
    view(
        "    max((parent.amount)::numeric) AS top",
        "    max((amount)::numeric) AS top",
    ),
    view(" SELECT parent.id,", " SELECT id,"),
    view("    parent.note", "    note"),
    view(" SELECT parent.id,", " SELECT id,"),
    view("    parent.\"user\",", "    \"user\","),
    view("    parent.mood,", "    mood,"),
    view("    parent.amount,", "    amount,"),
    view("    parent.doubled,", "    doubled,"),
    view("    parent.note,", "    note,"),
    view("    parent.big,", "    big,"),
    view("    parent.late,", "    late,"),
    view("  GROUP BY parent.id;", "  GROUP BY id;"),
    changed(
        "Grantor of a role",
        "server",
        "GRANT granted TO auditor;",
        "GRANT granted TO auditor WITH INHERIT FALSE GRANTED BY boss;",
    ),
    changed(
        "Grantor of a role",
        "server",
        "GRANT pg_read_all_stats TO auditor;",
        "GRANT pg_read_all_stats TO auditor WITH INHERIT FALSE GRANTED BY boss;",
    ),
    changed(
        "Grantor of a role",
        "server",
        "GRANT readers TO \"Röle \"\"q\"\" 'a' %\";",
        "GRANT readers TO \"Röle \"\"q\"\" 'a' %\" WITH INHERIT TRUE GRANTED BY boss;",
    ),
    changed(
        "Grantor of a role",
        "server",
        "GRANT readers TO owner1 WITH ADMIN OPTION;",
        "GRANT readers TO owner1 WITH ADMIN OPTION, INHERIT TRUE GRANTED BY boss;",
    ),
    changed(
        "All privileges on a table",
        "definitions of every",
        "REVOKE SELECT,INSERT,REFERENCES,DELETE,TRIGGER,TRUNCATE,UPDATE ON TABLE app.as_made FROM owner1;",
        "REVOKE ALL ON TABLE app.as_made FROM owner1;",
    ),
    changed(
        "All privileges on a table",
        "definitions of every",
        "GRANT SELECT,INSERT,REFERENCES,DELETE,TRIGGER,TRUNCATE,UPDATE ON TABLE app.parent TO auditor;",
        "GRANT ALL ON TABLE app.parent TO auditor;",
    ),
    changed(
        "Whom a subscription acts as",
        "definitions of every",
        "CREATE SUBSCRIPTION feed CONNECTION 'host=127.0.0.1 port=1 dbname=nowhere password=''s ecret''' PUBLICATION there, \"and there\" WITH (connect = false, slot_name = 'feed_slot', binary = true, streaming = on, run_as_owner = true, synchronous_commit = \"on\");",
        "CREATE SUBSCRIPTION feed CONNECTION 'host=127.0.0.1 port=1 dbname=nowhere password=''s ecret''' PUBLICATION there, \"and there\" WITH (connect = false, slot_name = 'feed_slot', binary = true, streaming = on, synchronous_commit = \"on\");",
    ),
    changed(
        "Whom a subscription acts as",
        "definitions of every",
        "CREATE SUBSCRIPTION unslotted CONNECTION 'dbname=nowhere' PUBLICATION there WITH (connect = false, slot_name = NONE, run_as_owner = true);",
        "CREATE SUBSCRIPTION unslotted CONNECTION 'dbname=nowhere' PUBLICATION there WITH (connect = false, slot_name = NONE);",
    ),
];

const fn view(was: &'static str, is: &'static str) -> Known {
    changed("Text of a view", "definitions of every", was, is)
}

const fn changed(named: &'static str, section: &'static str, was: &'static str, is: &'static str) -> Known {
    Known {
        named,
        section,
        was,
        is,
    }
}

const fn gone(named: &'static str, section: &'static str, was: &'static str) -> Known {
    changed(named, section, was, "")
}

const fn new(named: &'static str, section: &'static str, is: &'static str) -> Known {
    changed(named, section, "", is)
}
