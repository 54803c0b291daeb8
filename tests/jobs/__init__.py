"""An installed app whose callables the tests run as tasks."""
