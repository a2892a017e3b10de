import pytest
import torch

from ibcore.oracles.norm_margin import norm_max_margin
from ibcore.problems.sparse_margin import planted_l1, sparse_teacher, wave_teacher
from ibcore.validation import InvalidInput


def generator(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("n", "support", "slacks"),
    [(12, 3, (0.2, 0.5, 1.0)), (4, 4, (0.3,)), (6, 1, (0.9, 0.6))],
)
def test_planted_solution_is_the_one_of_the_linear_program(n, support, slacks):
    problem = planted_l1(n, support, slacks, 0.05, generator(1))
    solution = norm_max_margin(problem.X, problem.y, 1)
    assert problem.X.shape == (n, support + len(slacks))
    assert solution.margin == pytest.approx(0.05, rel=1e-9)
    torch.testing.assert_close(solution.primal, problem.primal, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(solution.dual, problem.dual, rtol=1e-7, atol=1e-9)


def test_planted_slacks_are_those_of_the_dual():
    problem = planted_l1(9, 3, (0.25, 0.4, 0.8), 0.1, generator(2))
    pull = (problem.signed.T @ problem.dual).abs()
    unused = problem.primal == 0
    torch.testing.assert_close(pull[~unused], torch.ones(3).double())
    torch.testing.assert_close(1 - pull[unused], problem.slacks)
    torch.testing.assert_close(
        problem.slacks.sort().values, torch.tensor([0.25, 0.4, 0.8]).double()
    )
    margins = problem.signed @ problem.primal
    assert int((margins < 1 + 1e-9).sum()) == 3
    assert float(margins.sort().values[3]) >= 1.2 - 1e-9


def test_sparse_teacher_separates_with_its_margin():
    problem = sparse_teacher(30, 6, 2, 0.2, generator(3))
    again = sparse_teacher(30, 6, 2, 0.2, generator(3))
    assert torch.equal(problem.X, again.X)
    candidates = (
        torch.tensor([[a, b, 0, 0, 0, 0] for a in (1, -1) for b in (1, -1)]).double()
        / 2**0.5
    )
    assert float((problem.signed @ candidates.T).amin(0).max()) >= 0.2


def test_wave_teacher_is_separated_by_a_sum_of_waves():
    problem = wave_teacher(200, 9, 1, 0.1, generator(4))
    angle = 2 * torch.pi * torch.arange(9) / 9
    waves = [
        torch.stack([torch.cos(k * angle), torch.sin(k * angle)]).double()
        for k in range(1, 5)
    ]
    share = [float((problem.signed.mean(0) @ wave.T).norm()) for wave in waves]
    best = waves[max(range(4), key=share.__getitem__)]
    phases = torch.linspace(0, 2 * torch.pi, 3601).double()
    teachers = torch.stack([phases.cos(), phases.sin()], 1) @ best
    assert float((problem.signed @ teachers.T).amin(0).max()) > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: planted_l1(2, 3, (0.5,), 0.1, generator(0)), "at least 3"),
        (lambda: planted_l1(5, 3, (0.0,), 0.1, generator(0)), "slacks"),
        (lambda: planted_l1(5, 3, (0.5,), -1.0, generator(0)), "margin"),
        (lambda: sparse_teacher(5, 2, 3, 0.1, generator(0)), "at least 3"),
        (lambda: wave_teacher(5, 4, 2, 0.1, generator(0)), "at least 5"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()


def test_in_an_odd_dimension_every_frequency_can_be_a_wave():
    problem = wave_teacher(20_000, 5, 2, 0.5, generator(0))
    size = torch.fft.rfft(problem.signed.mean(0)).abs()
    assert float(size[0]) < 0.05
    assert float(size[1]) == pytest.approx(float(size[2]), abs=0.1)
    assert float(size[1]) > 1


def test_a_support_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr("ibcore.problems.sparse_margin._DRAWS", 20)
    with pytest.raises(InvalidInput, match="none of 20 draws gave a system of 60"):
        planted_l1(60, 60, (0.5,), 0.1, generator(0))
