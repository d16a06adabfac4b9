"""When the paper's mechanisms act."""

from __future__ import annotations

import pytest

from imuge_cli.training.imuge_plan import ABLATION, Mechanisms, Phase, Schedule


def test_the_papers_schedule() -> None:
    """200 epochs of a step each: 20 for each of three stages, R told the true mask for 100."""
    schedule = Schedule(200)
    assert schedule.boundaries() == [20, 40, 60, 100]
    assert [schedule.phase(step).stage for step in (0, 19, 20, 39, 40, 59, 60, 199)] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert schedule.phase(59) == Phase(3, 1.0, true_mask=True, verifying=False)
    assert schedule.phase(80) == Phase(4, 1.0, true_mask=True, verifying=True)
    assert schedule.phase(100) == Phase(4, 1.0, true_mask=False, verifying=True)


def test_stages_are_faded_in_and_stay() -> None:
    schedule = Schedule(200)
    assert {schedule.phase(step).alpha for step in range(20)} == {1.0}
    for begin in (20, 40, 60):
        alphas = [schedule.phase(step).alpha for step in range(begin, begin + 20)]
        assert alphas[0] == 0 and alphas == sorted(alphas)
        assert alphas[5] == pytest.approx(0.5) and alphas[10:] == [1.0] * 10
    assert all(schedule.phase(step).alpha == 1 for step in range(80, 200))
    assert Schedule(200, fading_share=0).phase(20).alpha == 1


def test_each_mechanism_can_be_left_out() -> None:
    without = Schedule(100, Mechanisms(progressive=False))
    assert without.boundaries() == [50]
    assert without.phase(0) == Phase(4, 1.0, true_mask=True, verifying=True)
    assert Schedule(100, Mechanisms(decoupling=False, progressive=False)).boundaries() == []
    joint = Schedule(100, Mechanisms(decoupling=False))
    # While R is small V is idle, and R has to be told by somebody.
    assert joint.phase(5) == Phase(1, 1.0, true_mask=True, verifying=False)
    assert joint.phase(40) == Phase(4, 1.0, true_mask=False, verifying=True)
    blind = Schedule(100, Mechanisms(verifier=False, decoupling=False))
    assert not any(blind.phase(step).true_mask or blind.phase(step).verifying for step in range(100))
    with pytest.raises(ValueError, match="decouple"):
        Mechanisms(verifier=False)


def test_the_ablation_adds_one_mechanism_a_row() -> None:
    rows = [vars(row) for row in ABLATION.values()]
    assert sum(rows[0].values()) == 0 and all(rows[-1].values())
    for before, after in zip(rows, rows[1:], strict=False):
        assert [name for name in before if before[name] != after[name]] == [next(n for n in before if not before[n])]


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"steps": 9, "stage_share": 0.34}, {"steps": 9, "decoupled_share": 1.2}]
)
def test_impossible_schedules_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="."):
        Schedule(**wrong)  # type: ignore[arg-type]
