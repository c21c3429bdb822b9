"""The subcommands of palette, one module each."""
