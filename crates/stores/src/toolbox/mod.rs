//! What several stores need and none owns: moving bytes between a container's process and the
//! repository, and waiting with all three ends in sight (done, cancelled, stuck).

mod damage;
mod http;
mod mounts;
mod names;
mod pipe;
mod room;
mod secret;
mod wait;

pub(crate) use damage::damage_of_all;
pub(crate) use http::{Broken, exchange as exchange_http};
pub(crate) use mounts::{is_read_only, mount_of, mounts};
pub(crate) use names::{is_short_name, short_name};
pub(crate) use pipe::{
    Doing, UNPACKED_AT_ONCE, collect, collect_of, damaged, end, feed, feed_through, feed_watched, finished, opened,
    run_script, stream_out, stream_out_of_script, stream_out_watched,
};
pub(crate) use room::room;
pub(crate) use secret::Secret;
pub(crate) use wait::{BY_SIZE, cancellable, guarded};
