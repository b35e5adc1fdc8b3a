# SPDX-License-Identifier: BSD-3-Clause
"""Operators registered with torch: schema, implementations for cpu and npu, shapes for tracing, errors elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .npu import NpuImplementation

# Dispatch keys of the devices users have; every one without a backend answers with an error that says so.
_DEVICES_WITHOUT_BACKEND = {
    "CUDA": 'move the tensors with .cpu() or .to("npu"), or call Dao-AILab\'s flash-attn for CUDA',
    "XPU": 'move the tensors with .cpu() or .to("npu")',
    "MPS": 'move the tensors with .cpu() or .to("npu")',
}

# torch drops the registrations of a Library object that dies.
_libraries: dict[str, torch.library.Library] = {}


class Operator:
    """A torch operator of ours, callable with positional arguments only."""

    def __init__(
        self,
        namespace: str,
        name: str,
        schema: str,
        call: Callable[..., Any],
        meta: Callable[..., Any],
        bind: Callable[[tuple[str, ...]], None],
    ):
        """Register ``namespace::name``.

        Args:
            namespace: Operator namespace, one per wheel.
            name: Operator name, with its overload name after a dot if it has one.
            schema: Arguments and results in torch's schema language, mutated tensors marked. The one place where the
                order of the arguments is written.
            call: Implementation. Takes the arguments and, last, None for cpu tensors, or a function that returns the
                current stream for npu tensors (see `NpuImplementation`).
            meta: Computes shapes and dtypes of the results, for fake and meta tensors.
            bind: Takes the names of the schema's arguments: the extension learns in which order `call` gets them.

        Raises:
            RuntimeError: the extension does not know an argument of the schema, or the schema lacks one.
        """
        if namespace not in _libraries:
            _libraries[namespace] = torch.library.Library(namespace, "DEF")
        library = _libraries[namespace]
        # torch 2.1 knows neither the tag nor the argument.
        tags = {"tags": (torch.Tag.pt2_compliant_tag,)} if hasattr(torch.Tag, "pt2_compliant_tag") else {}
        library.define(name + schema, **tags)
        packet, _, overload = name.partition(".")
        self.overload = getattr(getattr(getattr(torch.ops, namespace), packet), overload or "default")
        arguments = self.overload._schema.arguments
        self._names = tuple(argument.name for argument in arguments)
        bind(self._names)
        self._types = [str(argument.type) for argument in arguments]
        self._defaults = tuple(argument.default_value for argument in arguments)
        library.impl(name, self._with_all_arguments(call, None), "CPU")
        library.impl(name, self._with_all_arguments(self._on_npu(NpuImplementation(call))), "PrivateUse1")
        library.impl(name, self._on_meta(self._with_all_arguments(meta)), "Meta")
        # No gradient, as upstream: without this, results would hold on to the graph of q for nothing.
        library.impl(name, torch.library.fallthrough_kernel, "Autograd")
        for key, reason in _DEVICES_WITHOUT_BACKEND.items():
            library.impl(name, self._refusal(reason), key)

    def __call__(self, *args: Any) -> Any:
        """Call the operator; an argument of a wrong Python type raises TypeError that names it."""
        try:
            return self.overload(*args)
        except RuntimeError:
            # Only now: checking a dozen types before every call would cost more than small calls do.
            self._check_types(args)
            raise

    def _with_all_arguments(self, implementation: Callable[..., Any], *last: Any) -> Callable[..., Any]:
        # The dispatcher drops trailing arguments that equal their defaults.
        defaults = self._defaults

        def call(*args: Any) -> Any:
            return implementation(*args, *defaults[len(args) :], *last)

        return call

    def _on_npu(self, npu: NpuImplementation) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            # The dispatcher comes here when any tensor is on npu.
            if args[0].device.type != "npu":
                self._check_devices(args)
            return npu(*args)

        return call

    def _check_types(self, args: tuple[Any, ...]) -> None:
        accepted: dict[str, tuple[type, ...]] = {
            "Tensor": (torch.Tensor,),
            "int": (int, torch.SymInt),
            "SymInt": (int, torch.SymInt),
            "float": (float, int, torch.SymFloat),
            "bool": (bool,),
        }
        for name, type_name, value in zip(self._names, self._types, args):
            wanted = type_name[len("Optional[") : -1] if type_name.startswith("Optional[") else type_name
            if value is None and wanted != type_name:
                continue
            if not isinstance(value, accepted[wanted]):
                described = "a torch.Tensor" if wanted == "Tensor" else f"a {wanted.lower().replace('symint', 'int')}"
                raise TypeError(f"{name}: got {type(value).__name__}, expected {described}")

    def _check_devices(self, args: tuple[Any, ...]) -> None:
        device = args[0].device
        for name, value in zip(self._names, args):
            if isinstance(value, torch.Tensor) and value.device != device:
                raise ValueError(f"{name}: got a tensor on {value.device}, expected {device} (the device of q)")

    def _on_meta(self, meta: Callable[..., Any]) -> Callable[..., Any]:
        def shapes(*args: Any) -> Any:
            self._check_devices(args)
            return meta(*args)

        return shapes

    def _refusal(self, reason: str) -> Callable[..., Any]:
        def refuse(*args: Any) -> Any:
            self._check_devices(args)
            raise NotImplementedError(f"q: got a tensor on {args[0].device}, expected one on cpu or npu: {reason}")

        return refuse
