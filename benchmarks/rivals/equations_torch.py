"""The training step of `equations` with torchdiffeq: a process that steps when told to.

`python equations_torch.py PROBLEM.npz GRADIENT.npy plain|adjoint`, in an environment with torch and
torchdiffeq. Writes a line with its versions; then, for each line it reads, runs one step and
writes the loss. The gradient of the last step goes to `GRADIENT.npy` when its input ends. All
trajectories are one joint state, as is usual there.
"""

import sys
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
import torchdiffeq  # pyright: ignore[reportMissingImports]

KNOWN = (1.3, -1.8)


def main(path: str, gradient: str, form: str) -> None:
    """Step for every line of the standard input."""
    torch.set_num_threads(1)  # with more, it was three to ten times slower on two busy cores
    given = np.load(path)
    arrays = [given[f"weights{i}"] for i in range(len(given.files) - 4)]
    weights = [torch.tensor(x, requires_grad=True) for x in arrays]
    starts, targets, times = (torch.tensor(given[k]) for k in ("starts", "targets", "times"))
    tolerance, known = float(given["tolerance"]), torch.tensor(KNOWN, dtype=torch.float64)

    class Rate(torch.nn.Module):
        def forward(self, t: Any, y: Any) -> Any:
            z = y
            for weight, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
                z = torch.tanh(torch.addmm(bias, z, weight))
            return y * known + torch.addmm(weights[-1], z, weights[-2])

    options: dict[str, Any] = {"rtol": tolerance, "atol": tolerance, "method": "dopri5"}
    solve = torchdiffeq.odeint
    if form == "adjoint":
        solve, options = torchdiffeq.odeint_adjoint, options | {"adjoint_params": tuple(weights)}
    rate = Rate()

    def step() -> float:
        for weight in weights:
            weight.grad = None
        values = solve(rate, starts, times, **options).swapaxes(0, 1)
        loss = torch.mean((values - targets) ** 2)
        loss.backward()
        return float(loss.detach())

    print(f"torch {torch.__version__}, torchdiffeq {torchdiffeq.__version__}", flush=True)
    for _ in sys.stdin:
        print(repr(step()), flush=True)
    np.save(gradient, np.concatenate([weight.grad.numpy().ravel() for weight in weights]))


if __name__ == "__main__":
    main(*sys.argv[1:])
