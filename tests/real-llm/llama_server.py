#!/usr/bin/env python3
"""llama.cpp's own HTTP server (OpenAI API) on a GGUF file, from the PyPI wheel `xllamacpp`.

  python llama_server.py tiny.gguf [--port 0] [--parallel 4] [--api-key KEY]

Prints one line of JSON once it serves: {"url": ..., "ready_s": ..., "pid": ...}. Ends with the thread
that started it, however that one ends (prctl(2), PR_SET_PDEATHSIG).
"""
import argparse, ctypes, json, os, signal, threading, time

# A test that is killed takes its server with it.
ctypes.CDLL(None).prctl(1, signal.SIGKILL)

ap = argparse.ArgumentParser()
ap.add_argument("model")
ap.add_argument("--host", default="127.0.0.1")
ap.add_argument("--port", type=int, default=0)
ap.add_argument("--parallel", type=int, default=4)
ap.add_argument("--context", type=int, default=0, help="for all slots together; 0: 8192 each")
ap.add_argument("--alias", default="tiny-random-qwen3")
ap.add_argument("--api-key")
a = ap.parse_args()

t0 = time.monotonic()
import xllamacpp as x

p = x.CommonParams()
p.model.path = a.model
p.model_alias = {a.alias}
p.hostnames = [a.host]
p.port = a.port
p.n_ctx = a.context or 8192 * a.parallel
p.n_parallel = a.parallel
p.n_gpu_layers = 0
p.cpuparams.n_threads = 1
p.cpuparams_batch.n_threads = 1
p.n_threads_http = 4
p.endpoint_metrics = True
p.use_jinja = True
p.warmup = False
p.offline = True
p.verbosity = 1
if a.api_key:
    p.api_keys = [a.api_key]
server = x.Server(p)
print(json.dumps({"url": server.listening_address, "ready_s": round(time.monotonic() - t0, 3),
                  "pid": os.getpid()}), flush=True)
stop = threading.Event()
for s in (signal.SIGINT, signal.SIGTERM):
    signal.signal(s, lambda *_: stop.set())
stop.wait()
os._exit(0)
