"""Makes the demo's samples out of the corpus: `python -m models.training.corpus.demo`.

Pictures are noto's (a style that the model knows), so they are made harder than a drawing is: moved, turned, partly
covered, with a camera's noise, in three formats and several sizes. Speech is flite's slt, a voice that the model was
not trained on, with noise under it, in three formats and several rates. The same seed gives the same files.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import zlib
from pathlib import Path
from random import Random

import numpy as np
import soundfile
import soxr
from PIL import Image

from models.evaluation.protocol import CORPUS_DIR, Concept, concepts, texts
from models.training.corpus.pictures import find_svg, render_svg
from models.training.corpus.speech import speak

N_SAMPLES = 72
SEED = 11
PICTURE_FORMATS = (("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"))
PICTURE_SIZES = (96, 128, 192, 256)
SOUND_FORMATS = (("wav", "WAV", "PCM_16"), ("flac", "FLAC", "PCM_16"), ("ogg", "OGG", "VORBIS"))
SOUND_RATES = (16_000, 22_050, 48_000)
SNR_DB = 15.0
COVERED_SHARE = 0.3


def build_samples(packages_dir: Path, out_dir: Path) -> None:
    """Write `samples.json` and the files that it names to `out_dir`."""
    random = Random(SEED)
    english, chinese = texts().en, texts().zh
    usable = [concept for concept in concepts() if concept.name in english and concept.name in chinese]
    chosen = random.sample(usable, N_SAMPLES)
    drawings = find_svg(packages_dir, "noto", chosen)
    (out_dir / "media").mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "label": concept.label,
            "image": _write_picture(random, out_dir, concept, drawings[concept.name], number),
            "audio": _write_sound(random, out_dir, concept, number),
            "text_en": english[concept.name],
            "text_zh": chinese[concept.name],
        }
        for number, concept in enumerate(chosen)
    ]
    index = {"samples": rows, "broken": _write_broken(out_dir, out_dir / rows[0]["image"])}
    (out_dir / "samples.json").write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n")


def _write_picture(random: Random, out_dir: Path, concept: Concept, svg: str, number: int) -> str:
    suffix, kind = PICTURE_FORMATS[number % len(PICTURE_FORMATS)]
    size = PICTURE_SIZES[number % len(PICTURE_SIZES)] if kind != "PNG" else 96
    name = f"media/{concept.name}.{suffix}"
    picture = _as_a_camera_sees_it(random, Image.open(io.BytesIO(render_svg(svg, size))).convert("RGBA"), size)
    picture.save(out_dir / name, kind, **({"quality": 80} if kind != "PNG" else {"optimize": True}))
    return name


def _as_a_camera_sees_it(random: Random, drawing: Image.Image, size: int) -> Image.Image:
    paper = tuple(random.randint(90, 255) for _ in range(3))
    scene = Image.new("RGBA", (size, size), (*paper, 255))
    turned = drawing.rotate(random.uniform(-15, 15), Image.Resampling.BICUBIC)
    side = round(size * random.uniform(0.75, 0.95))
    small = turned.resize((side, side), Image.Resampling.BICUBIC)
    room = size - small.width
    scene.alpha_composite(small, (random.randint(0, room), random.randint(0, room)))
    covered = round(size * COVERED_SHARE)
    corner = (random.randint(0, size - covered), random.randint(0, size - covered))
    scene.paste((*paper, 255), (*corner, corner[0] + covered, corner[1] + covered))
    pixels = np.asarray(scene.convert("RGB"), dtype=np.float32)
    noise = np.random.default_rng(random.getrandbits(32)).normal(0, 8, pixels.shape)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def _write_sound(random: Random, out_dir: Path, concept: Concept, number: int) -> str:
    suffix, kind, subtype = SOUND_FORMATS[number % len(SOUND_FORMATS)]
    rate_hz = SOUND_RATES[(number // len(SOUND_FORMATS)) % len(SOUND_RATES)] if kind != "WAV" else 16_000
    name = f"media/{concept.name}.{suffix}"
    with tempfile.TemporaryDirectory() as folder:
        spoken = Path(folder) / "spoken.wav"
        speak("flite-slt", concept.label, spoken)
        samples, spoken_hz = soundfile.read(spoken, dtype="float32")
    resampled = soxr.resample(samples, spoken_hz, rate_hz)
    loudness = float(np.sqrt(np.mean(resampled**2)))
    noise = np.random.default_rng(random.getrandbits(32)).normal(0, 1, len(resampled)).astype(np.float32)
    noisy = resampled + noise * loudness * 10 ** (-SNR_DB / 20)
    soundfile.write(out_dir / name, np.clip(noisy, -1, 1), rate_hz, format=kind, subtype=subtype)
    return name


def _write_broken(out_dir: Path, picture: Path) -> list[dict[str, str]]:
    """Three files that cannot be read and one that would take 144 MB of memory, with the reason of each."""
    broken_dir = out_dir / "broken"
    broken_dir.mkdir(exist_ok=True)
    whole = picture.read_bytes()
    files = [
        ("image", "cut.jpg", "image/jpeg", "image_undecodable", whole[: len(whole) // 2]),
        ("text", "latin1.txt", "text/plain; charset=utf-8", "text_not_utf8", "gr\u00fc\u00dfe".encode("latin-1")),
        ("audio", "cut.wav", "audio/wav", "audio_header", b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00"),
        ("image", "bomb.png", "image/png", "image_too_many_pixels", bomb_png(12_000)),
    ]
    for _, name, _, _, data in files:
        (broken_dir / name).write_bytes(data)
    return [
        {"modality": modality, "path": f"broken/{name}", "content_type": content_type, "reason": reason}
        for modality, name, content_type, reason, _ in files
    ]


def bomb_png(side: int) -> bytes:
    """A small PNG of side x side black pixels, one bit each, that unpacks to side * side bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return len(data).to_bytes(4, "big") + kind + data + check.to_bytes(4, "big")

    header = side.to_bytes(4, "big") * 2 + bytes((1, 0, 0, 0, 0))
    rows = zlib.compress(bytes(side * (1 + (side + 7) // 8)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


if __name__ == "__main__":
    target = Path(__file__).resolve().parents[3] / "examples" / "demo"
    build_samples(CORPUS_DIR / "npm", target)
    total = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    sys.stderr.write(f"samples: {total / 2**20:.1f} MiB in {target}\n")
