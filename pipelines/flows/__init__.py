"""The Prefect flows. Importing this package sets Prefect up, so it comes before any import of Prefect."""

from pipelines.prefect_environment import prepare

prepare()
