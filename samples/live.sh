#!/usr/bin/env bash
# Watch a video upscaled while it plays: ffmpeg reads it in real time, vidsr upscales it, ffplay shows it.
# Usage: samples/live.sh [VIDEO] [SCALE]
# NUT on both sides has the least latency: its packets state their length, so none waits for the next one.
set -euo pipefail

video="${1:-$(dirname "$0")/clip.mp4}"
scale="${2:-2}"

ffmpeg -loglevel error -re -i "$video" -c copy -f nut - |
    vidsr upscale --scale "$scale" - - |
    ffplay -loglevel error -fflags nobuffer -flags low_delay -autoexit -
