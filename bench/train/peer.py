"""The peer of bench/train.ts: pix2pix as people train it, PyTorch eager, the reference's networks and order of steps.

U-Net of 8 halvings and 70 x 70 PatchGAN of Isola et al. 2017 with the reference's defaults; batch norm, dropout, Adam.
One JSON line asked, one answered. Arguments: the number of threads; the device, cpu where none is given.
"""
import json
import sys
import time

import torch
from torch import nn

torch.set_num_threads(int(sys.argv[1]))
DEVICE = sys.argv[2] if len(sys.argv) > 2 else "cpu"
print(json.dumps({"name": f"PyTorch {torch.__version__}, Python {sys.version.split()[0]}"}), flush=True)


class Level(nn.Module):
    """One halving and doubling around what lies deeper."""

    def __init__(self, outside, inside, inner=None, channels_in=None, outermost=False, dropout=False):
        super().__init__()
        self.outermost = outermost
        down = nn.Conv2d(channels_in or outside, inside, 4, 2, 1, bias=False)
        up = nn.ConvTranspose2d(inside if inner is None else 2 * inside, outside, 4, 2, 1, bias=outermost)
        if outermost:
            layers = [down, inner, nn.ReLU(True), up, nn.Tanh()]
        elif inner is None:
            layers = [nn.LeakyReLU(0.2, True), down, nn.ReLU(True), up, nn.BatchNorm2d(outside)]
        else:
            layers = [nn.LeakyReLU(0.2, True), down, nn.BatchNorm2d(inside), inner, nn.ReLU(True), up]
            layers += [nn.BatchNorm2d(outside)] + ([nn.Dropout(0.5)] if dropout else [])
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x) if self.outermost else torch.cat([x, self.layers(x)], 1)


def unet(width=64):
    block = Level(8 * width, 8 * width)
    for _ in range(3):
        block = Level(8 * width, 8 * width, block, dropout=True)
    for times in (4, 2, 1):
        block = Level(times * width, 2 * times * width, block)
    return Level(1, width, block, channels_in=1, outermost=True)


def critic(width=64):
    layers = [nn.Conv2d(2, width, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    for times, stride in ((2, 2), (4, 2), (8, 1)):
        layers += [nn.Conv2d(width * times // 2, width * times, 4, stride, 1, bias=False)]
        layers += [nn.BatchNorm2d(width * times), nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, 1, 1))


torch.manual_seed(1)
G, D = unet().to(DEVICE), critic().to(DEVICE)
bce, l1 = nn.BCEWithLogitsLoss(), nn.L1Loss()
ct, mr = [torch.rand(1, 1, 256, 256, device=DEVICE) * 2 - 1 for _ in range(2)]
known = {}


def optimisers(fused):
    if fused not in known:
        known[fused] = [torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999), fused=fused or None) for net in (G, D)]
    return known[fused]


def judged(image):
    return D(torch.cat([ct, image], 1))


def loss_of(logits, target):
    return bce(logits, torch.full_like(logits, target))


def step(fused):
    adam_g, adam_d = optimisers(fused)
    made = G(ct)
    D.requires_grad_(True)
    adam_d.zero_grad()
    (0.5 * (loss_of(judged(made.detach()), 0.0) + loss_of(judged(mr), 1.0))).backward()
    adam_d.step()
    D.requires_grad_(False)
    adam_g.zero_grad()
    (loss_of(judged(made), 1.0) + 100 * l1(made, mr)).backward()
    adam_g.step()


def profile():
    """Processor ms of the operators of three steps, each without what it calls."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        for _ in range(3):
            step(True)
    return {event.key: event.self_cpu_time_total / 3000 for event in profiler.key_averages()}


for line in sys.stdin:
    request = json.loads(line)
    if "profile" in request:
        print(json.dumps(profile()), flush=True)
        continue
    start, wall = time.process_time_ns(), time.perf_counter_ns()
    step(request["optimiser"] == "fused")
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    times = {"cpuMs": time.process_time_ns() - start, "wallMs": time.perf_counter_ns() - wall}
    print(json.dumps({name: ns / 1e6 for name, ns in times.items()}), flush=True)
