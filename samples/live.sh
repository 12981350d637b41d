#!/usr/bin/env bash
# Watch a film enlarged while it plays: ffmpeg reads it at its own pace, vidsr enlarges it, ffplay shows it.
# Usage: samples/live.sh [FILM] [SCALE]
# NUT on both sides costs least latency: it says where a frame ends, so nobody waits for the next one.
set -euo pipefail

film="${1:-$(dirname "$0")/clip.mp4}"
scale="${2:-2}"

ffmpeg -loglevel error -re -i "$film" -c copy -f nut - |
    vidsr upscale --scale "$scale" - - |
    ffplay -loglevel error -fflags nobuffer -flags low_delay -autoexit -
