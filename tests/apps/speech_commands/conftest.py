"""A finished run and its export, made once for all tests that only read them."""

from tests.apps import exported_runs

run = exported_runs.run_of("speech_commands")
exported = exported_runs.export_of("speech_commands")
