import json
import platform

import pytest
import torch

from ibcore import __version__, info


def test_a_report_has_what_a_number_may_depend_on():
    found = info.facts()
    assert found["versions"]["ibcore"] == __version__
    assert found["versions"]["torch"] == torch.__version__
    assert "not installed" not in found["versions"].values()
    assert found["torch"]["threads"] == torch.get_num_threads()
    assert "CLARABEL" in found["solvers of cvxpy"]["installed"]
    assert any("blas" in name for name in found["thread pools"])
    json.dumps(found, allow_nan=False)


def test_settings_of_the_environment_are_told(monkeypatch):
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    told = info.facts()["environment"]
    assert told["MKL_CBWR"] == "COMPATIBLE"
    assert told["OMP_NUM_THREADS"] == "not set"


def test_the_text_has_every_fact():
    text = info.as_text({"group": {"name": "a", "long name": ["b", "c"], "n": 2}})
    assert text.splitlines() == [
        "group",
        "  name       a",
        "  long name  b, c",
        "  n          2",
    ]


def test_devices_of_cuda_are_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", "card {}".format)
    assert info.facts()["cuda"]["devices"] == ["card 0", "card 1"]


@pytest.mark.parametrize("name", ["", "some chip"])
def test_a_processor_always_has_a_name(monkeypatch, name):
    monkeypatch.setattr(info, "CPUINFO", info.Path("/nonexistent"))
    monkeypatch.setattr(platform, "processor", lambda: name)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    assert info._processor() == (name or platform.machine())
