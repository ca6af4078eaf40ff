"""After a rehearsal, nothing is compiled any more while events are learned."""

from __future__ import annotations

import subprocess
import sys

CODE = """
from stream.service.rehearsal import rehearse
from stream.evaluation import loops
from stream.network import pair_kernels, step_kernels
assert rehearse() == "compiled"
found = {name: getattr(module, name) for module in (loops, pair_kernels, step_kernels) for name in module.__all__}
known = {name: len(loop.signatures) for name, loop in found.items()}
assert all(known.values()), known
from stream.testing.streams import FEATURES, OFFERS, apply, events, label, learn, restored, settings
from stream.learner.core import LearnerCore
learner = LearnerCore(settings(hidden=(12, 12)))
apply(learner, *FEATURES, *OFFERS)
learn(learner, events(96))
apply(learner, label("jam", group="g1"))
learn(learner, events(96, 1, 1000))
learner = restored(learner)
learn(learner, events(96, 1, 2000))
learner.predict(learner.encode(events(1)))
now = {name: len(loop.signatures) for name, loop in found.items()}
assert now == known, (known, now)
"""


def test_after_a_rehearsal_no_loop_is_compiled_any_more() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
