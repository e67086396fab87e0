//! PostgreSQL spoken over whatever stream reaches the server. Shared by the stores that are
//! PostgreSQL and by maintenance; knows nothing of backups and never stops or starts anything.

mod psql;
pub mod quote;
pub mod script;
mod session;

pub use psql::PSQL;
pub use session::{Endpoint, Login, PgError, Session};
