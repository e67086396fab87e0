//! The pages, of a platform in every scenario.

mod common;
