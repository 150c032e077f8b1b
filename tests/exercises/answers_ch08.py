"""Chapter 08: right answers written differently, and wrong ones without a message of their own."""

import torch
from torch import nn

from course_lib.exercises import ch08


def by_torch(x, running_mean, running_var, training, eps=1e-5):
    memory = (None, None) if training else (running_mean, running_var)
    return nn.functional.batch_norm(x, *memory, training=training, eps=eps)


def from_the_top_down(layers, top, factor=2.6):
    rates = []
    for _ in range(layers):
        rates.insert(0, top)
        top = top / factor
    return rates


def by_asking_each(names, every, step):
    last = len(names) - 1
    return [name for place, name in enumerate(names) if step >= (last - place) * every]


def layer_by_layer(body, images):
    modes = [(module, module.training) for module in body.modules()]
    try:
        with torch.inference_mode():
            features = body.eval()(images)
    finally:
        for module, mode in modes:
            module.training = mode
    return features.clone()


def gradients_left_off(body, images):
    was = body.training
    torch.set_grad_enabled(False)
    features = body.eval()(images)
    body.train(was)
    return features


def one_group_added(model, body_rate, head_rate):
    optimizer = torch.optim.SGD(model.head.parameters(), lr=head_rate)
    optimizer.add_param_group({"params": model.body.parameters(), "lr": body_rate})
    return optimizer


def unfreezes(model, body_rate, head_rate):
    model.requires_grad_(True)
    return ch08.make_optimizer.answer(model, body_rate, head_rate)


def by_what_is_frozen(model, body_rate, head_rate):
    frozen = [one for one in model.parameters() if not one.requires_grad]
    free = [one for one in model.parameters() if one.requires_grad]
    groups = [{"params": frozen, "lr": body_rate}, {"params": free, "lr": head_rate}]
    return torch.optim.SGD([group for group in groups if group["params"]])


def gradients_switched_on(body, images):
    features = ch08.frozen_features.answer(body, images)
    torch.set_grad_enabled(True)
    return features


def sgd(**extra):
    def answer(model, body_rate, head_rate):
        groups = [
            {"params": model.body.parameters(), "lr": body_rate},
            {"params": model.head.parameters(), "lr": head_rate},
        ]
        return torch.optim.SGD(groups, **extra)

    return answer


RIGHT = {
    ch08.residual_block: [
        lambda x, first, second: (second(first(x).clamp(min=0)) + x).clamp(min=0)
    ],
    ch08.normalize: [by_torch],
    ch08.discriminative_rates: [from_the_top_down],
    ch08.trained_at: [by_asking_each],
    ch08.frozen_features: [layer_by_layer],
    ch08.make_optimizer: [one_group_added],
}

WRONG = {
    ch08.residual_block: [
        "torch.relu(x + second(inside)) -> x + second(inside)",
        "x + second(inside) -> x + second(inside.detach())",
        "x + second -> torch.relu(x) + second",
        lambda x, first, second: torch.relu(x.add_(second(torch.relu(first(x))))),
        "inside = torch.relu(first(x)) -> first(x); inside = torch.relu(first(x))",
    ],
    ch08.normalize: [
        "if training: -> if training and len(x) > 1:",
        "(variance + eps) -> (variance + 1e-5)",
        "x.mean(dim=(0, 2, 3)) -> x.mean(dim=(0, 2, 3)).detach()",
        lambda x, mean, var, training, eps=1e-5: nn.functional.batch_norm(
            x, mean, var, training=training, eps=eps
        ),
    ],
    ch08.discriminative_rates: [
        "layers - 1 - layer -> layers - layer",
        "range(layers)] -> range(layers - 1)]",
        "top / factor -> top * factor",
        "range(layers)] -> range(1, layers + 1)]",
        lambda layers, top, factor=2.6: [round(top / factor**k, 3) for k in range(layers)][::-1],
    ],
    ch08.trained_at: [
        "step // every -> round(step / every)",
        "1 + step // every -> 1 + step // 10",
        "len(names)) -> 4)",
        "list(names[len(names) - count :]) -> sorted(names[len(names) - count :])",
    ],
    ch08.frozen_features: [
        gradients_left_off,
        "return features -> return features.mean(dim=0)",
        "return features -> body.requires_grad_(True); return features",
        "body.eval() -> ",
        lambda body, images: ch08.frozen_features.answer(body, images).numpy(),
        "part.training = mode -> part.train()",
        "body.eval() -> body[1].eval()",
        "torch.no_grad() -> torch.inference_mode()",
        gradients_switched_on,
    ],
    ch08.make_optimizer: [
        unfreezes,
        sgd(momentum=0.9),
        sgd(weight_decay=1e-4),
        "body_rate} -> 0.01}",
        "list(model.body.parameters()) -> list(model.body.parameters())[-2:]",
        by_what_is_frozen,
    ],
}
