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

/// Gives the user `root` of a server that is nobody's yet the platform's password: no variable of a container does.
pub(super) fn claim(container: &str) -> Result<()> {
    told(container, "from milvus import first_login\nfirst_login()\n").map(drop)
}
