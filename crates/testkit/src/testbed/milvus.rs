//! Scripts of Python beside a Milvus, which speaks nothing but gRPC: the client is `testbed/images/clients/milvus.py`. Knows nothing of what
//! is in the collections.

use anyhow::Result;

use super::{beside, owner};

/// What a script says that asks the server in a container, as the user `root`.
pub(super) fn told(container: &str, script: &str) -> Result<String> {
    beside::python(container, &owner::this_process()?, &[])?
        .input(script)
        .run()
}
