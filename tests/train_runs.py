"""Trains really different scikit-learn models and logs them with MLflow's own client; run by MLflow's own Python.

python train_runs.py URL       trains and logs at least 30 runs
python train_runs.py URL truth prints what MLflow's client says of them, as JSON
"""

import json
import math
import sys
import warnings

import mlflow
import numpy as np
from mlflow.tracking import MlflowClient
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import recall_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

EXPERIMENT, METRIC, RUNS, EPOCHS = "churn-models", "val_recall", 32, 6


def train() -> None:
    """One run a regularisation and seed: six epochs of a linear classifier, a small part of the classes seen."""
    mlflow.set_experiment(EXPERIMENT)
    x, y = load_breast_cancer(return_X_y=True)
    for index in range(RUNS):
        fit_x, test_x, fit_y, test_y = train_test_split(x, 1 - y, test_size=0.4, random_state=index)
        scale = StandardScaler().fit(fit_x)
        model = SGDClassifier(loss="log_loss", alpha=10 ** -(1 + index % 5), random_state=index, eta0=0.01)
        prod = index % 8 == 7
        tags = {"scrumbut.experiment": "EXP-1" if index % 2 == 0 else "EXP-2"} if index % 4 != 3 else {}
        tags |= {"jira.issue": "ML-1"} if index % 4 == 3 else {}
        tags |= {"scrumbut.environment": "prod"} if prod else {}
        with mlflow.start_run(run_name=f"sgd-{index}", tags=tags):
            for step in range(EPOCHS):
                batch = slice(step * 20, step * 20 + 60)
                model.partial_fit(scale.transform(fit_x[batch]), fit_y[batch], classes=[0, 1])
                mlflow.log_metric(METRIC, recall_score(test_y, model.predict(scale.transform(test_x))), step=step)
    with mlflow.start_run(run_name="diverged", tags={"scrumbut.experiment": "EXP-1"}):
        weights, rate = np.ones(x.shape[1]), 1e200
        for step in range(3):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                weights = weights * rate * rate - weights * rate * rate
            mlflow.log_metric(METRIC, float(weights.mean()), step=step)


def truth() -> dict[str, dict[str, object]]:
    """By run id: the best, last and mean of its finite values, its number of points, and its tags."""
    client = MlflowClient()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    found = {}
    for run in client.search_runs([experiment.experiment_id], max_results=1000):
        values = [point.value for point in client.get_metric_history(run.info.run_id, METRIC)]
        finite = [value for value in values if math.isfinite(value)]
        found[run.info.run_id] = {
            "best": max(finite, default=None),
            "mean": sum(finite) / len(finite) if finite else None,
            "last": run.data.metrics[METRIC] if finite else None,
            "points": len(values),
            "environment": run.data.tags.get("scrumbut.environment", "dev"),
            "tag": run.data.tags.get("scrumbut.experiment") or run.data.tags.get("jira.issue", ""),
        }
    return found


if __name__ == "__main__":
    mlflow.set_tracking_uri(sys.argv[1])
    if sys.argv[2:] == ["truth"]:
        print(json.dumps(truth()))
    else:
        train()
