"""The pretend device does what a GPU does: the same tests run on the GPU where there is one."""

import math

import numpy as np
import pytest
import torch
from pretend_device import another_device

SILENT_MOVES = {
    "a factory without a device": lambda x: x + torch.zeros(3, dtype=x.dtype),
    "a mask of the processor": lambda x: torch.where(torch.ones(5, 3, dtype=torch.bool), x, 0),
    "a matrix of the processor": lambda x: x @ torch.ones(3, dtype=x.dtype),
    "an einsum": lambda x: torch.einsum("ni,i->n", x, torch.ones(3, dtype=x.dtype)),
    "numbers from numpy": lambda x: x * torch.from_numpy(np.ones(3)),
    "a list made a tensor": lambda x: x * torch.tensor([1.0, 2.0, 3.0]),
    "rows written from the processor": lambda x: x.clone().add_(torch.zeros(5, 3, dtype=x.dtype)),
    "a total on the processor": lambda x: torch.zeros((), dtype=x.dtype).add_(x.sum()),
    "a buffer of the processor": lambda x: torch.mm(x, x.T, out=torch.empty(5, 5, dtype=x.dtype)),
    "two halves": lambda x: torch.cat([x, torch.ones(1, 3, dtype=x.dtype)]),
    "scalars of two devices in a stack": lambda x: torch.stack([x.sum(), torch.zeros((), dtype=x.dtype)]),
    "a table of the processor": lambda x: torch.ones(5, dtype=x.dtype)[x[:, 0].argsort()],
    "values written at an index": lambda x: x.clone().index_put_((torch.tensor([0, 1]),), torch.ones(2, 3).to(x.dtype)),
    "counted into a table": lambda x: torch.zeros(3, dtype=x.dtype).index_add_(0, x[0].argsort(), x[0]),
    "bins of the processor": lambda x: torch.bucketize(x, torch.zeros(1, dtype=x.dtype)),
    "a factor of the processor": lambda x: torch.cholesky_solve(x[:3], torch.eye(3, dtype=x.dtype)),
    "a generator of the processor": lambda x: torch.randn(3, generator=torch.Generator(), device=x.device),
    "signs from the processor": lambda x: torch.randint(2, (3,), generator=torch.Generator(), device=x.device),
    "noise written in place": lambda x: x.clone().normal_(generator=torch.Generator()),
}


def written_in_place(x):
    out = torch.empty(5, 5, dtype=x.dtype, device=x.device)
    torch.mm(x, x.T, out=out)
    out.diagonal().add_(1)
    out[1:3, 2:4] = x[:2, :2]
    out[:, [0]] *= 2
    out[2:, 1:][0].copy_(x[0].cpu().repeat(2)[:4])
    torch.mul(out[3], 2.0, out=out[4])
    return out


def slopes(x):
    z = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(torch.tanh(z).square().sum(), z, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), z)
    return torch.stack([slope.detach(), bend])


def bordered(x):
    gram = x.T @ x
    factor = torch.linalg.cholesky_ex(gram)[0]
    return torch.linalg.pinv(torch.cat([gram, torch.cholesky_solve(x.T, factor)], 1))


ALLOWED = {
    "sums with numbers and scalars": lambda x: (x + 1) * torch.tensor(2.0) - torch.zeros((), dtype=x.dtype),
    "scalars where a choice is made": lambda x: torch.where(x > 0, x, torch.tensor(0.0).to(x.dtype)),
    "clamped by a scalar": lambda x: x.clamp(min=torch.tensor(0.1, dtype=x.dtype)),
    "indices of the processor": lambda x: x[torch.tensor([0, 2])][:, torch.tensor([True, False, True])],
    "indices in lists": lambda x: x[[3, 1]][:, [2, 0]] + x[np.array([0, 2]), :2],
    "its own indices": lambda x: x[x[:, 0].argsort()][x[:, 1] > 0],
    "numbers given": lambda x: x + torch.tensor([1.0, 2, 3], device=x.device) + x.new_tensor([1, 2, 3]),
    "arrays moved": lambda x: x * torch.from_numpy(np.arange(3.0)).to(x) + torch.as_tensor(np.ones(3), device=x.device),
    "factories": lambda x: torch.eye(5, 3, device=x.device) + torch.full((5, 1), 2.0, device=x.device) + x.new_ones(3),
    "written in place": written_in_place,
    "eigenvectors": lambda x: torch.linalg.eigh(x.T @ x).eigenvectors.abs(),
    "singular values": lambda x: torch.linalg.svd(x).S + torch.linalg.svdvals(x),
    "triangles": lambda x: torch.linalg.qr(x).R.abs(),
    "systems": bordered,
    "products": lambda x: torch.einsum("ni,nj->ij", x, x) + torch.addmm(x[0], x.T, x),
    "transforms": lambda x: torch.fft.irfft(torch.fft.rfft(x), n=3),
    "distances": lambda x: torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist"),
    "bins": lambda x: torch.bucketize(x, torch.zeros(1, dtype=x.dtype, device=x.device)),
    "places": lambda x: torch.searchsorted(x[0].sort().values, x[1]),
    "quantiles": lambda x: x.quantile(0.3, dim=0),
    "blocks": lambda x: torch.cat([rows.square() for rows in x.split(2)]),
    "slopes": slopes,
    "tangents": lambda x: torch.func.jvp(lambda z: torch.tanh(z @ z.T), (x,), (x,))[1],
    "mapped": lambda x: torch.func.vmap(lambda row: row.cumsum(0))(x),
    "single precision": lambda x: x.to(torch.float32).square(),
    "like another": lambda x: torch.ones(2, dtype=torch.float32).to(x),
    "there and back": lambda x: x.cpu().to(x.device),
}


@pytest.fixture
def x():
    return torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's own, for tangents
@pytest.mark.parametrize("name", ALLOWED)
def test_what_a_gpu_computes_is_what_the_processor_computes(x, name):
    expected = ALLOWED[name](x)
    with another_device() as device:
        found = ALLOWED[name](x.to(device))
        assert found.device.type == device.type and found.dtype == expected.dtype
        torch.testing.assert_close(found.cpu(), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", SILENT_MOVES)
def test_what_a_gpu_refuses_is_refused(x, name):
    if "generator" not in name and "processor" not in name and "noise" not in name:
        SILENT_MOVES[name](x)  # on the processor nothing is wrong
    with another_device() as device, pytest.raises(RuntimeError, match="same device|Expected a|on the same device"):
        SILENT_MOVES[name](x.to(device))


def test_numpy_reads_only_the_processor(x):
    with another_device() as device:
        moved = x.to(device)
        for read in (lambda: moved.numpy(), lambda: np.asarray(moved), lambda: np.sqrt(moved)):
            with pytest.raises(TypeError, match="numpy"):
                read()
        assert (moved.cpu().numpy() == x.numpy()).all()


def test_single_numbers_leave_the_device(x):
    with another_device() as device:
        moved = x.to(device)
        assert moved.tolist() == x.tolist() and moved[0, 0].item() == float(moved[0, 0]) == float(x[0, 0])
        assert bool((moved > -9).all()) and int(moved.argmax()) == int(x.argmax())
        assert math.sqrt(moved.square().sum()) == pytest.approx(float(x.norm()), rel=1e-12)
        assert f"{moved[0, 0]:.3f}" == f"{x[0, 0]:.3f}"


def test_a_tensor_stays_where_it_was_made(x):
    with another_device() as device:
        moved = x.to(device)
        made = (torch.zeros(3), torch.tensor([1.0]), torch.from_numpy(np.ones(2)), torch.ones_like(x), moved.cpu())
        assert {tensor.device.type for tensor in made} == {"cpu"}
        there = (torch.zeros_like(moved), moved.new_zeros(2), moved[0], moved.T, moved.detach(), moved.double())
        assert {tensor.device.type for tensor in there} == {device.type}
        assert moved.to(x).device.type == "cpu" and x.to(moved).device.type == device.type
    assert torch.tensor([1.0]).sum() == 1
