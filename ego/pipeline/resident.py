"""Rows that lie on the GPU while heads are trained, where they fit: a batch is then gathered where it is used."""

from dataclasses import replace

import torch

from ego.pipeline.cached import CachedClips

SHARE = 0.5
"""How much of the free memory rows may take; the rest is for the head, its gradients and what it makes of a batch."""


def on_device(clips: CachedClips, device: str) -> CachedClips:
    """The same clips with their rows on a GPU, as far as they fit there; on a CPU as they are."""
    if torch.device(device).type != "cuda":
        return clips
    free, _ = torch.cuda.mem_get_info(device)
    return placed(clips, device, int(SHARE * free))


def placed(clips: CachedClips, device: str, room: int) -> CachedClips:
    """The same clips, those features on the device that fit into `room` bytes one after another, the smallest first."""
    columns = dict(clips.columns)
    for name, column in sorted(columns.items(), key=lambda item: item[1].bytes):
        room -= column.bytes
        if room < 0:
            break
        columns[name] = replace(column, device=device)
    return replace(clips, columns=columns)
