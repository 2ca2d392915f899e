"""A second device for tests: real numbers in tensors that refuse to meet tensors of the processor, as on a GPU.

A tensor on the pretend device says that its device is ``meta`` and holds a tensor of the processor that does the work.
What torch does on CUDA is done here: tensors of two devices in one operation are an error, unless the one of the
processor has no dimension and the operation is elementwise, or it is an index; numpy cannot read the device;
a generator of the processor cannot draw on it. Tests run on the real device where there is one.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

aten = torch.ops.aten
PRETEND = torch.device("meta")
COPIES = {aten.copy_.default, aten._to_copy.default}  # may read one device and write another
TAKES_SCALARS = {aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
TAKES_INDICES = TAKES_SCALARS | {aten.index.Tensor, aten._unsafe_index.Tensor}
FROM_DATA = {torch.tensor, torch.as_tensor, torch.asarray}  # torch leaves the numbers out where the device is meta


@contextmanager
def another_device() -> Iterator[torch.device]:
    """Give a device that is not the processor: the GPU where there is one, otherwise the pretend device."""
    if torch.cuda.is_available():
        yield torch.device("cuda")
    else:
        with _DataMode(), _PretendMode():
            yield PRETEND


def tensors_made() -> int:
    """Return how many tensors have been made on the other device since the process started."""
    if torch.cuda.is_available():
        return torch.cuda.memory_stats()["allocation.all.allocated"]
    return PretendTensor.made


class PretendTensor(torch.Tensor):
    """A tensor on the pretend device; ``held`` is the tensor with its numbers."""

    made = 0
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "PretendTensor":
        layout = {"strides": held.stride(), "storage_offset": held.storage_offset(), "dtype": held.dtype}
        outer = torch.Tensor._make_wrapper_subclass(cls, held.shape, **layout, device=PRETEND)
        outer.held = held
        cls.made += 1
        return outer

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})

    def __getitem__(self, place):
        return super().__getitem__(_without_lists(place))

    def __setitem__(self, place, value) -> None:
        super().__setitem__(_without_lists(place), value)

    def numpy(self, *, force: bool = False):
        if not force:
            raise TypeError("can't convert a tensor of the pretend device to numpy. Use Tensor.cpu() first.")
        return self.detach().cpu().numpy()

    def tolist(self):
        return self.detach().cpu().tolist()

    def __format__(self, form: str) -> str:
        return format(self.item() if self.dim() == 0 else repr(self), form)


class _PretendMode(TorchDispatchMode):
    """Makes tensors on the pretend device where a factory or a copy names it."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # otherwise torch imports its compiler, which takes seconds

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class _DataMode(TorchFunctionMode):
    """Makes tensors of given numbers on the processor and moves them."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.Tensor.new_tensor and isinstance(args[0], PretendTensor):
            func, kwargs = torch.tensor, {"dtype": args[0].dtype, "device": PRETEND} | kwargs
            args = args[1:]
        device = kwargs.get("device")
        if func in FROM_DATA and device is not None and torch.device(device) == PRETEND:
            return func(*args, **{**kwargs, "device": None}).to(PRETEND)
        return func(*args, **kwargs)


def _run(func, args: tuple, kwargs: dict):
    """Run an operation on the tensors held and put the results on the device where they belong."""
    if func is aten._efficientzerotensor.default:  # forward-mode derivatives ask for zeros without memory
        func = aten.zeros.default
    leaves = tree_leaves((args, kwargs))
    guests = [leaf for leaf in leaves if isinstance(leaf, PretendTensor)]
    device = kwargs.get("device")
    lands_there = bool(guests) if device is None else device == PRETEND
    if not guests and not lands_there:
        return func(*args, **kwargs)
    if guests and func not in COPIES:
        _refuse_mixtures(func, args, leaves)
    if any(isinstance(leaf, torch.Generator) for leaf in leaves):
        raise RuntimeError("Expected a 'pretend' device type for generator but found 'cpu'")
    held_args, held_kwargs = tree_map(_held, (args, kwargs))
    result = func(*held_args, **(held_kwargs if device is None else held_kwargs | {"device": torch.device("cpu")}))
    if func is aten.copy_.default:
        return args[0]
    if torch.Tag.inplace_view in func.tags:  # the outer tensor must change its shape too
        with no_dispatch():
            func(*args, **kwargs)
    if any(guest.shape != guest.held.shape for guest in guests):
        raise NotImplementedError(f"{func} changes the shape of a tensor in place: the pretend device cannot follow.")
    known = {id(guest.held): guest for guest in guests}
    return tree_map(lambda leaf: _outer(leaf, known), result) if lands_there else result


def _refuse_mixtures(func, args: tuple, leaves: list) -> None:
    """Raise where tensors of both devices meet: only scalars and indices of the processor may."""
    target = args[0] if args else None
    strangers = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor) and not isinstance(leaf, PretendTensor)]
    written = func._schema.is_mutable or func in TAKES_INDICES  # what is written or indexed decides
    if not (written and any(target is stranger for stranger in strangers)):
        if func in TAKES_INDICES:
            strangers = [leaf for leaf in strangers if all(leaf is not index for index in args[1])]
        if torch.Tag.pointwise in func.tags or func in TAKES_SCALARS:
            strangers = [leaf for leaf in strangers if leaf.dim()]
    if strangers:
        raise RuntimeError(f"Expected all tensors to be on the same device, but {func} found the processor's as well.")


def _without_lists(place):
    """Return an index without lists: torch would make tensors without numbers of them."""
    if isinstance(place, tuple):
        return tuple(_without_lists(part) for part in place)
    return torch.tensor(place) if isinstance(place, list | np.ndarray) else place


def _held(leaf):
    return leaf.held if isinstance(leaf, PretendTensor) else leaf


def _outer(leaf, known: dict[int, PretendTensor]):
    if not isinstance(leaf, torch.Tensor):
        return leaf
    return known[id(leaf)] if id(leaf) in known else PretendTensor(leaf)
