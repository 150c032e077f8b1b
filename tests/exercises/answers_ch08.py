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


def memory_put_back(body, images):
    memory = {name: tensor.clone() for name, tensor in body.state_dict().items()}
    was = body.training
    with torch.no_grad():
        features = body.train()(images)
    body.load_state_dict(memory)
    body.train(was)
    return features


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
        lambda x, first, second: (second(first(x).clamp(min=0)) + x).clamp(min=0),
    ],
    ch08.normalize: [by_torch],
    ch08.discriminative_rates: [from_the_top_down],
    ch08.trained_at: [by_asking_each],
    ch08.frozen_features: [layer_by_layer],
    ch08.make_optimizer: [one_group_added],
}

WRONG = {
    ch08.residual_block: [
        "x + second -> x.detach() + second",
        "x + second(inside) -> x + second(inside.detach())",
        "x + second -> torch.relu(x) + second",
        "torch.relu(x + -> torch.nn.functional.gelu(x +",
        "x + second(inside) -> torch.cat([x, second(inside)], dim=1)",
        "x + second -> x - second",
        "second(inside) -> first(inside)",
        lambda x, first, second: torch.relu(x.add_(second(torch.relu(first(x))))),
    ],
    ch08.normalize: [
        ", correction=0 -> ",
        "(variance + eps).sqrt() -> variance.sqrt()",
        "(variance + eps).sqrt() -> (variance.sqrt() + eps)",
        "(variance + eps) -> (variance + 1e-5)",
        "x.mean(dim=(0, 2, 3)) -> x.mean(dim=(0, 2, 3)).detach()",
        lambda x, mean, var, training, eps=1e-5: (
            nn.functional.instance_norm(x, eps=eps)
            if training
            else ch08.normalize.answer(x, mean, var, False, eps)
        ),
        lambda x, mean, var, training, eps=1e-5: (
            (x - x.mean(0)) / (x.var(0, correction=0) + eps).sqrt()
            if training
            else ch08.normalize.answer(x, mean, var, False, eps)
        ),
        lambda x, mean, var, training, eps=1e-5: nn.functional.batch_norm(
            x, mean, var, training=training, eps=eps
        ),
    ],
    ch08.discriminative_rates: [
        "layers - 1 - layer -> layers - layer",
        "range(layers)] -> range(layers - 1)]",
        "[top / factor -> [0 * layers + top + 0 * factor",
        "top / factor -> top * factor",
        "range(layers)] -> range(1, layers + 1)]",
        lambda *given: torch.tensor(ch08.discriminative_rates.answer(*given)),
        "top / factor ** (layers - 1 - layer) -> top * factor**layer",
        lambda layers, top, factor=2.6: [top] * layers,
        lambda layers, top, factor=2.6: [round(top / factor**k, 3) for k in range(layers)][::-1],
    ],
    ch08.trained_at: [
        "step // every -> round(step / every)",
        "1 + step // every -> 1 + (step - 1) // every",
        "1 + step // every -> 1 + step // 10",
        "len(names)) -> 4)",
        "len(names)) -> len(names) - 1)",
        "len(names) - count :]) -> len(names) - count :])[::-1]",
        "list(names[len(names) - count :]) -> sorted(names[len(names) - count :])",
        "list(names[len(names) - count :]) -> len(names[len(names) - count :])",
    ],
    ch08.frozen_features: [
        memory_put_back,
        gradients_left_off,
        "return features -> return features.mean(dim=0)",
        "return features -> body.requires_grad_(True); return features",
        "return features -> body.requires_grad_(False); return features",
        "body.eval() -> ",
        "body.eval() -> body[0].eval()",
        lambda body, images: body.eval()(images).detach(),
        lambda body, images: ch08.frozen_features.answer(body, images).numpy(),
        "part.training = mode -> part.train()",
        "body.eval() -> body[1].eval()",
    ],
    ch08.make_optimizer: [
        unfreezes,
        sgd(momentum=0.9),
        sgd(weight_decay=0.1),
        sgd(nesterov=True, momentum=0.5),
        sgd(maximize=True),
        lambda model, body_rate, head_rate: torch.optim.Adam(model.parameters(), lr=head_rate),
        lambda model, body_rate, head_rate: torch.optim.SGD(model.head.parameters(), lr=head_rate),
        lambda model, body_rate, head_rate: torch.optim.SGD(model.parameters(), lr=head_rate),
        lambda model, body, head: ch08.make_optimizer.answer(model, head, body),
        "body_rate} -> 0.01}",
        "model.body.parameters() -> p for n, p in model.named_parameters() if 'head' not in n",
    ],
}
