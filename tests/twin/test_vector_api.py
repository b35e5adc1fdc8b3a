"""Each vector call against the documentation's formula on random strides, masks, repeats and values."""

from __future__ import annotations

import numpy as np
import pytest
from ascend_twin.machine import Out
from formulas import FORM, PART, addresses, bf16_to_float, pack, read, round_float, round_integer, tree_sum, write

DTYPES = {
    "half": np.float16,
    "float": np.float32,
    "int16_t": np.int16,
    "uint16_t": np.uint16,
    "int32_t": np.int32,
    "uint32_t": np.uint32,
    "int8_t": np.int8,
    "uint8_t": np.uint8,
    "int64_t": np.int64,
    "bfloat16_t": np.uint16,
}
FLOATS = ("half", "float")


def values(rng, dtype: str, count: int, scale: float = 4.0) -> np.ndarray:
    """Random operands: ordinary numbers and the awkward ones of the type."""
    if dtype in FLOATS:
        v = rng.standard_normal(count) * scale
        # Not -0.0: which zero Max and Min return is not documented.
        special = np.array([0.0, 1.0, -1.0, 0.5, 1e-4, -1e-4, 60000.0, -60000.0])
        pick = rng.random(count) < 0.1
        return np.where(pick, rng.choice(special, count), v).astype(DTYPES[dtype])
    info = np.iinfo(DTYPES[dtype])
    v = rng.integers(info.min, info.max, count, DTYPES[dtype], endpoint=True)
    return np.where(rng.random(count) < 0.5, v // 64, v).astype(DTYPES[dtype])


def image_of(rng, *parts: tuple[str, float] | np.ndarray | None) -> np.ndarray:
    image = rng.integers(0, 256, 4 * PART, np.uint8)
    for i, part in enumerate(parts):
        if part is None:
            continue
        data = (
            part
            if isinstance(part, np.ndarray)
            else values(rng, part[0], PART // np.dtype(DTYPES[part[0]]).itemsize, part[1])
        )
        image[i * PART : i * PART + data.nbytes] = data.view(np.uint8)
    return image


def run(kernel, name: str, image: np.ndarray, params: np.ndarray, mode: str = "check") -> np.ndarray:
    out = np.zeros_like(image)
    kernel("vector_api.cpp", name)(1, image, Out(out), params, mode=mode)
    return out


def geometry(rng, form: str, wide: int, sources: int):
    """Random repeats, mask and strides for one of the forms; lanes enabled per repeat as a boolean array."""
    lanes = 256 // wide
    p: dict = {"FORM": FORM[form]}
    blk = [1, 1, 1]
    rep = [8, 8, 8]
    if form in ("count", "counter"):
        count = int(rng.integers(1, 20 * lanes))
        repeats = -(-count // lanes)
        on = (np.arange(repeats * lanes) < count).reshape(repeats, lanes)
        p["COUNT"] = count
    else:
        repeats = int(rng.integers(1, 12))
        if form == "contiguous":
            n = int(rng.integers(1, lanes + 1))
            mask = np.arange(lanes) < n
            p["lanes"] = n
        else:
            mask = rng.random(lanes) < 0.6
            mask[int(rng.integers(lanes))] = True
            p["mask"] = np.flatnonzero(mask)
        on = np.tile(mask, (repeats, 1))
    if form != "count":
        blk = [int(rng.integers(1, 4)), int(rng.integers(0, 4)), int(rng.integers(0, 4))]
        rep = [int(rng.integers(7 * blk[0] + 1, 7 * blk[0] + 12)), int(rng.integers(0, 20)), int(rng.integers(0, 20))]
        repeats_fit = (PART // 32 - 8 * blk[0]) // rep[0]
        repeats = min(repeats, repeats_fit)
        if form == "counter" and on.shape[0] > repeats:
            repeats = on.shape[0]
            blk, rep = [1, 1, 1], [8, 8, 8]
        on = on[:repeats]
    p.update(
        REPEAT=on.shape[0], DST_BLK=blk[0], DST_REP=rep[0], S0_BLK=blk[1], S0_REP=rep[1], S1_BLK=blk[2], S1_REP=rep[2]
    )
    return p, on, blk, rep


def elementwise(
    kernel,
    rng,
    name: str,
    dst: str,
    src: str,
    sources: int,
    form: str,
    formula,
    *,
    scale: float = 4.0,
    scalar=None,
    ulp: int = 0,
    positive: bool = False,
) -> None:
    """Run one call and compare the whole image with `formula(dst, src0, src1, scalar)` applied lane by lane."""
    dd, ss = DTYPES[dst], DTYPES[src]
    ds, sz = np.dtype(dd).itemsize, np.dtype(ss).itemsize
    wide = max(ds, sz)
    p, on, blk, rep = geometry(rng, form, wide, sources)
    if form == "count":
        rep = [8 * ds // wide, 8 * sz // wide, 8 * sz // wide]
    image = image_of(rng, (dst, scale), (src, scale), (src, scale))
    if positive:
        image[PART : 2 * PART] = np.abs(image[PART : 2 * PART].view(ss) + ss(0.01)).astype(ss).view(np.uint8)
    if scalar is not None:
        image[3 * PART : 3 * PART + sz] = np.array([scalar], ss).view(np.uint8)
    got = run(kernel, name, image, pack(**p))
    want = image.copy()
    close = np.zeros(image.shape, bool)
    for r in range(on.shape[0]):
        lanes = np.flatnonzero(on[r])
        at = [addresses(s, wide, on.shape[0], blk[i], rep[i])[r][lanes] for i, s in enumerate((ds, sz, sz))]
        d, a, b = read(want, 0, at[0], dd), read(want, 1, at[1], ss), read(want, 2, at[2], ss)
        with np.errstate(all="ignore"):
            result = formula(d, a, b, None if scalar is None else ss(scalar))
        write(want, 0, at[0], np.asarray(result).astype(dd))
        if ulp:
            close[at[0][:, None] + np.arange(ds)] = True
    if not ulp:
        different = np.flatnonzero(got != want)
        assert different.size == 0, (
            f"{name} {p}: byte {different[:8]}, got {got[different[:8]]}, want {want[different[:8]]}"
        )
        return
    assert np.array_equal(got[~close], want[~close]), f"{name} {p}: bytes outside the enabled lanes changed"
    g, w = got[:PART].view(dd), want[:PART].view(dd)
    used = close[:PART].reshape(-1, ds).all(1)
    step = np.spacing(np.abs(w[used]).astype(dd))
    finite = np.isfinite(w[used])
    assert np.all(np.abs(g[used][finite].astype(np.float64) - w[used][finite]) <= ulp * step[finite]), (
        f"{name} {p}: over {ulp} ulp"
    )
    assert np.array_equal(g[used][~finite], w[used][~finite], equal_nan=True)


def integer(f):
    """Saturating integer arithmetic of the operand type."""
    return lambda d, a, b, s: np.clip(
        f(a.astype(np.int64), b.astype(np.int64)), np.iinfo(a.dtype).min, np.iinfo(a.dtype).max
    )


def exact(f):
    """Float arithmetic in float64, rounded once."""
    return lambda d, a, b, s: f(d.astype(np.float64), a.astype(np.float64), b.astype(np.float64)).astype(d.dtype)


FORMS = ["count", "contiguous", "bits", "register", "counter"]
OPS = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Max": np.maximum, "Min": np.minimum}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["half", "float", "int16_t", "int32_t"])
@pytest.mark.parametrize("op", OPS)
def test_binary(kernel, rng, op, dtype, form):
    f = OPS[op]
    formula = exact(lambda d, a, b: f(a, b)) if dtype in FLOATS else integer(f)
    elementwise(kernel, rng, f"{op}_{dtype}", dtype, dtype, 2, form, formula)


@pytest.mark.parametrize("form", ["count", "bits"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_division(kernel, rng, dtype, form):
    elementwise(kernel, rng, f"Div_{dtype}", dtype, dtype, 2, form, exact(lambda d, a, b: a / b))


@pytest.mark.parametrize("form", ["count", "bits"])
@pytest.mark.parametrize("dtype", ["int16_t", "uint16_t"])
@pytest.mark.parametrize("op", ["And", "Or"])
def test_bitwise(kernel, rng, op, dtype, form):
    f = {"And": np.bitwise_and, "Or": np.bitwise_or}[op]
    elementwise(kernel, rng, f"{op}_{dtype}", dtype, dtype, 2, form, lambda d, a, b, s: f(a, b))


@pytest.mark.parametrize("form", ["count", "contiguous"])
@pytest.mark.parametrize("dtype", ["half", "float", "int16_t"])
@pytest.mark.parametrize("op", ["AddRelu", "SubRelu"])
def test_relu_of_a_sum(kernel, rng, op, dtype, form):
    f = {"AddRelu": np.add, "SubRelu": np.subtract}[op]
    formula = (
        exact(lambda d, a, b: np.maximum(f(a, b), 0))
        if dtype in FLOATS
        else integer(lambda a, b: np.maximum(f(a, b), 0))
    )
    elementwise(kernel, rng, f"{op}_{dtype}", dtype, dtype, 2, form, formula)


@pytest.mark.parametrize("form", ["count", "bits"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_fused_multiply_add(kernel, rng, dtype, form):
    """dst = src0 * dst + src1, rounded once."""
    elementwise(kernel, rng, f"FusedMulAdd_{dtype}", dtype, dtype, 2, form, exact(lambda d, a, b: a * d + b), ulp=1)
    elementwise(
        kernel,
        rng,
        f"FusedMulAddRelu_{dtype}",
        dtype,
        dtype,
        2,
        form,
        exact(lambda d, a, b: np.maximum(a * d + b, 0)),
        ulp=1,
    )


@pytest.mark.parametrize("form", ["count", "bits"])
@pytest.mark.parametrize("dst,src", [("half", "half"), ("float", "float"), ("float", "half")])
def test_accumulate(kernel, rng, dst, src, form):
    formula = lambda d, a, b, s: (d.astype(np.float64) + a.astype(np.float64) * b.astype(np.float64)).astype(d.dtype)  # noqa: E731
    elementwise(kernel, rng, f"MulAddDst_{dst}_{src}", dst, src, 2, form, formula, ulp=1)
    formula = lambda d, a, b, s: (d.astype(np.float64) + a.astype(np.float64) * np.float64(s)).astype(d.dtype)  # noqa: E731
    elementwise(kernel, rng, f"Axpy_{dst}_{src}", dst, src, 1, form, formula, scalar=1.375, ulp=1)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["half", "float", "int16_t", "int32_t"])
@pytest.mark.parametrize("op", ["Adds", "Muls", "Maxs", "Mins"])
def test_scalar(kernel, rng, op, dtype, form):
    f = {"Adds": np.add, "Muls": np.multiply, "Maxs": np.maximum, "Mins": np.minimum}[op]
    scalar = 1.625 if dtype in FLOATS else 77
    if dtype in FLOATS:
        formula = lambda d, a, b, s: f(a.astype(np.float64), np.float64(s)).astype(d.dtype)  # noqa: E731
    else:
        formula = lambda d, a, b, s: integer(f)(d, a, np.full_like(a, s), s)  # noqa: E731
    elementwise(kernel, rng, f"{op}_{dtype}", dtype, dtype, 1, form, formula, scalar=scalar)


@pytest.mark.parametrize("dtype", FLOATS)
def test_leaky_relu(kernel, rng, dtype):
    formula = lambda d, a, b, s: np.where(a > 0, a, (a.astype(np.float64) * np.float64(s)).astype(d.dtype))  # noqa: E731
    elementwise(kernel, rng, f"LeakyRelu_{dtype}", dtype, dtype, 1, "bits", formula, scalar=0.125)


@pytest.mark.parametrize("dtype", ["int16_t", "uint16_t", "int32_t", "uint32_t"])
@pytest.mark.parametrize("shift", [0, 3, 9])
def test_shift(kernel, rng, dtype, shift):
    bits = np.dtype(DTYPES[dtype]).itemsize * 8
    left = lambda d, a, b, s: (a.astype(np.int64) << shift & (2**bits - 1)).astype(f"u{bits // 8}").view(d.dtype)  # noqa: E731
    elementwise(kernel, rng, f"ShiftLeft_{dtype}", dtype, dtype, 1, "count", left, scalar=shift)
    elementwise(
        kernel, rng, f"ShiftRight_{dtype}", dtype, dtype, 1, "bits", lambda d, a, b, s: a >> shift, scalar=shift
    )


@pytest.mark.parametrize("form", ["count", "bits"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("op", ["Exp", "Ln", "Sqrt", "Rsqrt", "Reciprocal"])
def test_transcendental(kernel, rng, op, dtype, form):
    f = {
        "Exp": np.exp,
        "Ln": np.log,
        "Sqrt": np.sqrt,
        "Rsqrt": lambda a: 1 / np.sqrt(a),
        "Reciprocal": lambda a: 1 / a,
    }[op]
    positive = op != "Exp"
    elementwise(
        kernel,
        rng,
        f"{op}_{dtype}",
        dtype,
        dtype,
        1,
        form,
        exact(lambda d, a, b: f(a)),
        ulp=1,
        positive=positive,
        scale=2.0,
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "op,dtype",
    [
        ("Abs", "half"),
        ("Abs", "float"),
        ("Relu", "half"),
        ("Relu", "float"),
        ("Relu", "int32_t"),
        ("Not", "int16_t"),
        ("Not", "uint16_t"),
    ],
)
def test_unary(kernel, rng, op, dtype, form):
    f = {"Abs": np.abs, "Relu": lambda a: np.where(a > 0, a, a.dtype.type(0)), "Not": np.bitwise_not}[op]
    elementwise(kernel, rng, f"{op}_{dtype}", dtype, dtype, 1, form, lambda d, a, b, s: f(a))


FIVE = (1, 2, 3, 4, 5)
CASTS = {
    ("float", "half"): (0,),
    ("half", "float"): (0, *FIVE, 6),
    ("float", "bfloat16_t"): (0,),
    ("bfloat16_t", "float"): FIVE,
    ("float", "float"): FIVE,
    ("int16_t", "float"): FIVE,
    ("int32_t", "float"): FIVE,
    ("int64_t", "float"): FIVE,
    ("int8_t", "half"): (0, *FIVE),
    ("uint8_t", "half"): (0, *FIVE),
    ("int16_t", "half"): FIVE,
    ("int32_t", "half"): FIVE,
    ("int32_t", "bfloat16_t"): FIVE,
    ("half", "int8_t"): (0,),
    ("half", "uint8_t"): (0,),
    ("half", "int16_t"): (0, *FIVE),
    ("float", "int16_t"): (0,),
    ("float", "int32_t"): (0, *FIVE),
    ("int16_t", "int32_t"): (0,),
    ("int64_t", "int32_t"): (0,),
    ("int32_t", "int64_t"): (0,),
    ("float", "int64_t"): FIVE,
}


def cast_values(rng, src: str, count: int) -> np.ndarray:
    if src not in (*FLOATS, "bfloat16_t"):
        return values(rng, src, count)
    v = rng.standard_normal(count) * 10.0 ** rng.integers(-9, 6, count)
    v[::7] = np.round(v[::7]) + 0.5  # ties
    v = np.clip(v, -60000, 60000)  # overflow to 16 bits has its own test
    if src == "half":
        return v.astype(np.float16)
    if src == "bfloat16_t":
        return (v.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    v[::11] = (v[::11].astype(np.float32).view(np.uint32) & 0xFFFF8000).view(np.float32)  # ties of bfloat16
    v = v.astype(np.float32)
    v[::13] = v[::13].astype(np.float16).astype(np.float32)  # exact in half
    return v


@pytest.mark.parametrize("dst,src,mode", [(d, s, m) for (d, s), modes in CASTS.items() for m in modes])
def test_cast(kernel, rng, dst, src, mode):
    dd, ss = DTYPES[dst], DTYPES[src]
    wide = max(np.dtype(dd).itemsize, np.dtype(ss).itemsize)
    count = int(rng.integers(1, 2000))
    data = cast_values(rng, src, count)
    image = image_of(rng, None, np.pad(data, (0, -count % 32)))
    got = run(kernel, f"Cast_{dst}_{src}", image, pack(FORM=0, COUNT=count, MODE=mode))[
        : count * np.dtype(dd).itemsize
    ].view(dd)
    x = bf16_to_float(data).astype(np.float64) if src == "bfloat16_t" else data
    if dst == "half":
        want = round_float(x, "half", mode)
        if src == "float":
            assert np.isfinite(data).all()
    elif dst == "bfloat16_t":
        want = round_float(x, "bf16", mode)
    elif dst == "float":
        if src == "float":
            want = {
                1: np.rint,
                2: np.floor,
                3: np.ceil,
                4: lambda v: np.sign(v) * np.floor(np.abs(v) + 0.5),
                5: np.trunc,
            }[mode](x.astype(np.float64)).astype(np.float32)
        elif src in ("int32_t", "int64_t"):
            # Integers that float32 cannot hold: the mode chooses between the neighbours.
            near = x.astype(np.float64).astype(np.float32)
            below = np.where(near.astype(np.float64) > x, np.nextafter(near, np.float32(-np.inf)), near)
            above = np.where(near.astype(np.float64) < x, np.nextafter(near, np.float32(np.inf)), near)
            nearer = np.where(
                x - below.astype(np.float64) == above.astype(np.float64) - x, np.where(x > 0, above, below), near
            )
            want = {0: near, 1: near, 2: below, 3: above, 4: nearer, 5: np.where(x > 0, below, above)}[mode]
        else:
            want = x.astype(np.float32)
    elif src in (*FLOATS, "bfloat16_t"):
        want = round_integer(x, mode, dd)
    else:
        info = np.iinfo(dd)
        want = np.clip(x.astype(np.int64), info.min, info.max).astype(dd)
    bad = np.flatnonzero(
        got.view(f"u{np.dtype(dd).itemsize}") != np.asarray(want, dd).view(f"u{np.dtype(dd).itemsize}")
    )
    # -0.0 and 0.0 are the same value.
    bad = [i for i in bad if not (got[i] == 0 and want[i] == 0)]
    assert not bad, f"{src} -> {dst} mode {mode}: {[(data[i], got[i], want[i]) for i in bad[:5]]}"
    assert wide


def test_cast_of_int32_to_half_scales(kernel, rng):
    data = rng.integers(-30000, 30000, 256).astype(np.int32)
    image = image_of(rng, None, data)
    image[3 * PART : 3 * PART + 2] = np.array([0.25], np.float16).view(np.uint8)
    got = run(kernel, "Cast_half_int32_t", image, pack(FORM=5, COUNT=256))[:512].view(np.float16)
    assert np.array_equal(got, (data * 0.25).astype(np.float16))


def test_cast_overflow_keeps_infinity(kernel, rng):
    """CTRL[48] is 1 by default on the twin: infinities and NaN stay (docs/twin.md)."""
    data = np.array([1e6, -1e6, np.inf, -np.inf, 65504.0, 65520.0, 65519.0, np.nan] * 8, np.float32)
    got = run(kernel, "Cast_half_float", image_of(rng, None, data), pack(FORM=0, COUNT=64, MODE=1))[:128].view(
        np.float16
    )
    with np.errstate(over="ignore"):
        assert np.array_equal(got, data.astype(np.float16), equal_nan=True)


def test_cast_to_integers_saturates(kernel, rng):
    data = np.array([1e20, -1e20, np.inf, -np.inf, np.nan, 2147483520.0, -2147483648.0, 0.0] * 8, np.float32)
    got = run(kernel, "Cast_int32_t_float", image_of(rng, None, data), pack(FORM=0, COUNT=64, MODE=1))[:256].view(
        np.int32
    )
    want = np.array([2**31 - 1, -(2**31), 2**31 - 1, -(2**31), 0, 2147483520, -(2**31), 0] * 8, np.int32)
    assert np.array_equal(got, want)


@pytest.mark.parametrize("dst,src", [("half", "float"), ("float", "half"), ("bfloat16_t", "float")])
def test_cast_strides(kernel, rng, dst, src):
    """The narrow side of a width-changing Cast takes 4 blocks a repeat; the mask counts lanes of the wide type."""
    ds, ss = np.dtype(DTYPES[dst]).itemsize, np.dtype(DTYPES[src]).itemsize
    rep = {2: 4, 4: 8}
    lanes = int(rng.integers(1, 65))
    repeats = int(rng.integers(1, 20))
    data = values(rng, src, PART // ss)
    image = image_of(rng, None, data)
    mode = 1 if dst == "bfloat16_t" else 0
    params = pack(FORM=1, lanes=lanes, REPEAT=repeats, DST_REP=rep[ds], S0_REP=rep[ss], MODE=mode)
    got = run(kernel, f"Cast_{dst}_{src}", image, params)
    want = image.copy()
    at_d = addresses(ds, 4, repeats, 1, rep[ds])[:, :lanes]
    x = read(image, 1, addresses(ss, 4, repeats, 1, rep[ss])[:, :lanes], DTYPES[src]).astype(np.float64)
    result = round_float(x, "bf16" if dst == "bfloat16_t" else "half", 1) if ds == 2 else x.astype(np.float32)
    write(want, 0, at_d, result)
    assert np.array_equal(got, want)


@pytest.mark.parametrize("form", ["count", "bits"])
@pytest.mark.parametrize("dtype", ["half", "bfloat16_t", "int16_t", "uint16_t", "int32_t", "uint32_t", "float"])
def test_duplicate(kernel, rng, dtype, form):
    dd = DTYPES[dtype]
    size = np.dtype(dd).itemsize
    p, on, blk, rep = geometry(rng, form, size, 0)
    image = image_of(rng)
    number = np.array([1.5], np.float32).view(np.uint32)[0] >> 16 if dtype == "bfloat16_t" else 97
    scalar = np.array([1.5], np.float32) if dtype == "bfloat16_t" else np.array([97], dd)
    image[3 * PART : 3 * PART + scalar.nbytes] = scalar.view(np.uint8)
    want = image.copy()
    at = addresses(size, size, on.shape[0], blk[0] if form != "count" else 1, rep[0] if form != "count" else 8)[on]
    write(want, 0, at, np.full(at.shape, number, dd))
    assert np.array_equal(run(kernel, f"Duplicate_{dtype}", image, pack(**p)), want)


@pytest.mark.parametrize("dtype", ["half", "int16_t", "float", "int32_t"])
def test_copy(kernel, rng, dtype):
    elementwise(kernel, rng, f"Copy_{dtype}", dtype, dtype, 1, "bits", lambda d, a, b, s: a)


@pytest.mark.parametrize("dtype", ["half", "float", "uint32_t", "int16_t"])
@pytest.mark.parametrize("blk,rep", [(1, 8), (2, 16), (3, 40), (0, 8)])
def test_brcb(kernel, rng, dtype, blk, rep):
    """Element j of repeat i fills block i*rep + j*blk; a block stride of 0 counts as 1."""
    dd, size = DTYPES[dtype], np.dtype(DTYPES[dtype]).itemsize
    repeats = int(rng.integers(1, 12))
    image = image_of(rng, None, (dtype, 3.0))
    want = image.copy()
    src = image[PART:].view(dd)
    for i in range(repeats):
        for j in range(8):
            start = (i * rep + j * max(blk, 1)) * 32
            want[start : start + 32].view(dd)[:] = src[i * 8 + j]
    assert np.array_equal(run(kernel, f"Brcb_{dtype}", image, pack(REPEAT=repeats, DST_BLK=blk, DST_REP=rep)), want)
    assert size in (2, 4)


@pytest.mark.parametrize("dtype", ["uint16_t", "uint32_t"])
def test_gather(kernel, rng, dtype):
    dd, size = DTYPES[dtype], np.dtype(DTYPES[dtype]).itemsize
    count, base = int(rng.integers(1, 1500)), int(rng.integers(0, 16)) * size
    offsets = (rng.integers(0, (PART - base) // size, count) * size).astype(np.uint32)
    image = image_of(rng, None, None, np.pad(offsets, (0, -count % 8)))
    want = image.copy()
    want[: count * size].view(dd)[:] = image[PART : 2 * PART].view(dd)[(base + offsets) // size]
    assert np.array_equal(run(kernel, f"Gather_{dtype}", image, pack(COUNT=count, EXTRA=base)), want)


@pytest.mark.parametrize("dtype", ["uint16_t", "uint32_t"])
def test_gather_of_blocks(kernel, rng, dtype):
    repeats = int(rng.integers(1, 10))
    offsets = (rng.integers(0, PART // 32, repeats * 8) * 32).astype(np.uint32)
    image = image_of(rng, None, None, offsets)
    want = image.copy()
    for i in range(repeats):
        for j in range(8):
            start = (i * 20 + j * 2) * 32
            want[start : start + 32] = image[PART + offsets[i * 8 + j] :][:32]
    assert np.array_equal(run(kernel, f"Gatherb_{dtype}", image, pack(REPEAT=repeats, DST_BLK=2, DST_REP=20)), want)


@pytest.mark.parametrize("pattern", range(8))
@pytest.mark.parametrize("dtype", ["uint16_t", "uint32_t"])
def test_gather_mask(kernel, rng, dtype, pattern):
    """Patterns 1, 2: even, odd; 3 to 6: one of four; 7: all; 0: bits from a tensor."""
    dd, size = DTYPES[dtype], np.dtype(DTYPES[dtype]).itemsize
    lanes, repeats = 256 // size, int(rng.integers(1, 10))
    image = image_of(rng)
    e = np.arange(lanes)
    if pattern == 0:
        bits = (
            np.unpackbits(image[2 * PART : 2 * PART + repeats * 256], bitorder="little")
            .reshape(repeats, -1)[:, :lanes]
            .astype(bool)
        )
    else:
        one = {1: e % 2 == 0, 2: e % 2 == 1, 3: e % 4 == 0, 4: e % 4 == 1, 5: e % 4 == 2, 6: e % 4 == 3, 7: e >= 0}[
            pattern
        ]
        bits = np.tile(one, (repeats, 1))
    source = image[PART : PART + repeats * 256].view(dd).reshape(repeats, lanes)
    kept = source[bits]
    want = image.copy()
    want[: kept.nbytes] = kept.view(np.uint8)
    want[3 * PART : 3 * PART + 4] = np.array([kept.size], np.uint32).view(np.uint8)
    params = pack(REPEAT=repeats, S0_REP=8, S1_REP=8, MODE=pattern)
    assert np.array_equal(run(kernel, f"GatherMask_{dtype}", image, params), want)


def masked_source(rng, dtype: str, form: str = "bits"):
    """A strided masked source for a reduction: image, parameters, source values [repeats, lanes], enabled lanes."""
    dd, size = DTYPES[dtype], np.dtype(DTYPES[dtype]).itemsize
    lanes, repeats = 256 // size, int(rng.integers(1, 12))
    blk, rep = int(rng.integers(1, 3)), int(rng.integers(0, 24))
    image = image_of(rng, (dtype, 2.0), (dtype, 2.0))
    p = {"REPEAT": repeats, "S0_BLK": blk, "S0_REP": rep, "FORM": FORM[form]}
    if form == "contiguous":
        n = int(rng.integers(1, lanes + 1))
        on = np.arange(lanes) < n
        p["lanes"] = n
    else:
        on = rng.random(lanes) < 0.7
        on[0] = True
        p["mask"] = np.flatnonzero(on)
    return image, p, read(image, 1, addresses(size, size, repeats, blk, rep), dd), on


@pytest.mark.parametrize("form", ["contiguous", "bits"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("op", ["Sum", "Max", "Min"])
def test_block_reduce(kernel, rng, op, dtype, form):
    image, p, x, on = masked_source(rng, dtype, form)
    size = x.dtype.itemsize
    dst_rep = int(rng.integers(1, 4))
    neutral = {"Sum": 0, "Max": -np.inf, "Min": np.inf}[op]
    blocks = np.where(on, x, x.dtype.type(neutral)).reshape(x.shape[0], 8, -1)
    result = tree_sum(blocks) if op == "Sum" else {"Max": np.max, "Min": np.min}[op](blocks, axis=-1)
    want = image.copy()
    alive = on.reshape(8, -1).any(1)  # a block that is masked off leaves its result as it was
    for r in range(x.shape[0]):
        at = (r * dst_rep * 8 + np.flatnonzero(alive)) * size
        write(want, 0, at, result[r][alive])
    assert np.array_equal(run(kernel, f"BlockReduce{op}_{dtype}", image, pack(**p, DST_REP=dst_rep)), want)


@pytest.mark.parametrize("dtype", FLOATS)
def test_pair_reduce(kernel, rng, dtype):
    image, p, x, on = masked_source(rng, dtype)
    pairs = np.where(on, x, x.dtype.type(0)).reshape(x.shape[0], -1, 2)
    result = tree_sum(pairs)
    alive = on.reshape(-1, 2).any(1)
    want = image.copy()
    for r in range(x.shape[0]):
        write(want, 0, r * 128 + np.flatnonzero(alive) * x.dtype.itemsize, result[r][alive])
    assert np.array_equal(run(kernel, f"PairReduceSum_{dtype}", image, pack(**p, DST_REP=1)), want)


@pytest.mark.parametrize("dtype", FLOATS)
def test_whole_reduce_sum(kernel, rng, dtype):
    image, p, x, on = masked_source(rng, dtype)
    want = image.copy()
    write(want, 0, np.arange(x.shape[0]) * 3 * x.dtype.itemsize, tree_sum(np.where(on, x, x.dtype.type(0))))
    assert np.array_equal(run(kernel, f"WholeReduceSum_{dtype}", image, pack(**p, DST_REP=3)), want)


@pytest.mark.parametrize("order", range(4))
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("op", ["Max", "Min"])
def test_whole_reduce_extreme(kernel, rng, op, dtype, order):
    """Value and index, index and value, value only, index only; ties give the lowest index."""
    image, p, x, on = masked_source(rng, dtype)
    size = x.dtype.itemsize
    y = np.where(on, x, x.dtype.type(-np.inf if op == "Max" else np.inf))
    index = y.argmax(-1) if op == "Max" else y.argmin(-1)
    value = y[np.arange(len(y)), index]
    word = index.astype(f"u{size}")
    r = np.arange(len(y)) * 2  # repeat stride 2
    want = image.copy()
    if order == 0:
        write(want, 0, r * 2 * size, value)
        write(want, 0, r * 2 * size + size, word)
    elif order == 1:
        write(want, 0, r * 2 * size, word)
        write(want, 0, r * 2 * size + size, value)
    elif order == 2:
        write(want, 0, r * size, value)
    else:
        write(want, 0, r * 4, index.astype(np.uint32))
    assert np.array_equal(run(kernel, f"WholeReduce{op}_{dtype}", image, pack(**p, DST_REP=2, MODE=order)), want)


@pytest.mark.parametrize("dtype", FLOATS)
def test_reduce_of_a_tensor(kernel, rng, dtype):
    dd, size = DTYPES[dtype], np.dtype(DTYPES[dtype]).itemsize
    count = int(rng.integers(2, 5000))
    x = values(rng, dtype, count, 1.0)
    x = np.clip(x, -8, 8).astype(dd)
    image = image_of(rng, None, np.pad(x, (0, -count % 16)))
    got = run(kernel, f"ReduceTensor_{dtype}", image, pack(COUNT=count))
    total, largest, least = (got[o * size : o * size + 2 * size].view(dd) for o in (0, 64, 128))
    index = lambda v: v.view(f"u{size}")[1]  # noqa: E731
    depth = np.ceil(np.log2(count)) + 1
    assert (
        abs(float(total[0]) - x.astype(np.float64).sum())
        <= depth * np.finfo(dd).eps * np.abs(x.astype(np.float64)).sum()
    )
    assert largest[0] == x.max() and index(largest) == x.argmax()
    assert least[0] == x.min() and index(least) == x.argmin()


@pytest.mark.parametrize("mode", range(6))
@pytest.mark.parametrize("dtype", FLOATS)
def test_compare(kernel, rng, dtype, mode):
    dd, size = DTYPES[dtype], np.dtype(DTYPES[dtype]).itemsize
    count = int(rng.integers(1, 20)) * 256 // size
    a, b = (np.round(values(rng, dtype, count, 1.0)) for _ in range(2))
    f = [np.less, np.greater, np.equal, np.less_equal, np.greater_equal, np.not_equal][mode]
    for name, other, scalar in ((f"Compare_{dtype}", b, None), (f"CompareScalar_{dtype}", dd(1.0), dd(1.0))):
        image = image_of(rng, None, a, b, None if scalar is None else np.full(16, scalar, dd))
        want = image.copy()
        bits = np.packbits(f(a, other), bitorder="little")
        want[: bits.size] = bits
        assert np.array_equal(run(kernel, name, image, pack(COUNT=count, MODE=mode)), want)


@pytest.mark.parametrize("mode", range(3))
@pytest.mark.parametrize("dtype", FLOATS)
def test_select(kernel, rng, dtype, mode):
    dd, size = DTYPES[dtype], np.dtype(DTYPES[dtype]).itemsize
    lanes = 256 // size
    if mode == 0:  # one repeat's condition bits serve every repeat
        p, on, blk, rep = geometry(rng, "bits", size, 2)
        image = image_of(rng, (dtype, 2.0), (dtype, 2.0), (dtype, 2.0))
        condition = np.unpackbits(image[3 * PART : 3 * PART + lanes // 8], bitorder="little").astype(bool)
        want = image.copy()
        for r in range(on.shape[0]):
            at = [addresses(size, size, on.shape[0], blk[i], rep[i])[r][on[r]] for i in range(3)]
            write(want, 0, at[0], np.where(condition[on[r]], read(image, 1, at[1], dd), read(image, 2, at[2], dd)))
        assert np.array_equal(run(kernel, f"Select_{dtype}", image, pack(**p, MODE=0)), want)
        return
    count = int(rng.integers(1, 2000))
    image = image_of(rng, (dtype, 2.0), (dtype, 2.0), (dtype, 2.0))
    condition = np.unpackbits(image[3 * PART :], bitorder="little")[:count].astype(bool)
    a, b = image[PART:].view(dd)[:count], image[2 * PART :].view(dd)[:count]
    want = image.copy()
    want[: count * size].view(dd)[:] = np.where(condition, a, dd(0.5) if mode == 1 else b)
    assert np.array_equal(run(kernel, f"Select_{dtype}", image, pack(COUNT=count, MODE=mode)), want)


def test_transpose(kernel, rng):
    image = image_of(rng)
    want = image.copy()
    want[:512] = (
        np.ascontiguousarray(image[PART : PART + 512].view(np.uint16).reshape(16, 16).T).view(np.uint8).reshape(-1)
    )
    assert np.array_equal(run(kernel, "Transpose_half", image, pack()), want)


@pytest.mark.parametrize("dtype", ["half", "float"])
def test_trans_data_to_5hd(kernel, rng, dtype):
    """16 rows of one block; 2-byte: element c of row r -> place r of output c; 4-byte: outputs 2c, 2c+1 of 8 rows."""
    size = np.dtype(DTYPES[dtype]).itemsize
    repeats = 2
    image = image_of(rng)
    want = image.copy()
    for i in range(repeats):
        rows = np.stack([image[PART + r * 64 + i * 32 :][:32].view(f"u{size}") for r in range(16)])
        out = rows.T.reshape(-1, 16 if size == 2 else 8)
        for c in range(16):
            start = c * 32 + i * 16 * 32
            want[start : start + 32] = np.ascontiguousarray(out[c]).view(np.uint8)
    params = pack(REPEAT=repeats, DST_REP=16, S0_REP=1)
    assert np.array_equal(run(kernel, f"TransDataTo5HD_{dtype}", image, params), want)


@pytest.mark.parametrize("dtype", ["half", "int16_t", "int32_t", "float"])
def test_create_vec_index(kernel, rng, dtype):
    dd, count = DTYPES[dtype], int(rng.integers(1, 1000))
    image = image_of(rng)
    image[3 * PART : 3 * PART + np.dtype(dd).itemsize] = np.array([5], dd).view(np.uint8)
    want = image.copy()
    want[: count * np.dtype(dd).itemsize].view(dd)[:] = (5 + np.arange(count)).astype(dd)
    assert np.array_equal(run(kernel, f"CreateVecIndex_{dtype}", image, pack(COUNT=count)), want)
