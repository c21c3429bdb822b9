"""What runs: the palette command, Prefect flows, reports."""
