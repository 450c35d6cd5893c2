"""The sets that the fusion learns from."""

from __future__ import annotations

import pytest
import torch

from models.training.reference.calibrate import SUBSETS, Lanes
from models.training.reference.fuse import SINGLES, FusionTask

N, N_DRAWS = 200, 3


@pytest.fixture
def task() -> FusionTask:
    """Draws of which each says what it is: [concept, lane, draw]. The network is not asked."""
    task = object.__new__(FusionTask)
    task._dice = torch.Generator().manual_seed(3)
    concept, draw = torch.meshgrid(torch.arange(N), torch.arange(N_DRAWS), indexing="ij")
    lanes = [torch.stack([concept, torch.full_like(concept, lane), draw], -1).float() for lane in range(3)]
    task._features = [of[:, :, None].expand(-1, -1, 2, -1) for of in lanes]
    return task


@pytest.mark.parametrize(("subsets", "n_places"), [(SUBSETS, {3, 4}), (SINGLES, {1, 2})])
def test_members_are_of_their_concept_and_lane(
    task: FusionTask, subsets: list[Lanes], n_places: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is there is a draw of the set's concept, of the lane that it says; nobody else is there twice."""
    monkeypatch.setattr("torch.nn.functional.dropout", lambda features, _: features)
    seen = set[tuple[bool, ...]]()
    for _ in range(20):
        concept = torch.randint(N, (50,))
        made = task._view(concept, subsets)
        n_places.discard(made.modality.shape[1])
        for row, modality, there in zip(range(50), made.modality.tolist(), made.there.tolist(), strict=True):
            mine = [(lane, made.features[row, i, 0]) for i, lane in enumerate(modality) if there[i]]
            assert all(feature[:2].tolist() == [concept[row], lane] for lane, feature in mine)
            lanes = [lane for lane, _ in mine]
            assert len(lanes) - len(set(lanes)) <= 1
            seen.add(tuple(lane in lanes for lane in range(3)))
    assert seen == {tuple(lanes) for lanes in subsets}
    assert not n_places  # with a second member somewhere, and without
