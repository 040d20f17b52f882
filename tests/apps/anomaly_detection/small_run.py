"""A finished run of a small detector with large random weights."""

from apps.anomaly_detection import trained_model
from apps.suite.runs import run_folder
from tests.apps.anomaly_detection import small_model

WITHOUT_DRAWS = {"model": {"dropout": 0.0}, "training": {"hidden_fraction": 0.0}}


def write(folder, trained=None):
    """Makes `folder` a finished run of a detector, the small forecaster unless another is given."""
    trained = trained or small_model.trained(**small_model.KINDS["forecaster"])
    data = {"name": "small", "fingerprint": "0"}
    with run_folder.start(folder, "anomaly_detection", trained.config, data) as run:
        trained.network.save(run.model_file)
        trained_model.write(run, trained)
        run.finish_training(1.0)
        run.write_metrics({})
