//! What extensions own and no dump holds. `pg_dump` takes the members of an extension for something that `CREATE EXTENSION`
//! brings: of a table that the extension has not registered (`pg_extension_config_dump`) it writes neither rows nor
//! definition, of one that is registered with a condition only the rows that meet it. Tables of users become such members too
//! (`ALTER EXTENSION … ADD TABLE`, which some extensions do for every table that they make).
//!
//! So they are found by asking the catalog, with no list of known extensions, and saved beside the dump, in its snapshot:
//! definitions as `pg_dump` itself writes them, every row, what their sequences are at. A restore puts the definitions
//! where the dump has none, replaces all rows of those tables, and so is right whatever `CREATE EXTENSION` has brought and
//! whether or not a later version registers the table. Never here: the names of extensions.

mod definitions;
mod find;
mod gzip;
mod restore;
mod save;
mod script;
mod whole;

pub(super) use definitions::{encoding_of, to_bytes};
pub(super) use find::{Catalog, NO_ENCODING, find};
pub(super) use gzip::Unpacking;
pub(super) use whole::Whole;

/// What an artifact of this kind holds.
pub(super) const CATALOG: &str = "extension catalog";

/// How such an artifact's name ends, after the name of its database.
pub(super) const FILE: &str = ".ext-catalog.sql.gz";

/// The fact that names the tables and sequences that are saved so, each with its extension.
pub(super) const SAVED: &str = "saved beside the dumps";
