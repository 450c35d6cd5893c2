"""The budget, the slow copy of the weights, and how far validation trusts each part."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from models.reference.network import NetworkDimensions, ReferenceNetwork
from models.training.budget import Budget
from models.training.loop import Phase
from models.training.reference.calibrate import SUBSETS, calibrate, calibrate_alone, fusion_accuracy, subset_evidence
from models.training.settings import TrainSettings

N_CONCEPTS = 12


class Clock:
    """A clock that is moved by hand."""

    now_s = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now_s


def test_budget_by_the_clock() -> None:
    """By the clock, half the time is half the budget, however many steps it took."""
    clock = Clock()
    budget = Budget(100.0, clock_s=clock)
    clock.now_s, budget.step = 50.0, 3
    assert (budget.spent(), budget.left_s()) == (0.5, 50.0)
    clock.now_s = 500.0
    assert budget.spent() == 1


def test_budget_by_steps() -> None:
    """By steps, the clock does not matter but for the estimate of what is left."""
    clock = Clock()
    budget = Budget(1.0, 10, clock)
    assert math.isnan(budget.left_s())
    clock.now_s, budget.step = 40.0, 4
    assert (budget.spent(), budget.left_s()) == (0.4, pytest.approx(60.0))


def test_learning_rate_rises_and_falls() -> None:
    """It starts at 0, peaks after a twentieth, and ends at 0."""
    budget = Budget(1.0, 100)
    rates: list[float] = []
    for step in range(101):
        budget.step = step
        rates.append(budget.learning_rate(2.0))
    assert rates[0] == 0
    assert max(rates) == rates[5] == 2.0
    assert rates[-1] == pytest.approx(0, abs=1e-9)


def test_the_slow_copy_is_kept() -> None:
    """After a phase the module has the averaged weights, which lie between start and end."""
    torch.manual_seed(0)
    module = nn.Linear(2, 1, bias=False)
    start = module.weight.detach().clone()
    settings = TrainSettings(learning_rate=0.1, weight_decay=0.0)
    seen: list[torch.Tensor] = []

    def loss(spent: float) -> torch.Tensor:
        seen.append(module.weight.detach().clone())
        return module(torch.ones(1, 2)).sum()  # pulls the weights down for ever

    Phase("test", module, Budget(1.0, 20), settings).run(loss, dict, lambda _: {})
    assert (module.weight < start).all()
    assert (module.weight > seen[-1]).all()


EVERYONE = torch.ones(N_CONCEPTS, dtype=torch.bool)


def showing(right_by_image: float) -> tuple[ReferenceNetwork, torch.Tensor]:
    """A network, and validation's features: pictures right for a share of the concepts, words and speech for all."""
    torch.manual_seed(0)
    network = ReferenceNetwork(NetworkDimensions(N_CONCEPTS, 50, 5, n_state=32, n_audio_channels=32)).requires_grad_(
        False
    )
    directions = [network.branches[lane].table.directions for lane in ("image", "text", "audio")]  # pyright: ignore
    meanings = torch.stack([d.detach().clone() for d in directions])  # pyright: ignore
    features = torch.stack([meanings, torch.zeros_like(meanings)], 2)
    wrong = int(N_CONCEPTS * (1 - right_by_image))
    features[0, :wrong] = features[0, :wrong].roll(1, 0)  # they show their neighbour
    return network.eval(), features


def calibrated(right_by_image: float) -> torch.Tensor:
    """How far each branch alone is trusted then."""
    network, features = showing(right_by_image)
    calibrate_alone(network, features, EVERYONE)
    return network.trust_alone


def test_who_errs_is_trusted_less() -> None:
    """A modality that is often wrong gets less trust than one that never is, and than itself when it is right."""
    trust = calibrated(0.5)
    assert trust[0] < trust[2]
    assert trust[0] < calibrated(1.0)[0]


def test_the_transformer_begins_on_top_of_the_sum() -> None:
    """Calibrating the branches leaves the Transformer counting in full, for sets of every kind."""
    network, features = showing(0.5)
    calibrate_alone(network, features, EVERYONE)
    assert (network.trust[:, :3] == network.trust_alone).all()
    assert (network.trust[:, 3] == 1).all()


def test_a_transformer_that_does_not_help_is_not_heard() -> None:
    """One that has learned nothing leaves sets of every kind to the sum."""
    network, features = showing(0.5)
    calibrate_alone(network, features, EVERYONE)
    calibrate(network, features, EVERYONE)
    assert (network.trust == torch.cat([network.trust_alone, torch.zeros(1)])).all()


def test_a_transformer_is_heard_where_it_helps() -> None:
    """One that knows every picture counts in pictures alone, and not in what the others know as well."""
    network, features = showing(0.5)
    calibrate_alone(network, features, EVERYONE)
    knows = network.shared.directions.detach().clone()
    network.fusion.forward = lambda _, modality, there: knows * (modality == 0).all(1, keepdim=True)  # pyright: ignore
    calibrate(network, features, EVERYONE)
    assert [kind for kind in range(8) if network.trust[kind, 3] > 0] == [0b001]


def test_a_specialist_is_heard_in_any_case() -> None:
    """What the fusion is compared with counts in its pair, and in no other kind of set."""
    network, features = showing(0.5)
    calibrate_alone(network, features, EVERYONE)
    calibrate(network, features, EVERYONE, [True, False, True])
    assert [kind for kind in range(8) if network.trust[kind, 3] > 0] == [0b101]


def test_sets_with_text_leave_out_who_has_none() -> None:
    """Kinds with text are only those concepts' that have one; the others are all concepts'."""
    features, has_text = torch.randn(3, N_CONCEPTS, 2, 32), torch.arange(N_CONCEPTS) < 9
    for lanes in SUBSETS:
        evidence, concept = subset_evidence(features, has_text, lanes)
        assert len(concept) == (9 if lanes[1] else N_CONCEPTS)
        assert evidence.features.shape == (len(concept), sum(lanes), 2, 32)
        assert evidence.modality[0].tolist() == [i for i, there in enumerate(lanes) if there]


def test_accuracy_names_every_kind() -> None:
    """Seven kinds, named by their lanes."""
    torch.manual_seed(0)
    network = ReferenceNetwork(NetworkDimensions(N_CONCEPTS, 50, 5, n_state=32, n_audio_channels=32))
    accuracy = fusion_accuracy(network, torch.randn(3, N_CONCEPTS, 2, 32), torch.ones(N_CONCEPTS, dtype=torch.bool))
    assert list(accuracy)[::3] == ["image", "audio", "image+text+audio"]
    assert len(accuracy) == 7
