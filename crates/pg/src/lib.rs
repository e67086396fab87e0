//! PostgreSQL spoken over whatever stream reaches the server: who we are to it, the way in, and keeping our own sessions
//! and its cron quiet. Shared by the stores that are PostgreSQL and by maintenance; knows nothing of backups and never
//! stops or starts anything.

mod credentials;
pub mod cron;
mod psql;
mod quiet;
pub mod quote;
pub mod script;
mod server;
mod session;

pub use credentials::{Credentials, NoNumber, PORT, Password};
pub use psql::PSQL;
pub use server::{MAINTENANCE, Server, Via};
pub use session::{Endpoint, Login, PgError, Session};
