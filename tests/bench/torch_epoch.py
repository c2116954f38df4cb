#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""torch_epoch: one epoch of a task of the paper in PyTorch, timed on request.

Started by the benchmark, which pins it to one core. It first writes one line about itself, then for
every line on stdin runs one epoch of the task that is its argument (training pass in batches of 64 in
fixed order, or of all 300 snapshots; then a test pass) and writes its seconds, training loss and test
loss. The obvious PyTorch program at its best: tensors
made once, batches are views, no synchronisation inside the pass, denormals flushed as grokd does.
"""
import ctypes
import os
import sys
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import torch  # noqa: E402

P, HIDDEN, BATCH, N_TEST = 113, 512, 64, 3830
SIDE, N_TRAIN, N_SNAPSHOTS = 16, 300, 1300


def data():
    pair = torch.randperm(P * P)
    a, b = torch.div(pair, P, rounding_mode="floor"), pair % P
    hot = torch.nn.functional.one_hot
    return torch.cat([hot(a, P), hot(b, P)], 1).float(), (a + b) % P


def network():
    net = torch.nn.Sequential(torch.nn.Linear(2 * P, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, P))
    for layer in (net[0], net[2]):
        torch.nn.init.xavier_normal_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    return net


def named(path):
    """A mapped library, with the family of kernels that it chose if it is OpenBLAS."""
    try:
        family = ctypes.CDLL(path).openblas_get_corename
    except AttributeError:
        return path
    family.restype = ctypes.c_char_p
    return f"{path} ({family().decode()})"


def spins():
    """Noise with labels: the time of an epoch does not depend on what the spins are."""
    x = torch.randint(0, 2, (N_SNAPSHOTS, 1, SIDE, SIDE)) * 2 - 1
    return x.float(), torch.arange(N_SNAPSHOTS) % 2


def convolutional():
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(SIDE * SIDE // 4, 100), nn.ReLU(), nn.Linear(100, 2))


def blas():
    """The libraries of linear algebra that this process has mapped, and the kernels they chose."""
    with open("/proc/self/maps") as maps:
        paths = {line.split()[-1] for line in maps if "libopenblas" in line or "mkl" in line}
    kernels = torch.__config__.show().split("CPU capability usage: ")[-1].split("\n")[0]
    return f"{' '.join(map(named, sorted(paths))) or 'built in'}, torch kernels {kernels}"


def main():
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    loss_of = torch.nn.CrossEntropyLoss()
    if sys.argv[1] == "ising":
        (x, y), n_train, batch, net = spins(), N_TRAIN, N_TRAIN, convolutional()
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-4, weight_decay=0.1)
    else:
        (x, y), n_train, batch, net = data(), P * P - N_TEST, BATCH, network()
        optimizer = torch.optim.Adam(net.parameters(), lr=5e-3, weight_decay=3e-5)

    def epoch():
        total, hits = torch.zeros(()), torch.zeros((), dtype=torch.long)
        for bx, by in zip(x[:n_train].split(batch), y[:n_train].split(batch)):
            optimizer.zero_grad()
            logits = net(bx)
            loss = loss_of(logits, by)
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(bx)
            hits += (logits.detach().argmax(1) == by).sum()
        with torch.no_grad():
            logits = net(x[n_train:])
            test = loss_of(logits, y[n_train:])
            right = (logits.argmax(1) == y[n_train:]).sum()
        return total.item() / n_train, hits.item(), test.item(), right.item()

    print(f"torch {torch.__version__}, BLAS {blas()}", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        train_loss, _, test_loss, _ = epoch()
        print(f"{time.perf_counter() - start:.9f} {train_loss:.6f} {test_loss:.6f}", flush=True)


main()
