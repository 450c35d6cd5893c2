"""Pictures: every mode and format to the same square, EXIF orientation, limits, transparency, normalising."""

from __future__ import annotations

import concurrent.futures

import numpy as np
import pytest
from PIL import Image

from processors.image import load_pixels, normalise
from processors.settings import ImageSettings
from syncline.errors import MediaError
from tests.support.media import encoded, picture, png_bomb, small_files

SMALL = ImageSettings(size=16)
TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


def ramp(pixels: np.ndarray) -> None:
    """Hold uint8 (3, 16, 16) against the middle of `picture`: red grows to the right, green downwards."""
    assert pixels.dtype == np.uint8
    assert pixels.shape == (3, 16, 16)
    assert (np.diff(pixels[0].astype(int).mean(axis=0)) > 0).all()
    assert (np.diff(pixels[1].astype(int).mean(axis=1)) > 0).all()


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (64, 96), (640, 200), (20, 16)])
@pytest.mark.parametrize("kind", TYPES)
def test_every_format_and_shape_becomes_the_same_square(kind: str, size: tuple[int, int]) -> None:
    """Red still grows to the right and green downwards after scaling and cropping."""
    ramp(load_pixels(encoded(picture(size=size), kind), TYPES[kind], SMALL))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_png_mode_is_read(mode: str) -> None:
    """Each PNG mode gives three channels of the right brightness."""
    pixels = load_pixels(encoded(picture(mode, (32, 32)), "PNG"), "image/png", SMALL)
    plain = picture("RGB" if mode in ("RGB", "RGBA", "P") else "L", (32, 32))
    if mode == "I;16":
        plain = Image.fromarray(np.asarray(picture("RGB", (32, 32)))[..., 0])
    expected = load_pixels(encoded(plain, "PNG"), "image/png", SMALL).astype(int)
    assert np.abs(pixels.astype(int) - expected).mean() < {"1": 60, "P": 25}.get(mode, 2)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_every_jpeg_mode_is_read(mode: str) -> None:
    """Grey, colour and CMYK JPEGs have about the colours of the picture they were made of."""
    source = picture(mode, (64, 64))
    pixels = load_pixels(encoded(source, "JPEG", quality=95), "image/jpeg", SMALL)
    expected = load_pixels(encoded(source.convert("RGB"), "PNG"), "image/png", SMALL)
    assert np.abs(pixels.astype(int) - expected.astype(int)).mean() < 6


def test_the_square_is_the_centre() -> None:
    """Of a wide picture in three colours the middle one is left; only its edges mix."""
    wide = Image.new("RGB", (90, 30), (255, 0, 0))
    wide.paste((0, 255, 0), (30, 0, 60, 30))
    wide.paste((0, 0, 255), (60, 0, 90, 30))
    pixels = load_pixels(encoded(wide, "PNG"), "image/png", ImageSettings(size=10))
    assert (pixels[1, :, 1:-1] == 255).all()
    assert (pixels[[0, 2], :, 1:-1] == 0).all()
    assert (pixels[1] > 200).all()


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_obeyed(kind: str, orientation: int) -> None:
    """A picture stored turned, with the EXIF orientation that says so, comes out as the upright one."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transpose that stores a picture so, by PIL's numbers
    upright = picture(size=(48, 64))
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"exif": exif.tobytes()} | ({"quality": 95} if kind != "PNG" else {})
    pixels = load_pixels(encoded(stored, kind, **options), TYPES[kind], SMALL)
    expected = load_pixels(encoded(upright, "PNG"), "image/png", SMALL)
    assert np.abs(pixels.astype(int) - expected.astype(int)).mean() < 4


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparency_is_laid_on_the_background(kind: str) -> None:
    """Where a picture is transparent the background shows, half-transparent parts mix."""
    image = Image.new("RGBA", (32, 32), (200, 0, 0, 128))
    image.paste((0, 0, 0, 0), (0, 0, 32, 16))
    settings = ImageSettings(size=8, background=(0, 100, 0))
    pixels = load_pixels(encoded(image, kind, lossless=True), TYPES[kind], settings)
    assert np.abs(pixels[:, 1, 4].astype(int) - (0, 100, 0)).max() <= 1
    assert np.abs(pixels[:, 6, 4].astype(int) - (100, 50, 0)).max() <= 2


def test_a_transparent_palette_colour_is_laid_on_the_background() -> None:
    """A palette's transparent entry shows the background."""
    data = encoded(Image.new("P", (8, 8), 0), "PNG", transparency=0)
    assert (load_pixels(data, "image/png", ImageSettings(size=4, background=(7, 8, 9)))[:, 2, 2] == (7, 8, 9)).all()


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    """The later frames leave no trace."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    pixels = load_pixels(data, TYPES[kind], ImageSettings(size=4)).astype(int)
    assert (pixels[0] > 240).all()
    assert (pixels[1:] < 10).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1)])
def test_the_smallest_and_thinnest_pictures_are_read(size: tuple[int, int]) -> None:
    """One pixel is enough for a square."""
    data = encoded(Image.new("RGB", size, (1, 2, 3)), "PNG")
    assert (load_pixels(data, "image/png", SMALL)[:, 8, 8] == (1, 2, 3)).all()


def test_pictures_are_normalised() -> None:
    """White is (1 - mean) / std, black -mean / std, per channel, in float32."""
    settings = ImageSettings(size=4, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))
    white = normalise(load_pixels(encoded(Image.new("RGB", (4, 4), "white"), "PNG"), "image/png", settings), settings)
    assert white.dtype == np.float32
    assert white.shape == (3, 4, 4)
    np.testing.assert_allclose(white[:, 0, 0], [0.9 / 0.5, 0.8 / 0.25, 0.7 / 2], rtol=1e-5)
    black = normalise(np.zeros((2, 3, 4, 4), np.uint8), settings)
    np.testing.assert_allclose(black[1, :, 3, 3], [-0.2, -0.8, -0.15], rtol=1e-5)


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    """A few KB that hold 144 megapixels."""
    bomb = png_bomb(12_000, 12_000)
    assert len(bomb) < 30_000
    with pytest.raises(MediaError, match="image_too_many_pixels: got 12000 x 12000 = 144000000, takes at most"):
        load_pixels(bomb, "image/png")


@pytest.mark.parametrize(
    ("data", "content_type", "reason"),
    [
        (b"", "image/png", "empty"),
        (bytes(2_000), "image/png", "too_many_bytes"),
        (b"GIF89a" + bytes(20), "image/gif", "content_type_unknown"),
        (b"GIF89a" + bytes(20), "image/png", "content_type_mismatch"),
        (small_files()["png"][1], "image/jpeg", "content_type_mismatch"),
        (small_files()["jpeg"][1], "image/webp", "content_type_mismatch"),
        (small_files()["wav"][1][:900], "image/webp", "content_type_mismatch"),
        (small_files()["png"][1][:40], "image/png", "image_header"),
        (small_files()["jpeg"][1][:-20], "image/jpeg", "image_undecodable"),
    ],
)
def test_each_fault_has_its_own_reason(data: bytes, content_type: str, reason: str) -> None:
    """What is wrong stands in `reason`."""
    with pytest.raises(MediaError) as caught:
        load_pixels(data, content_type, ImageSettings(max_bytes=1_000))
    assert caught.value.reason == reason


def test_content_type_parameters_and_case_do_not_matter() -> None:
    """`Image/PNG; name=x` is a PNG."""
    assert load_pixels(small_files()["png"][1], "Image/PNG; name=x", SMALL).shape == (3, 16, 16)


def test_threads_agree_with_one_thread() -> None:
    """Sixteen decodes at once give what they give alone."""
    files = [small_files()[name] for name in ("jpeg", "png", "webp", "png-palette")] * 4
    alone = [load_pixels(data, content_type, SMALL) for content_type, data in files]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda file: load_pixels(file[1], file[0], SMALL), files))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
