"""Small recordings on disk: each is a tone of its own, so that it can be told from every other."""

import numpy as np
import soundfile

RATE_HZ = 8_000


def tone(hz, seconds=0.1, rate_hz=RATE_HZ):
    """Float32 sine of amplitude 0.5."""
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(
        np.float32
    )


def write(path, samples, rate_hz=RATE_HZ, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz, **options)
    return path


def write_words(folder, words, speakers=("ann", "bob", "cy", "dee"), takes=3):
    """`folder/<word>/<speaker>_nohash_<take>.wav`; gives their names."""
    names = [f"{w}/{s}_nohash_{t}.wav" for w in words for s in speakers for t in range(takes)]
    for number, name in enumerate(names):
        write(folder / name, tone(100 + number))
    return names


def write_csv(path, *rows, header="path,label"):
    """Rows of text; a small recording for each path that is not there yet."""
    for number, row in enumerate(rows):
        file = path.parent / row.split(",")[0]
        if file.suffix and not file.exists():
            write(file, tone(100 + number))
    path.write_text("\n".join([header, *rows]) + "\n")
    return path
