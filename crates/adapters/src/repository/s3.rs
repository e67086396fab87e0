//! Backups in a bucket of an object store that speaks S3, through the `object_store` crate.

mod settings;

pub use settings::S3Settings;
