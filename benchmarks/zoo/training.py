"""Training, the same for everyone: AdamW, a cosine schedule, one thread, the same bytes for the same seed."""

from collections.abc import Callable, Iterable
from math import cos, pi
from typing import Any

import torch
from torch import nn

Loss = Callable[[torch.Tensor], torch.Tensor]
TAIL = 30
"""The final loss is the mean over this many last steps."""


def next_token_loss(model: nn.Module) -> Loss:
    """Cross-entropy of the next token, in nats."""

    def loss(ids: torch.Tensor) -> torch.Tensor:
        logits = model(input_ids=ids).logits[:, :-1]
        return nn.functional.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten())

    return loss


def distillation_loss(student: nn.Module, teacher: nn.Module) -> Loss:
    """Cross-entropy of the student's next token under the teacher's distribution, in nats."""
    teacher.eval()

    def loss(ids: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            target = teacher(input_ids=ids).logits.flatten(0, 1).float().softmax(-1)
        return nn.functional.cross_entropy(student(input_ids=ids).logits.flatten(0, 1).float(), target)

    return loss


def train(
    model: nn.Module, loss_of: Loss, batches: Iterable[torch.Tensor], *, steps: int, rate: float, decay: float = 0.1
) -> float:
    """Train what has `requires_grad`, in place.

    Args:
        model: The model; put into training mode, and left in evaluation mode.
        loss_of: Loss of a batch.
        batches: `steps` batches.
        steps: Number of steps; the schedule needs it beforehand.
        rate: The highest learning rate; reached after a tenth of the steps, a tenth of it at the end.
        decay: Weight decay.

    Returns:
        The mean loss of the last steps.
    """
    model.train()
    parameters = [each for each in model.parameters() if each.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.95), weight_decay=decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _factor(step, steps))
    losses = []
    for ids in batches:
        loss = loss_of(ids)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        schedule.step()
        losses.append(loss.item())
    model.eval()
    tail = losses[-TAIL:]
    return sum(tail) / len(tail)


def _factor(step: int, steps: int) -> float:
    warm_up = max(1, steps // 10)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.1 + 0.45 * (1 + cos(pi * (step - warm_up) / max(1, steps - warm_up)))


def relative_change(model: nn.Module, parent: dict[str, torch.Tensor]) -> float:
    """Norm of the task vector over the norm of the parent's weights, matrices only."""
    state: dict[str, Any] = model.state_dict()
    common = [name for name, value in parent.items() if value.ndim > 1 and name in state and state[name].shape == value.shape]
    change = sum(float((state[name] - parent[name]).square().sum()) for name in common)
    whole = sum(float(parent[name].square().sum()) for name in common)
    return (change / whole) ** 0.5
