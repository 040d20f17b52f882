"""Load on served models: `python benchmarks/serving.py exports`.

Starts the development server on a folder of exports, and asks each model from several clients
(threads of a process beside it) over gRPC for a while, with the first request of its own warm-up
file. Prints latencies, failures, the server's memory before and after, and its throughput as a
ratio of calling the loaded SavedModel in a loop in one thread, both on the same cores, one after
the other. The clients share the cores with the server.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps import serve_check

_LOOP_SECONDS = 10.0
_PREDICT = "/tensorflow.serving.PredictionService/Predict"


class Measured(NamedTuple):
    """One model under load."""

    requests: int
    failures: int
    milliseconds: tuple[float, float, float]  # p50, p95, p99
    requests_per_second: float
    loop_per_second: float
    megabytes: tuple[float, float]  # of the server, after the first second and at the end


def first_request(version: Path):
    """The first warm-up request of `serving_default`."""
    from apps.suite.serving import warmup_requests

    for request in warmup_requests.read(version / warmup_requests.FILE):
        if request.signature == "serving_default":
            return request
    raise SystemExit(f"{version}: no warm-up request for serving_default")


def loop(version: Path, seconds: float) -> float:
    """Requests a second of one thread that calls the SavedModel."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(version))
    ask = loaded.signatures["serving_default"]
    inputs = {name: tf.constant(value) for name, value in first_request(version).inputs.items()}
    for _ in range(3):
        ask(**inputs)
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        {name: value.numpy() for name, value in ask(**inputs).items()}
        count += 1
    return count / (time.perf_counter() - begin)


def _loop_in_process(version, seconds, answers):
    answers.put(loop(version, seconds))


def _clients(address, model, version, count, seconds, ready, answers):
    """Asks from threads until the time is up; puts latencies in seconds, and failures' messages.

    The request is made into bytes once, and the answers are left as bytes, as load generators do:
    the server is measured, and not Python's reading and writing of messages beside it.
    """
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    request, taken, failed = predict_pb2.PredictRequest(), [], []
    request.model_spec.name = model
    request.model_spec.signature_name = "serving_default"
    for name, value in first_request(version).inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    content = request.SerializeToString()

    def ask():
        with grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            predict = channel.unary_unary(_PREDICT)
            predict(content)
            begun.wait()
            while (begin := time.perf_counter()) < end:
                try:
                    predict(content)
                    taken.append(time.perf_counter() - begin)
                except grpc.RpcError as error:
                    failed.append(f"{error.code().name}: {error.details()}")

    begun = threading.Barrier(count + 1)
    end = math.inf
    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    ready.wait()
    end = time.perf_counter() + seconds
    begun.wait()
    for thread in threads:
        thread.join()
    answers.put((taken, failed))


def measure(address: str, server: int, version: Path, clients: int, seconds: float) -> Measured:
    """Loads one model for a while."""
    spawn = multiprocessing.get_context("spawn")
    answers = spawn.Queue()
    alone = spawn.Process(target=_loop_in_process, args=(version, _LOOP_SECONDS, answers))
    alone.start()
    loop_per_second = answers.get()
    alone.join()
    ready = spawn.Barrier(2)
    model = version.parent.name
    arguments = (address, model, version, clients, seconds, ready, answers)
    asking = spawn.Process(target=_clients, args=arguments)
    asking.start()
    ready.wait()
    begin = time.perf_counter()
    time.sleep(1)
    memory = [_megabytes(server)]
    taken, failed = answers.get()
    elapsed = time.perf_counter() - begin
    memory.append(_megabytes(server))
    asking.join()
    for message in sorted(set(failed)):
        print(f"{model}: {message}", file=sys.stderr)
    return Measured(
        len(taken) + len(failed),
        len(failed),
        tuple(np.percentile(taken, (50, 95, 99)) * 1e3),
        len(taken) / elapsed,
        loop_per_second,
        tuple(memory),
    )


def _megabytes(process: int) -> float:
    """Resident memory."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("exports", type=Path, help="folder of models, each a folder of versions")
    parser.add_argument("--clients", type=int, default=8, help="that ask at the same time")
    parser.add_argument("--seconds", type=float, default=60.0, help="of load on each model")
    options = parser.parse_args()
    versions = serve_check.versions(options.exports)
    ports = ["--rest_port", "0", "--grpc_port", "0", "--requests_at_once", str(os.cpu_count())]
    command = [sys.executable, "-m", "apps.serve", "--models", str(options.exports), *ports]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            for line in server.stdout:
                if line.startswith("gRPC at "):
                    address = line.split()[2].removesuffix(";")
                    break
            print(
                f"{options.clients} clients, {options.seconds:g} s each, {os.cpu_count()} cores\n"
            )
            print(
                "| model | requests a second | of a loop over the SavedModel | p50 ms | p95 ms "
                "| p99 ms | requests | failed | memory MB, first second and end |"
            )
            print("|---|---|---|---|---|---|---|---|---|")
            for version in versions:
                each = measure(address, server.pid, version, options.clients, options.seconds)
                half, most, nearly_all = each.milliseconds
                print(
                    f"| {version.parent.name} | {each.requests_per_second:,.0f} "
                    f"| {each.requests_per_second / each.loop_per_second:.2f} | {half:.1f} "
                    f"| {most:.1f} | {nearly_all:.1f} | {each.requests:,} | {each.failures} "
                    f"| {each.megabytes[0]:.0f}, {each.megabytes[1]:.0f} |",
                    flush=True,
                )
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
