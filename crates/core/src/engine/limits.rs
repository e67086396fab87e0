//! How long the engine waits for what. Every wait has its limit here; none is a guess about speed,
//! each is the point from which waiting longer would help nobody.

use std::time::Duration;

/// What a container gets to stop when it says nothing itself: Docker's own default.
pub const CLIENT_STOP_GRACE: Duration = Duration::from_secs(10);

/// What a store gets at least: a server that is killed while it writes its last checkpoint has to
/// recover, and its backup would be of what recovery found.
pub const STORE_STOP_GRACE: Duration = Duration::from_mins(2);

/// How long a store may take from its start until it answers in its own protocol. Crash recovery
/// of a large server takes minutes.
pub const STORE_READY: Duration = Duration::from_mins(10);

/// How long a store may take to answer a question: its preflight, its marks, who is connected. Longer than any wait of a
/// store's own for one answer.
pub const STORE_ANSWERS: Duration = Duration::from_mins(10);

/// How long clients may be down for a backup, unless told otherwise. Not where they wait until stores are drained.
pub const STANDSTILL: Duration = Duration::from_mins(10);

/// How long one store's pin may take where the standstill itself has no limit.
pub const PIN: Duration = Duration::from_hours(1);

/// How long a store may take to let writers in again while the clients wait.
pub const LETS_IN: Duration = Duration::from_secs(10);

/// How long one store's drain may take. A stream that stands still ends much earlier: [`STREAM_IDLE`].
pub const DRAIN: Duration = Duration::from_hours(7 * 24);

/// How long a call that was told to stop may take to do so: what it has started in a container gets 10 s.
pub const CALL_ENDS: Duration = Duration::from_mins(1);

/// How long a run waits for a second after which no directory of the repository is named yet.
pub const SECONDS_TAKEN: Duration = Duration::from_secs(10);

/// How long a workload that was healthy may take to become so again, unless its own health check gives it longer.
pub const HEALTHY_AGAIN: Duration = Duration::from_mins(3);

/// How long the watchdog of a dead run may take: it waits for an engine that restarts, finishes stops, and awaits the
/// health of one wave after the other.
pub const WATCHDOG: Duration = Duration::from_mins(20);

/// Between two looks at something that is awaited.
pub const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long a stream may stand still before it counts as stuck.
pub const STREAM_IDLE: Duration = Duration::from_mins(5);

/// How long an engine may call a container running whose process has died. Docker does so as long as somebody has not
/// read what an exec of it wrote; once the reader has let go it takes half a second (seen with 20.10).
pub const DEATH_NOTICED: Duration = Duration::from_secs(10);

/// How often a workload that ended right after its start is started again before it counts as
/// degraded.
pub const START_AGAIN: u32 = 2;

/// How long an engine that does not answer is waited for before what it should start counts as
/// degraded: an upgrade of the engine takes a minute.
pub const ENGINE_BACK: Duration = Duration::from_mins(5);

/// How long trying one login of a client's may take: a server that answers at all does so at once.
pub const LOGIN: Duration = Duration::from_secs(10);

/// How long a server may take to answer a greeting: it is in the same host's network.
pub const GREETING: Duration = Duration::from_secs(5);

/// So many logins are tried at a time: a server lets only so many in.
pub const LOGINS_AT_ONCE: usize = 4;

/// Between two questions whether somebody is still at work.
pub const BUSY_LOOK: Duration = Duration::from_secs(5);

/// How long one may take to say whether he is at work.
pub const BUSY_TOLD: Duration = Duration::from_secs(30);

/// Between two looks whether jobs have ended.
pub const JOB_LOOK: Duration = Duration::from_secs(1);

/// What may be a job or a service is waited for so long at most: Compose's own default is to restart nothing, and nobody
/// should wait a minute for each backup of a platform that was never told otherwise.
pub const GUESSED_JOB: Duration = Duration::from_secs(10);

/// What may be a job or a service and has run for so long is taken for a service.
pub const SERVICE_AFTER: Duration = Duration::from_hours(1);

/// Between two attempts to reach it.
pub const ENGINE_LOOK: Duration = Duration::from_secs(1);
