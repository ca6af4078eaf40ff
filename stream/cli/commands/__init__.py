"""The commands, one a module: `stream NAME` is `stream.cli.commands.NAME`."""
