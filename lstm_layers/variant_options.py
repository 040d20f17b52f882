"""What tells one LSTM variant from another."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Variant:
    """Options of `VariantLSTM` beside those of every layer; equations in `variant_equations`.

    Attributes:
        gates: which gates are computed, letters of "ifo"; the other ones are open (one).
        coupled_gates: f = 1 - i, with no weights of its own (Greff et al. 2017, CIFG).
        peepholes: gates that see the cell state, letters of those computed.
        truncated_peepholes: no gradient flows through the peepholes into the cell, as Gers,
            Schraudolph and Schmidhuber 2002 trained them; the peepholes themselves learn. (They cut
            the gradient through h as well; here that one stays whole.)
        full_gate_recurrence: the gates also see all gates of the step before (Greff et al., FGR).
        input_activation, output_activation: φ_in and φ_out; None for the layer's `activation`.
        projection_units: size of h, then a linear projection of the cell's output (Sak, Senior and
            Beaufays 2014, section 2); None for none.
        layer_normalization: of x W and of h' R, each over all its parts together, and of the cell
            where it is shown (Ba, Kiros and Hinton 2016, supplementary material). The shifts of the
            two products would add up with b to one shift: b is that.
        zoneout_c, zoneout_h: probability with which an entry of c, of h, keeps its value, drawn
            anew for each step and row in training; otherwise the expectation is taken (Krueger et
            al. 2017, section 3).
        cell_clip: c is kept within ± this (as in Sak et al.'s training); no gradient flows where
            it is cut.

    Raises:
        ValueError: options out of their range, or that contradict each other.
    """

    gates: str = "ifo"
    coupled_gates: bool = False
    peepholes: str = ""
    truncated_peepholes: bool = False
    full_gate_recurrence: bool = False
    input_activation: str | None = None
    output_activation: str | None = None
    projection_units: int | None = None
    layer_normalization: bool = False
    zoneout_c: float = 0.0
    zoneout_h: float = 0.0
    cell_clip: float | None = None

    def __post_init__(self):
        _check_letters("gates", self.gates, "ifo")
        if self.coupled_gates and "i" not in self.gates:
            raise ValueError("coupled_gates needs an input gate: f = 1 - i")
        _check_letters("peepholes", self.peepholes, self.computed)
        if self.full_gate_recurrence and not self.computed:
            raise ValueError("full_gate_recurrence needs a gate that is computed")
        for name in ("zoneout_c", "zoneout_h"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} must be in [0, 1), got {getattr(self, name)}")
        for name in ("projection_units", "cell_clip"):
            if getattr(self, name) is not None and getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")

    @property
    def computed(self) -> str:
        """Letters of the gates with weights of their own, in the order i, f, o."""
        coupled = "f" if self.coupled_gates else ""
        return "".join(gate for gate in "ifo" if gate in self.gates and gate not in coupled)

    @property
    def parts(self) -> str:
        """Letters of the parts of W, R and b, in the order of Keras: i, f, g, o."""
        return "".join(part for part in "ifgo" if part == "g" or part in self.computed)

    @property
    def gate_states(self) -> int:
        """How many gates are states, beside h and c."""
        return len(self.computed) if self.full_gate_recurrence else 0


def _check_letters(name: str, letters: str, known: str) -> None:
    if set(letters) - set(known) or len(set(letters)) < len(letters):
        raise ValueError(f'{name} must be letters of "{known}", each at most once: {letters!r}')


FIELDS = frozenset(field.name for field in dataclasses.fields(Variant))
