"""A program outside Dagster that reports over Pipes."""

from dagster_pipes import open_dagster_pipes

with open_dagster_pipes() as pipes:
    pipes.log.warning("the disk is slow")
    pipes.report_asset_materialization(metadata={"bytes": 123456}, data_version="2024-02-17_00-00-00")
    pipes.report_asset_check(check_name="restorable", passed=True, metadata={"entries": 42})
    pipes.report_custom_message({"hello": "world"})
