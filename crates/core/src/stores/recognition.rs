//! Whether a workload is a store, as far as what is seen of it tells.

/// What a kind of store says about a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recognition {
    /// It is a store of this kind.
    Store,
    /// Something of this kind runs in it. It is a store if it answers a greeting over the platform's network; if it does
    /// not, it serves nobody but its own container.
    Ask(Greeting),
    /// It is none of this kind.
    No,
}

/// A question that tells a protocol, and does nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The server's port.
    pub port: u16,
    /// What is said; empty where the server speaks first.
    pub say: &'static [u8],
    /// What the answer of such a server begins with: one of these.
    pub answers: &'static [&'static [u8]],
    /// The program that was seen, for messages.
    pub program: &'static str,
}

impl Greeting {
    /// Whether such a server has answered.
    pub fn is_answered_by(&self, answer: &[u8]) -> bool {
        self.answers.iter().any(|expected| answer.starts_with(expected))
    }
}
