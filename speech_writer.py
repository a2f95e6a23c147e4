"""What listens to a voice message: prints its words. Run in a process of its own.

    python -P speech_writer.py MODEL FILE

The model is fetched when it is used for the first time.
"""

from __future__ import annotations

import sys

from faster_whisper import WhisperModel


def main() -> int:
    """Print what is said in the file."""
    name, path = sys.argv[1:3]
    model = WhisperModel(name, device="auto", compute_type="default")
    segments, _ = model.transcribe(path, vad_filter=True)
    for segment in segments:
        print(segment.text.strip(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
