//! The smallest parts: names that need quotes, types with their odd values, settings with odd values.

use super::Build;

/// What a name may look like; `#` is where its number goes.
const NAMES: [&str; 14] = [
    "plain_#",
    "Upper#",
    "with space #",
    "with \"quote\" #",
    "größe_#",
    "select_#",
    "a.b_#",
    "$1 #",
    "-dash-#",
    "back\\slash#",
    "tick'#",
    "%s #",
    "日本_#",
    "a_name_that_is_as_long_as_a_name_may_be_without_being_cut_#",
];

/// Types, and values that their input takes. `NULL` is one of every type.
pub(super) const TYPES: [(&str, &[&str]); 24] = [
    ("integer", &["0", "-2147483648", "2147483647"]),
    ("bigint", &["9223372036854775807", "-1"]),
    ("smallint", &["-32768", "7"]),
    ("numeric", &["'NaN'", "'Infinity'", "1e100", "0.00", "-0.1000"]),
    ("numeric(5,2)", &["999.99", "-0.01"]),
    ("double precision", &["'-0'", "1e-300", "'NaN'", "0.1"]),
    ("real", &["0.1", "'Infinity'"]),
    (
        "text",
        &["''", "'\\.'", "E'tab\\tnew\\nline\\\\'", "'\\N'", "'a''b\"c'", "'🂡 é'"],
    ),
    ("character(5)", &["'a'", "''"]),
    ("character varying(3)", &["'abc'", "'  '"]),
    ("bytea", &["'\\x'", "'\\x00ff0a5c'", "'\\x5c2e0a'"]),
    ("boolean", &["true", "false"]),
    ("date", &["'infinity'", "'4713-01-01 BC'", "'2026-03-29'"]),
    (
        "timestamp with time zone",
        &[
            "'-infinity'",
            "'2026-03-29 02:30:00.123456+02'",
            "'1999-12-31 23:59:60Z'",
        ],
    ),
    ("timestamp(0)", &["'0001-01-01 00:00:00 BC'", "'2026-10-25 02:30'"]),
    ("time with time zone", &["'24:00:00+14'", "'00:00:00.000001-12'"]),
    ("interval", &["'-1 mon 3 days -00:00:01'", "'178000000 years'"]),
    ("uuid", &["'00000000-0000-0000-0000-000000000000'"]),
    ("jsonb", &["'{\"a\": [1, null, \"\\u00e9\"]}'", "'null'", "'1e400'"]),
    ("json", &["'{\"a\":1,  \"a\":2}'"]),
    ("integer[]", &["'{}'", "'{NULL,1}'", "'[0:1]={1,2}'", "'{{1},{2}}'"]),
    ("text[]", &["'{\"NULL\",NULL,\"\",\"a,b\",\"\\\\\\\\\"}'"]),
    ("inet", &["'::1/64'", "'10.0.0.1/8'"]),
    ("money", &["12.34", "-0.01"]),
];

/// Settings that a role or a database may carry, and values that make a session behave unlike the rest.
pub(super) const SETTINGS: [(&str, &str); 34] = [
    ("search_path", "'nowhere'"),
    ("search_path", "'\"$user\", public'"),
    ("search_path", "''"),
    ("default_transaction_read_only", "on"),
    ("default_transaction_isolation", "'serializable'"),
    ("default_transaction_deferrable", "on"),
    ("statement_timeout", "'300ms'"),
    ("lock_timeout", "'1ms'"),
    ("idle_in_transaction_session_timeout", "'1s'"),
    ("idle_session_timeout", "'1s'"),
    ("row_security", "off"),
    ("datestyle", "'SQL, DMY'"),
    ("datestyle", "'German'"),
    ("intervalstyle", "'sql_standard'"),
    ("timezone", "'Asia/Kathmandu'"),
    ("bytea_output", "'escape'"),
    ("extra_float_digits", "-5"),
    ("standard_conforming_strings", "off"),
    ("backslash_quote", "off"),
    ("xmloption", "'document'"),
    ("transform_null_equals", "on"),
    ("array_nulls", "off"),
    ("quote_all_identifiers", "on"),
    ("client_min_messages", "'error'"),
    ("client_encoding", "'LATIN1'"),
    ("check_function_bodies", "on"),
    ("session_replication_role", "'replica'"),
    ("synchronous_commit", "off"),
    ("work_mem", "'64kB'"),
    ("maintenance_work_mem", "'1MB'"),
    ("max_parallel_maintenance_workers", "8"),
    ("enable_seqscan", "off"),
    ("constraint_exclusion", "on"),
    ("temp_buffers", "'800kB'"),
];

impl Build {
    /// A name of its own, in quotes.
    pub(super) fn name(&mut self) -> String {
        let name = self.raw_name();
        quoted(&name)
    }

    /// The same without quotes.
    pub(super) fn raw_name(&mut self) -> String {
        self.names += 1;
        let number = self.names.to_string();
        self.random.of(&NAMES).replace('#', &number)
    }

    /// A type, and one of its values.
    pub(super) fn value_of(&mut self, values: &[&str]) -> String {
        if self.random.one_in(5) {
            return "NULL".to_owned();
        }
        (*self.random.of(values)).to_owned()
    }
}

/// As an identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// As a string.
pub(super) fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
