#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make_golden: the runs that grokd's trainer and measures are held against, in double precision.

    python3 tests/golden/make_golden.py OUTDIR            writes four files for each task
    python3 tests/golden/make_golden.py OUTDIR --compare  ... and compares them with the ones beside this script

Needs python3-torch and python3-numpy; `make test` needs neither, it reads the committed files:

    modular.json              configuration, pairs, every epoch's numbers, measures of the final weights
    modular.safetensors       F64: init/, grad/ (of the first batch) and final/ with state-dict names, Fisher diagonals
    modular_data.safetensors  I32 [N,2]: train_pairs, test_pairs, as grokd-train --data reads them
    modular_steps.safetensors F64 [parameters], state-dict order: last and previous, the steps that full_metric is of
    ising.json, ising.safetensors   the same of phases of the Ising model; data are its snapshots
    ising_data.safetensors    train_spins, test_spins I8 [N,256], ..._labels I32, ..._temperatures F64

Everything is done the obvious way, with autograd where grokd has a closed form: small network, few
samples, no cleverness. The task, the network, the measures: arXiv 2502.01739. Information geometry of
predictions: arXiv 2305.01604.
"""
import json
import math
import os
import struct
import sys

import numpy as np
import torch
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

CONFIGS = dict(
    modular=dict(p=43, hidden=128, train_fraction=0.8, batch_size=32, learning_rate=5e-3, weight_decay=1e-4,
                 weight_multiplier=0.5, epochs=60, seed=3, fisher_samples=16, pruning_points=21),
    ising=dict(train_size=150, test_size=120, batch_size=150, learning_rate=2e-3, weight_decay=0.02,
               weight_multiplier=1.5, epochs=150, seed=5, fisher_samples=16, pruning_points=21))
LATTICE, FLIPS = 16, 5000
VARIANTS = ("regression", "classification")


# ---- the tasks and their networks --------------------------------------------------------------


def split_pairs(cfg):
    """All P*P pairs in a random order; the first N - floor(N (1 - share)) are for training."""
    p = cfg["p"]
    code = np.random.RandomState(cfg["seed"]).permutation(p * p)
    n_test = math.floor(p * p * (1 - cfg["train_fraction"]) + 1e-9)
    pairs = np.stack(np.divmod(code, p), axis=1)
    return pairs[: p * p - n_test], pairs[p * p - n_test:]


def encode(pairs, p):
    a, b = torch.as_tensor(pairs).T
    return torch.cat([F.one_hot(a, p), F.one_hot(b, p)], 1).double(), (a + b) % p


def make_network(cfg):
    net = torch.nn.Sequential(torch.nn.Linear(2 * cfg["p"], cfg["hidden"]), torch.nn.ReLU(),
                              torch.nn.Linear(cfg["hidden"], cfg["p"]))
    for layer in (net[0], net[2]):
        torch.nn.init.xavier_normal_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    return net


def modular(cfg):
    train, test = split_pairs(cfg)
    data = dict(train_pairs=train.tolist(), test_pairs=test.tolist())
    files = {k: ("I32", "<i4", v) for k, v in data.items()}
    train, test = encode(train, cfg["p"]), encode(test, cfg["p"])
    every = tuple(torch.cat(two) for two in zip(train, test))

    def learned(net):
        w_in, w_out, p = net[0].weight.detach(), net[2].weight.detach(), cfg["p"]
        return dict(fourier=dict(U=participation(w_in[:, :p]), V=participation(w_in[:, p:]), W=participation(w_out.T)))

    return make_network(cfg), train, test, every, data, files, learned


def glauber(temperature, rng):
    """A periodic lattice from a random start: single spins, drawn at random, are flipped by Glauber's rule."""
    spins = rng.choice([-1, 1], size=(LATTICE, LATTICE))
    sites, draws = rng.randint(0, LATTICE, size=(FLIPS, 2)), rng.random_sample(FLIPS)
    for (i, j), draw in zip(sites, draws):
        field = spins[i - 1, j] + spins[(i + 1) % LATTICE, j] + spins[i, j - 1] + spins[i, (j + 1) % LATTICE]
        if draw * (1 + math.exp(2 * spins[i, j] * field / temperature)) < 1:
            spins[i, j] *= -1
    return spins


def ising(cfg):
    rng = np.random.RandomState(cfg["seed"])
    critical = 2 / math.log(1 + math.sqrt(2))
    count = cfg["train_size"] + cfg["test_size"]
    temperature = critical - 1 + 2 * rng.random_sample(count)
    spins = np.stack([glauber(t, rng) for t in temperature])
    label = (temperature > critical).astype(int)
    bonds = spins * np.roll(spins, -1, 1) + spins * np.roll(spins, -1, 2)
    physics = dict(energy=-bonds.mean((1, 2)) / 2, magnetization=spins.mean((1, 2)))
    sets, data, files = [], {}, {}
    for name, part in (("train", slice(0, cfg["train_size"])), ("test", slice(cfg["train_size"], count))):
        flat = spins[part].reshape(-1, LATTICE * LATTICE)
        data[name] = dict(spins=flat.tolist(), temperature=temperature[part].tolist(),
                          **{k: v[part].tolist() for k, v in physics.items()})
        files.update({f"{name}_spins": ("I8", "i1", flat), f"{name}_labels": ("I32", "<i4", label[part]),
                      f"{name}_temperatures": ("F64", "<f8", temperature[part])})
        sets.append((torch.tensor(spins[part]).double().unsqueeze(1), torch.tensor(label[part])))
    nn = torch.nn
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 4, 3, padding=1),
                        nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 2))
    return net, *sets, sets[1], data, files, lambda net: dict(features=correlations(net, sets[1][0], data["test"]))


def theta(net):
    return torch.nn.utils.parameters_to_vector(net.parameters()).detach().clone()


def tensors_of(net, prefix, value=lambda q: q):
    return {f"{prefix}/model.{k}": value(q).detach().clone() for k, q in net.named_parameters()}


@torch.no_grad()
def score(net, x, y):
    """Mean cross-entropy and share of right answers."""
    logits = net(x)
    return F.cross_entropy(logits, y).item(), (logits.argmax(1) == y).double().mean().item()


# ---- information geometry ----------------------------------------------------------------------


def logit_jacobians(net, x):
    """For each sample: d logit_c / d theta [C, number of parameters] and its probabilities [C]."""
    for sample in x:
        logits = net(sample[None])[0]
        rows = torch.autograd.grad(logits, list(net.parameters()), torch.eye(len(logits)), is_grads_batched=True)
        yield torch.cat([r.flatten(1) for r in rows], 1), logits.detach().softmax(0)


def fisher_diagonals(net, x):
    """E sum_c (d logit_c)^2 and E sum_c p_c (d log p_c)^2, one entry a parameter."""
    diagonal = {v: 0 for v in VARIANTS}
    for jac, prob in logit_jacobians(net, x):
        diagonal["regression"] = diagonal["regression"] + jac.square().sum(0) / len(x)
        centred = jac - prob @ jac
        diagonal["classification"] = diagonal["classification"] + prob @ centred.square() / len(x)
    return diagonal


def full_products(net, x, pairs):
    """u' F v with the undiagonal metric, {name: {variant: value}}."""
    out = {name: {v: 0.0 for v in VARIANTS} for name in pairs}
    for jac, prob in logit_jacobians(net, x):
        for name, (u, v) in pairs.items():
            ju, jv = jac @ u, jac @ v
            out[name]["regression"] += (ju @ jv).item() / len(x)
            out[name]["classification"] += ((prob * ju) @ jv - (prob @ ju) * (prob @ jv)).item() / len(x)
    return out


def geometry(step, before, origin, metric):
    """Length of a step in a diagonal metric, its cosines with -origin and with the step before (or None)."""
    def dot(a, b):
        return torch.sum(metric * a * b).item()

    length = math.sqrt(dot(step, step))
    row = dict(step=length, cos_origin=dot(step, -origin) / (length * math.sqrt(dot(origin, origin))))
    if before is not None:
        row["cos_previous"] = dot(step, before) / (length * math.sqrt(dot(before, before)))
    return row


def root_p(net, x):
    with torch.no_grad():
        return net(x).softmax(1).sqrt()


def angle(a, b):
    """Angle between unit vectors, sample by sample, from the chord: exact for small ones."""
    return 2 * torch.asin(torch.clamp((a - b).norm(dim=1) / 2, max=1.0))


def fisher_rao(a, b):
    return (2 * angle(a, b)).square().mean().sqrt().item()


def turn(a, b, c):
    """Cosine at b of the road a -> b -> c on the product of spheres; +1 on a geodesic."""
    back, ahead, across = angle(a, b), angle(b, c), angle(a, c)
    stretch = [torch.where(t > 1e-12, t / t.sin(), torch.ones_like(t)) for t in (back, ahead)]
    inner = stretch[0] * stretch[1] * (across.cos() - back.cos() * ahead.cos())
    return (-inner.sum() / (back.square().sum() * ahead.square().sum()).sqrt()).item()


def landmarks(psi, y):
    """Where predictions stand between ignorance (uniform) and truth (one class), and how far along."""
    classes = psi.shape[1]
    places = dict(ignorance=torch.full_like(psi, classes ** -0.5), truth=F.one_hot(y, classes).double())
    out = {}
    for name, place in places.items():
        overlap = torch.clamp((psi * place).sum(1), max=1.0)
        out[name] = dict(overlap=overlap.mean().item(), bhattacharyya=-overlap.clamp_min(1e-300).log().mean().item(),
                         fisher_rao2=(2 * angle(psi, place)).square().mean().item(),
                         hellinger2=2 - 2 * overlap.mean().item())
    whole = math.acos(classes ** -0.5)
    slope = (out["truth"]["overlap"] / out["ignorance"]["overlap"] - math.cos(whole)) / math.sin(whole)
    out["progress"] = math.atan(slope) / whole
    return out


# ---- measures of the weights -------------------------------------------------------------------


def smallest(keys, count):
    """Indices of the `count` smallest keys; of equal ones the first."""
    return np.argsort(keys, kind="stable")[:count]


def pruned_curve(net, x, y, points, groups):
    """groups: list of (parameters pruned together, their keys). Accuracy, loss and area over the fraction."""
    kept = theta(net)
    accuracy, loss = [], []
    for i in range(points):
        torch.nn.utils.vector_to_parameters(kept.clone(), net.parameters())
        for params, keys in groups:
            joined = torch.cat([q.detach().flatten() for q in params])
            joined[smallest(keys, round(i / (points - 1) * len(keys)))] = 0  # round: half to even
            for q, piece in zip(params, joined.split([q.numel() for q in params])):
                q.data.copy_(piece.view_as(q))
        one_loss, one_accuracy = score(net, x, y)
        loss.append(one_loss)
        accuracy.append(one_accuracy)
    torch.nn.utils.vector_to_parameters(kept, net.parameters())
    area = sum((a + b) / 2 for a, b in zip(accuracy, accuracy[1:])) / (points - 1)
    return dict(accuracy=accuracy, loss=loss, area=area, compressibility=1 / (1 - area) if area < 1 else None)


def pruning(net, x, y, points, fisher):
    matrices = [q for q in net.parameters() if q.dim() > 1]
    size = [q.detach().abs().flatten().numpy() for q in matrices]
    schemes = {"layer": [([q], s) for q, s in zip(matrices, size)],
               "global": [(matrices, np.concatenate(size))],
               "global_normalised": [(matrices, np.concatenate([s / np.linalg.norm(s) for s in size]))]}
    for i, (q, s) in enumerate(zip(matrices, size)):
        schemes[f"only_{i}"] = [([q], s)]
    schemes["fisher"] = [(list(net.parameters()), fisher.numpy())]
    return {name: pruned_curve(net, x, y, points, groups) for name, groups in schemes.items()}


def participation(signals):
    """Mean over rows of sum |c|^4 / (sum |c|^2)^2 for the Fourier coefficients c of each row [n, P]."""
    def mean_ratio(power):
        return (power.square().sum(1) / power.sum(1).square()).mean().item()

    p = signals.shape[1]
    whole, half = torch.fft.fft(signals), torch.fft.rfft(signals)
    # An orthonormal real basis: the constant, then sqrt(2) times real and imaginary part of each frequency.
    real = torch.cat([half.real[:, :1], math.sqrt(2) * half.real[:, 1:], math.sqrt(2) * half.imag[:, 1:]], 1) / math.sqrt(p)
    return dict(real=mean_ratio(real.square()), complex=mean_ratio(whole.abs().square()), rfft=mean_ratio(half.abs().square()))


@torch.no_grad()
def correlations(net, x, physics):
    """Of the pre-activations of the hidden layers with energy, M and |M|: mean |r|, plain and by mean activation."""
    energy, m = torch.tensor(physics["energy"]), torch.tensor(physics["magnetization"])
    out = {}
    for place, name in ((0, "conv1"), (3, "conv2"), (7, "fc1")):
        z = net[: place + 1](x).flatten(1)
        share, out[name] = z.abs().sum(0) / z.abs().sum(), {}
        for quantity, q in (("energy", energy), ("magnetization", m), ("abs_magnetization", m.abs())):
            both = torch.corrcoef(torch.cat([q[None], z.T]))[0, 1:]
            r = torch.where(z.std(0) > 0, both, torch.zeros_like(both)).abs()
            out[name][quantity] = dict(mean=r.mean().item(), weighted=(share @ r).item())
    return out


def gini(values):
    v, n = values.abs().sort()[0], len(values)
    return (((2 * torch.arange(n) + 1 - n) * v).sum() / (n * v.sum())).item()


# ---- the run -----------------------------------------------------------------------------------


def train_epoch(net, optimizer, x, y, batch):
    """One pass in the order of the split; sums of loss and hits while training, over the sample count."""
    loss_sum, hits = 0.0, 0
    for bx, by in zip(x.split(batch), y.split(batch)):
        optimizer.zero_grad()
        logits = net(bx)
        loss = F.cross_entropy(logits, by)
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(bx)
        hits += (logits.argmax(1) == by).sum().item()
    return dict(running_train_loss=loss_sum / len(x), running_train_accuracy=hits / len(x))


def end_of_epoch(net, epoch, train, test, psi, truth):
    names = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
    row = dict(epoch=epoch, **dict(zip(names, score(net, *train) + score(net, *test))))
    row.update(weight_norm=theta(net).norm().item(), landmarks=landmarks(psi, truth))
    return row


def run(name):
    cfg = CONFIGS[name]
    torch.manual_seed(cfg["seed"])
    net, train, test, (every_x, every_y), data, files, learned = globals()[name](cfg)
    with torch.no_grad():
        for q in net.parameters():
            q.mul_(cfg["weight_multiplier"])
    tensors = tensors_of(net, "init")

    # Coupled L2, which is what torch calls Adam with weight_decay.
    optimizer = torch.optim.Adam(net.parameters(), lr=cfg["learning_rate"], weight_decay=cfg["weight_decay"])
    F.cross_entropy(net(train[0][: cfg["batch_size"]]), train[1][: cfg["batch_size"]]).backward()
    tensors.update(tensors_of(net, "grad", lambda q: q.grad))

    sampled = test[0][: cfg["fisher_samples"]]
    road, psi, metric = [theta(net)], [root_p(net, every_x)], fisher_diagonals(net, sampled)
    rows = [end_of_epoch(net, 0, train, test, psi[0], every_y)]
    for epoch in range(1, cfg["epochs"] + 1):
        running = train_epoch(net, optimizer, *train, cfg["batch_size"])
        road.append(theta(net))
        psi.append(root_p(net, every_x))
        row = end_of_epoch(net, epoch, train, test, psi[-1], every_y)
        step, before = road[-1] - road[-2], road[-2] - road[-3] if epoch > 1 else None
        metrics = dict(metric, euclidean=torch.ones_like(step))
        row.update(running, geometry_diagonal={k: geometry(step, before, road[-2], m) for k, m in metrics.items()},
                   fisher_rao_step=fisher_rao(psi[-2], psi[-1]), fisher_rao_from_start=fisher_rao(psi[0], psi[-1]))
        if epoch > 1:
            row["fisher_rao_cos_previous"] = turn(*psi[-3:])
        rows.append(row)
        metric = fisher_diagonals(net, sampled)

    last, before = road[-1] - road[-2], road[-2] - road[-3]
    pairs = {"last.last": (last, last), "last.previous": (last, before), "last.theta": (last, road[-1])}
    final = dict(full_metric=full_products(net, sampled, pairs), gini_weights=gini(road[-1]),
                 gini_fisher_regression=gini(metric["regression"]),
                 pruning=pruning(net, *test, cfg["pruning_points"], metric["regression"]), **learned(net))
    tensors.update(tensors_of(net, "final"))
    tensors.update({f"fisher_{v}": metric[v] for v in VARIANTS})
    steps = dict(last=("F64", "<f8", last.numpy()), previous=("F64", "<f8", before.numpy()))
    return dict(task=name, config=cfg, data=data, epochs=rows, final=final), tensors, files, steps


# ---- files -------------------------------------------------------------------------------------


def write_safetensors(path, entries, meta):
    """entries: {name: (kind, dtype, array)}"""
    header, end = {"__metadata__": meta}, 0
    arrays = {k: np.ascontiguousarray(v, dtype) for k, (_, dtype, v) in entries.items()}
    for name, a in arrays.items():
        header[name] = dict(dtype=entries[name][0], shape=list(a.shape), data_offsets=[end, end + a.nbytes])
        end += a.nbytes
    text = json.dumps(header).encode()
    text = text.ljust(-(-len(text) // 8) * 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(a.tobytes() for a in arrays.values()))


def read_safetensors(path):
    with open(path, "rb") as f:
        size, = struct.unpack("<Q", f.read(8))
        header, body = json.loads(f.read(size)), f.read()
    kinds = dict(F64="<f8", I32="<i4", I8="i1")
    return {k: np.frombuffer(body[slice(*v["data_offsets"])], kinds[v["dtype"]]).reshape(v["shape"])
            for k, v in header.items() if k != "__metadata__"}


def differences(ours, theirs, where=""):
    """Yields (where, relative difference); a missing or additional key is a difference of infinity."""
    if isinstance(theirs, dict):
        for k in sorted(set(ours) | set(theirs)):
            yield from differences(ours[k], theirs[k], f"{where}/{k}") if k in ours and k in theirs else [(f"{where}/{k}", math.inf)]
    elif isinstance(theirs, (list, np.ndarray)) and len(theirs) and isinstance(theirs[0], dict):
        for i, (a, b) in enumerate(zip(ours, theirs)):
            yield from differences(a, b, f"{where}/{i}")
    elif isinstance(theirs, str) or theirs is None:
        yield where, 0.0 if ours == theirs else math.inf
    else:
        a, b = np.asarray(ours, float), np.asarray(theirs, float)
        scale = max(np.abs(b).max(initial=0), 1e-300)
        yield where, float(np.abs(a - b).max(initial=0) / scale) if a.shape == b.shape else math.inf


def compare(out, kept):
    worst = []
    for name in (task + end for task in CONFIGS for end in (".safetensors", "_data.safetensors", "_steps.safetensors", ".json")):
        load = (lambda path: json.load(open(path))) if name.endswith("json") else read_safetensors
        found = list(differences(load(os.path.join(out, name)), load(os.path.join(kept, name)), name))
        worst += found
        print(f"{name}: {len(found)} entries, largest relative difference %.3g at %s" % max((d, w) for w, d in found))
    return max(d for _, d in worst) < 1e-6


def main(argv):
    if len(argv) < 2:
        sys.exit(__doc__)
    out = argv[1]
    os.makedirs(out, exist_ok=True)
    for name in CONFIGS:
        doc, tensors, files, steps = run(name)
        path, meta = os.path.join(out, name), dict(task=name, name=name)
        with open(path + ".json", "w") as f:
            json.dump(doc, f, separators=(",", ":"))
        write_safetensors(path + ".safetensors", {k: ("F64", "<f8", t.numpy()) for k, t in tensors.items()}, meta)
        write_safetensors(path + "_data.safetensors", files, meta)
        write_safetensors(path + "_steps.safetensors", steps, meta)
    if "--compare" in argv and not compare(out, os.path.dirname(os.path.abspath(__file__))):
        sys.exit("the files differ from the committed ones")


if __name__ == "__main__":
    main(sys.argv)
