"""Trains the network that guesses the phones of unknown words, and scores it."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from models.evaluation.error_rates import edit_distance
from models.synthesis.pronunciation import BLANK, PHONES, PLACES_A_LETTER, SpellingNetwork, encode_letters, guess_phones
from models.training.budget import Budget
from models.training.loop import Phase
from models.training.run_folder import Run
from models.training.settings import SynthesisSettings
from syncline.errors import SettingsError

SOURCE = Path("/usr/share/festival/dicts/cmu/cmudict-0.4.out")
N_UNSEEN = 2000
SEED = 5

_ENTRY = re.compile(r'\("([a-z\']+)" (\w+) (.*)\)')
_TAKEN = ("nil", "dt", "n", "j")
"""Of words that are said by their part of speech: which is taken, best first; a noun is what is met most often."""


def read_source(path: Path = SOURCE) -> dict[str, list[str]]:
    """Word in small letters -> its phones. Raises SettingsError where the package is not installed."""
    if not path.exists():
        raise SettingsError(str(path), "no such file", "CMU's dictionary (Debian: festlex-cmu)")
    found: dict[str, dict[str, list[str]]] = {}
    for line in path.read_text(encoding="latin1").splitlines():
        entry = _ENTRY.match(line)
        if entry:
            phones = [phone for phone in re.findall(r"[a-z]+", entry[3]) if phone in PHONES]
            found.setdefault(entry[1], {}).setdefault(entry[2], phones)
    return {word: _best(kinds) for word, kinds in found.items()}


def split_unseen(words: dict[str, list[str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Words to learn spelling from, and 2,000 that are kept for the test; a word and its forms are on one side."""
    stems = sorted({stem_of(word) for word in words})
    random.Random(SEED).shuffle(stems)
    members: dict[str, list[str]] = {}
    for word in sorted(words):
        members.setdefault(stem_of(word), []).append(word)
    unseen: list[str] = []
    for stem in stems:
        unseen += members[stem][: N_UNSEEN - len(unseen)]
        if len(unseen) == N_UNSEEN:
            held = set(stems[: stems.index(stem) + 1])
            break
    else:
        raise SettingsError("lexicon", f"{len(words)} words", f"more than {N_UNSEEN}")
    return {w: p for w, p in words.items() if stem_of(w) not in held}, {w: words[w] for w in unseen}


def stem_of(word: str) -> str:
    """What forms of a word have in common, roughly: `hammers`, `hammer's` and `hammering` are `hammer`."""
    return re.sub(r"(?<=\w{3})('s|s'|ings?|ed|ers?|es|s|ly)$", "", word).replace("'", "")


def _best(kinds: dict[str, list[str]]) -> list[str]:
    return next((kinds[kind] for kind in _TAKEN if kind in kinds), next(iter(kinds.values())))


N_LOOKED_AT = 500
"""Words, a tenth at most, that are kept for the log's phone error; none of them is unseen, which is for the test."""

_NUMBERS = {phone: number for number, phone in enumerate(PHONES, start=1)}


class SpellingTask:
    """The loss of the spelling network on words of the lexicon."""

    def __init__(
        self, network: SpellingNetwork, words: Mapping[str, Sequence[str]], settings: SynthesisSettings
    ) -> None:
        fitting = [(w, p) for w, p in sorted(words.items()) if _fits(w, p)]
        self.network, self._batch = network, settings.spelling_batch
        self._words = [word for word, _ in fitting]
        self._phones = [[_NUMBERS[phone] for phone in phones] for _, phones in fitting]
        self._dice = torch.Generator().manual_seed(settings.seed * 10 + 7)
        self.last = float("nan")

    def loss(self, spent: float) -> Tensor:  # noqa: ARG002
        """CTC's loss of words drawn by chance."""
        drawn = torch.randint(len(self._words), (self._batch,), generator=self._dice).tolist()
        letters, n_letters = encode_letters([self._words[i] for i in drawn])
        phones = torch.tensor([number for i in drawn for number in self._phones[i]])
        n_phones = torch.tensor([len(self._phones[i]) for i in drawn])
        scores = self.network(letters, n_letters).transpose(0, 1)
        loss = F.ctc_loss(scores, phones, n_letters * PLACES_A_LETTER, n_phones, BLANK)
        self.last = float(loss.detach())
        return loss


def train_spelling(
    words: Mapping[str, Sequence[str]], network: SpellingNetwork, settings: SynthesisSettings, run: Run | None = None
) -> SpellingNetwork:
    """Train `network` on `words`, without some that validation looks at."""
    looked_at = {word: words[word] for word in sorted(words)[:: max(10, len(words) // N_LOOKED_AT)]}
    task = SpellingTask(network, {w: p for w, p in words.items() if w not in looked_at}, settings)
    budget = Budget(settings.seconds("spelling"), settings.n_steps("spelling"))

    def look(module: nn.Module) -> dict[str, float]:
        assert isinstance(module, SpellingNetwork)  # noqa: S101  # nosec B101  # for the type checker
        return {"phones right": 1 - phone_error(module, looked_at)}

    def losses() -> dict[str, float]:
        return {"CTC": task.last}

    Phase("spelling", network, budget, settings.of_spelling(), run).run(task.loss, losses, look)
    return network


def phone_error(network: SpellingNetwork, words: Mapping[str, Sequence[str]]) -> float:
    """Edits from the guessed to the right phones, divided by the number of right phones."""
    training = network.training
    network.eval()
    guesses = guess_phones(network, list(words))
    network.train(training)
    n_edits = sum(edit_distance(guess, right) for guess, right in zip(guesses, words.values(), strict=True))
    return n_edits / sum(len(right) for right in words.values())


def _fits(word: str, phones: Sequence[str]) -> bool:
    """Whether the word's places can hold its phones, with a blank between two that are alike."""
    n_needed = len(phones) + sum(a == b for a, b in pairwise(phones))
    return 0 < n_needed <= PLACES_A_LETTER * len(word)
