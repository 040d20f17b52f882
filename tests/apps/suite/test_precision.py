import pytest

from apps.suite import process


@pytest.mark.parametrize(
    ("flags", "chosen"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_bf16", "mixed_bfloat16"),
        ("flags\t\t: fpu amx_bf16 amx_tile", "mixed_bfloat16"),
        ("flags\t\t: fpu avx2 avx512f", "float32"),
        ("Features\t: neon", "float32"),
    ],
)
def test_auto_is_bfloat16_only_where_the_cpu_multiplies_it(flags, chosen, tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\n{flags}\nbugs\t\t:\n")
    assert process.resolve_precision("auto", file) == chosen


def test_auto_is_float32_where_nothing_is_known(tmp_path):
    assert process.resolve_precision("auto", tmp_path / "missing") == "float32"


def test_a_precision_that_is_named_stays():
    assert process.resolve_precision("float32") == "float32"
    assert process.resolve_precision("mixed_bfloat16") == "mixed_bfloat16"
