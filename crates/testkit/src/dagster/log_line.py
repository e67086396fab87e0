# Dagster's own code writes a line into the log of a run, as it does for a user's code.
import sys
import time

from dagster import DagsterInstance
from dagster._core.events.log import EventLogEntry

run, message = sys.argv[1], sys.argv[2].replace("NUL", "\0")
line = EventLogEntry(
    error_info=None, level=20, user_message=message, run_id=run, timestamp=time.time(),
    step_key="says", job_name="tiny", dagster_event=None,
)
with DagsterInstance.get() as instance:
    instance.handle_new_event(line)
