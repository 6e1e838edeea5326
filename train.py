"""Trains a KEMER model on one fold: `accelerate launch train.py --config configs/demo.yaml`.

Koh, Joo and Jung, "Reflecting dialogue and pretrained information into Multi Modal Emotion
Recognition" (2023), sections 2.3 and 3. The whole run is on this page; each step is a module of
`kemer/`. Flags override the file: `--fold 1 --seed 2`. What is wrong with the settings or the files
is told in one sentence; Python's development mode (`PYTHONDEVMODE=1`) shows where it came up.
"""

from __future__ import annotations

import os
import sys

from transformers import set_seed

from kemer.answers import answer_held_out
from kemer.arguments import RunArguments
from kemer.checkpoints import find_checkpoint
from kemer.command_line import parse_arguments
from kemer.data import load_split
from kemer.features import build_features
from kemer.initialisation import build_model, build_processor
from kemer.lora import merge_lora
from kemer.mistakes import told_in_a_sentence
from kemer.release.run_push import open_run_target, push_run
from kemer.results import save_model, summarise, write_results
from kemer.training import build_trainer


def main(arguments: RunArguments) -> None:
    """Run: data, model, training, evaluation, results."""
    training, paths = arguments.training, arguments.paths
    # The Trainer's TensorBoard callback reads its folder from here.
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(paths.logs)

    is_first = training.process_index == 0
    target = open_run_target(training, paths) if is_first else None
    checkpoint = find_checkpoint(training, paths)
    split = load_split(arguments.data, reads_text=arguments.model.text_encoder is not None)
    set_seed(training.seed)
    model = build_model(arguments.model)
    processor = build_processor(arguments.model)
    hidden_states = build_features(model, processor, split=split, arguments=arguments)

    trainer = build_trainer(
        model,
        processor,
        split=split,
        arguments=training,
        data=arguments.data,
        hidden_states=hidden_states,
    )
    trainer.train(resume_from_checkpoint=checkpoint)
    merge_lora(model)

    answers = answer_held_out(trainer, split, arguments, hidden_states=hidden_states)
    if trainer.is_world_process_zero():
        model.config.label_set_decoder = answers.decoder.to_dict()
        save_model(model, processor, paths.model)
        results = write_results(
            answers,
            arguments=arguments,
            split=split,
            best_step=trainer.state.best_global_step,
        )
        print(summarise(results, paths))
        if target is not None:
            print(push_run(paths, target))
    trainer.accelerator.end_training()


if __name__ == "__main__":
    with told_in_a_sentence("train.py"):
        main(parse_arguments(sys.argv[1:]))
