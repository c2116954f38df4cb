#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make_options: short runs with every loss, activation, optimizer and gradient filter, in double precision.

    python3 tests/golden/make_options.py OUTDIR            writes options.safetensors
    python3 tests/golden/make_options.py OUTDIR --compare  ... and compares it with the one beside this script

Needs python3-torch and python3-numpy; `make test` reads the committed file. In it, all F64 but the data:

    train_pairs, test_pairs, train_spins, ...   the data, as grokd-train --data reads them
    TASK/settings                               name=value settings of all runs of a task, as text (I8)
    TASK/model.0.weight ...                     the weights that they start from
    TASK/SETTINGS/losses [2,epochs]             of a run with these settings on top: training and test loss
    TASK/SETTINGS/model.0.weight ...            its weights at the end

torch.nn and torch.optim do what they have. Written out here are only StableMax and the orthogonal gradient (arXiv
2501.04697) and Grokfast (arXiv 2405.20233).
"""
import os
import sys
from collections import deque

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from make_golden import differences, read_safetensors, write_safetensors

P, EPOCHS, LATTICE = 7, 6, 4
BASE = dict(modular_addition=f"modulus={P} hidden=10 batch_size=8 epochs={EPOCHS} learning_rate=0.02 weight_decay=0",
            ising=f"task=ising lattice={LATTICE} hidden=6 batch_size=5 epochs={EPOCHS} learning_rate=0.02 weight_decay=0")
MODULAR = """loss=mse
loss=stablemax
activation=square
activation=square loss=mse
operation=subtraction
operation=x2_plus_y2
weight_decay=0.1
optimizer=adamw weight_decay=0.5
optimizer=adamw weight_decay=0.5 beta1=0.8 beta2=0.95 epsilon=0.001
optimizer=sgd weight_decay=0.01
optimizer=sgd weight_decay=0.01 momentum=0.9
gradient_filter=grokfast_ema
gradient_filter=grokfast_ema grokfast_alpha=0.9 grokfast_lambda=0.5 optimizer=sgd
gradient_filter=grokfast_ma grokfast_window=5
gradient_filter=grokfast_ma grokfast_window=3 grokfast_lambda=2 optimizer=sgd momentum=0.5
orthogonal_gradient=true
orthogonal_gradient=true optimizer=sgd
orthogonal_gradient=true loss=stablemax optimizer=adamw weight_decay=0.1
gradient_filter=grokfast_ema orthogonal_gradient=true optimizer=sgd""".split("\n")
ISING = ["loss=mse optimizer=sgd momentum=0.9", "loss=stablemax optimizer=adamw", "activation=square weight_decay=0.01",
         "gradient_filter=grokfast_ema orthogonal_gradient=true"]
LABELS = dict(addition=lambda a, b: a + b, subtraction=lambda a, b: a - b, x2_plus_y2=lambda a, b: a * a + b * b)


class Square(nn.Module):
    def forward(self, x):
        return x * x


def network(task, activation):
    if task == "modular_addition":
        return nn.Sequential(nn.Linear(2 * P, 10), activation(), nn.Linear(10, P))
    return nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), activation(), nn.MaxPool2d(2),
                         nn.Conv2d(2, 4, 3, padding=1), activation(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(LATTICE * LATTICE // 4, 6), activation(), nn.Linear(6, 2))


def make_data(rng):
    order = np.stack(np.divmod(rng.permutation(P * P), P), 1)
    spins = rng.choice([-1, 1], size=(20, LATTICE * LATTICE))
    labels = rng.randint(0, 2, 20)
    return dict(train_pairs=("I32", "<i4", order[:30]), test_pairs=("I32", "<i4", order[30:]),
                train_spins=("I8", "i1", spins[:12]), test_spins=("I8", "i1", spins[12:]),
                train_labels=("I32", "<i4", labels[:12]), test_labels=("I32", "<i4", labels[12:]))


def inputs(data, name, options):
    if options["task"] == "ising":
        x = torch.tensor(data[name + "_spins"][2]).double().reshape(-1, 1, LATTICE, LATTICE)
        return x, torch.tensor(data[name + "_labels"][2])
    a, b = torch.tensor(data[name + "_pairs"][2]).T
    return torch.cat([F.one_hot(a, P), F.one_hot(b, P)], 1).double(), LABELS[options.get("operation", "addition")](a, b) % P


def stablemax(z, y):
    s = torch.where(z >= 0, z + 1, 1 / (1 - z.clamp(max=0)))
    return -torch.log(s[range(len(y)), y] / s.sum(1)).mean()


LOSSES = dict(cross_entropy=F.cross_entropy, stablemax=stablemax,
              mse=lambda z, y: F.mse_loss(z, F.one_hot(y, z.shape[1]).double()))


def make_optimizer(net, o):
    rate, decay = float(o["learning_rate"]), float(o.get("weight_decay", 0))
    if o.get("optimizer") == "sgd":
        return torch.optim.SGD(net.parameters(), lr=rate, momentum=float(o.get("momentum", 0)), weight_decay=decay)
    kind = torch.optim.AdamW if o.get("optimizer") == "adamw" else torch.optim.Adam
    return kind(net.parameters(), lr=rate, weight_decay=decay, eps=float(o.get("epsilon", 1e-8)),
                betas=(float(o.get("beta1", 0.9)), float(o.get("beta2", 0.999))))


def make_filter(o):
    """What becomes of the gradients of a step, a list of tensors with their weights."""
    alpha, window = float(o.get("grokfast_alpha", 0.98)), int(o.get("grokfast_window", 100))
    kind, state = o.get("gradient_filter"), {}
    weight = float(o.get("grokfast_lambda", 2 if kind == "grokfast_ema" else 5))

    def apply(parameters):
        for i, w in enumerate(parameters):
            if kind == "grokfast_ema":
                state[i] = alpha * state[i] + (1 - alpha) * w.grad if i in state else w.grad.clone()
                w.grad += weight * state[i]
            if kind == "grokfast_ma":
                past = state.setdefault(i, deque(maxlen=window))
                past.append(w.grad.clone())
                if len(past) == window:
                    w.grad += weight * sum(past) / window
            if o.get("orthogonal_gradient"):
                h = w.grad - (w.grad * w.data).sum() / ((w.data ** 2).sum() + 1e-30) * w.data
                w.grad = h * w.grad.norm() / (h.norm() + 1e-30)
    return apply


def run(settings, data, start):
    o = dict([("task", "modular_addition")] + [s.split("=") for s in settings.split()])
    net = network(o["task"], Square if o.get("activation") == "square" else nn.ReLU)
    for w, first in zip(net.parameters(), start[o["task"]]):
        w.data = torch.tensor(first)
    loss, optimizer, gradient_filter = LOSSES[o.get("loss", "cross_entropy")], make_optimizer(net, o), make_filter(o)
    train, test, batch, losses = inputs(data, "train", o), inputs(data, "test", o), int(o["batch_size"]), [[], []]
    for _ in range(EPOCHS):
        total = 0
        for at in range(0, len(train[1]), batch):
            x, y = train[0][at:at + batch], train[1][at:at + batch]
            optimizer.zero_grad()
            value = loss(net(x), y)
            value.backward()
            gradient_filter(list(net.parameters()))
            optimizer.step()
            total += float(value) * len(y) / len(train[1])
        losses[0].append(total)
        losses[1].append(float(loss(net(test[0]), test[1])))
    return losses, net


def names(net):
    return [f"model.{k}" for k in net.state_dict()]


def main(argv):
    torch.manual_seed(4)
    data = make_data(np.random.RandomState(6))
    entries, start = dict(data), {}
    for task in BASE:
        net = network(task, nn.ReLU)
        entries[f"{task}/settings"] = ("I8", "i1", list(BASE[task].encode()))
        start[task] = [w.detach().numpy().astype(np.float32).astype(float) for w in net.parameters()]
        entries.update({f"{task}/{name}": ("F64", "<f8", w) for name, w in zip(names(net), start[task])})
    for task, cases in (("modular_addition", MODULAR), ("ising", ISING)):
        for case in cases:
            losses, net = run(f"{BASE[task]} {case}", data, start)
            entries[f"{task}/{case}/losses"] = ("F64", "<f8", losses)
            entries.update({f"{task}/{case}/{name}": ("F64", "<f8", w.detach().numpy())
                            for name, w in zip(names(net), net.parameters())})
    os.makedirs(argv[1], exist_ok=True)
    path = os.path.join(argv[1], "options.safetensors")
    write_safetensors(path, entries, dict(torch=torch.__version__))
    if "--compare" in argv:
        kept = read_safetensors(os.path.join(os.path.dirname(os.path.abspath(__file__)), "options.safetensors"))
        worst = max(differences(read_safetensors(path), kept), key=lambda d: d[1])
        print("greatest relative difference %.3g at %s" % (worst[1], worst[0]))
        sys.exit(worst[1] > 1e-9)


if __name__ == "__main__":
    main(sys.argv)
