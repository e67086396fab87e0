//! What several stores need and none owns: moving bytes between a container's process and the
//! repository, and waiting with all three ends in sight (done, cancelled, stuck).

mod pipe;
mod wait;

pub(crate) use pipe::{Doing, collect, damaged, feed, stream_out};
pub(crate) use wait::{BY_SIZE, cancellable, guarded};
