//! The engine in a simulated world: what is asserted here needs no Docker, no disk and no time.

mod at_rest;
mod backup;
mod damage;
mod delegated;
mod doctor;
mod elsewhere;
mod every_call;
mod history;
mod lease;
mod logins;
mod maintenance;
mod missing;
mod naming;
mod parts;
mod passwords;
mod piecemeal;
mod plan;
mod platforms;
mod prune;
mod recovery;
mod restore;
mod run_history;
mod samples;
mod selection;
mod sink;
