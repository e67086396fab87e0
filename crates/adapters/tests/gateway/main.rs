//! The S3 gateway, seen by a stock client, by curl, and by a client that does everything wrong; over a directory and over a
//! bucket. The latter needs a container engine.

mod bench;
mod faults;
mod parts;
mod refused;
#[path = "../s3/server.rs"]
#[expect(dead_code, reason = "shared with the tests of the S3 repository")]
mod server;
mod serving;
mod stock;
mod wire;

/// Declares a test of each function over a directory and over a bucket.
macro_rules! over_both {
    ($($module:ident::$name:ident,)*) => {
        mod directory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() -> anyhow::Result<()> {
                Box::pin(crate::$module::$name(crate::bench::Bench::directory().await?)).await
            })*
        }
        mod bucket {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() -> anyhow::Result<()> {
                Box::pin(crate::$module::$name(crate::bench::Bench::bucket().await?)).await
            })*
        }
    };
}

over_both![
    stock::a_stock_client_finds_what_it_wrote,
    stock::a_listing_is_read_page_by_page,
    parts::parts_count_in_the_order_of_their_numbers,
    parts::an_abort_leaves_nothing,
    parts::the_last_of_two_uploads_counts,
    faults::three_hundred_uploads_at_once_hold_bounded_memory,
    faults::a_client_that_dies_commits_nothing,
    serving::exactly_what_was_recorded_is_served,
    serving::what_has_changed_is_not_served,
];
