//! What is left of a store's data while it is stopped. A restore stops every store of its platform.

/// What is to be known of a store before it is stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AtRest {
    /// The folders of its container in which its data lies, as far as it says so.
    pub folders: Vec<String>,
    /// What it holds that is nowhere but in its memory, in words.
    pub unsaved: Vec<String>,
    /// Why it would not start again, or as another one, with the setting to change. Whatever is done with its data, and
    /// undone, begins with that start.
    pub unstartable: Vec<String>,
}
