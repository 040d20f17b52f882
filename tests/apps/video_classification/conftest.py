"""Finished runs and their exports, made once for all tests that only read them."""

from tests.apps import exported_runs

run = exported_runs.run_of("video_classification")
exported = exported_runs.export_of("video_classification")
# Of a model that answers at every frame
streaming_run = exported_runs.run_of("video_classification", per_frame=True)
exported_stream = exported_runs.export_of("video_classification", "streaming_run")
