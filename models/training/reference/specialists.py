"""A specialist for each pair of lanes: the same branches, and a fusion trained on that pair only.

python -m models.training.reference.specialists FOLDER   # after `syncline model train`; FOLDER/specialists/PAIR
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec
import torch
from tokenizers import Tokenizer

from models.evaluation import protocol
from models.folder import checked_bytes
from models.reference.checkpoint import TOKENIZER, open_network, read_manifest, save_checkpoint
from models.reference.network import LANES, ReferenceNetwork
from models.training.display import Display, log_to
from models.training.reference.data import open_corpus
from models.training.reference.trainer import train_fusion
from models.training.settings import ReferenceSettings
from syncline.errors import SynclineError


def train_specialists(folder: Path, corpus_dir: Path, out: Path, settings: ReferenceSettings) -> None:
    """Train a specialist for each pair on the branches of the model in `folder`, and write them to OUT/specialists."""
    manifest = read_manifest(folder)
    tokenizer_json = checked_bytes(folder, TOKENIZER, manifest).decode()
    torch.set_num_threads(1)
    data = open_corpus(
        corpus_dir,
        protocol.concepts(),
        protocol.texts(),
        protocol.words(),
        Tokenizer.from_str(tokenizer_json),
        settings.seed + 1,
    )
    settings = msgspec.structs.replace(settings, contrast_weight=0.0)
    for pair in protocol.PAIRS:
        torch.manual_seed(settings.seed)
        network = ReferenceNetwork(manifest.dimensions, settings.dropout)
        network.branches.load_state_dict(open_network(folder, manifest).branches.state_dict())
        train_fusion(network, data, settings, None, [lane in pair.split("+") for lane in LANES])
        mine = msgspec.structs.replace(manifest, name=pair, training=msgspec.to_builtins(settings))
        save_checkpoint(protocol.specialist_folder(out, pair), network, tokenizer_json, mine)


def main() -> int:
    """Run the command line; exit codes are those of `SynclineError`."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.reference.specialists", description="Train specialists."
    )
    parser.add_argument("folder", type=Path, help="a trained model")
    parser.add_argument("--out", type=Path, help="folder to write specialists/ in (default: the model's)")
    parser.add_argument(
        "--corpus", type=Path, default=protocol.CORPUS_DIR, help="folder of the corpus (default: corpus/)"
    )
    parser.add_argument("--minutes", type=float, default=4.0, help="for each pair (default: 4)")
    given = parser.parse_args()
    out: Path = given.out or given.folder
    out.mkdir(parents=True, exist_ok=True)
    log_to(out / "specialists.log")
    try:
        seed = int(read_manifest(given.folder).training.get("seed", 1))
        settings = ReferenceSettings(seed=seed, minutes=given.minutes, fusion_share=1.0)
        with Display():
            train_specialists(given.folder, given.corpus, out, settings)
    except SynclineError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
