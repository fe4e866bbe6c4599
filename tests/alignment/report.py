"""The tables that `make test-alignment` prints."""

from collections.abc import Iterable, Sequence

from tests.alignment.chain import Found
from tests.alignment.generator import Clip
from tests.alignment.real_media import Outcome


def clip_lines(results: Sequence[tuple[Clip, Found]]) -> Iterable[str]:
    """One line per combination, then every error, then the counts."""
    counts = f"{'frames':>7}{'crops':>7}{'rows':>7}{'slip':>9}{'beeps':>7}{'slip':>9}"
    yield f"{'clip':<32}{counts}  {'audio':<9}{'errors':>6}"
    for clip, found in results:
        yield (
            f"{clip.name:<32}{found.frames:>7}{found.crops:>7}{found.rows:>7}{found.slip_s * 1000:>6.2f} ms"
            f"{found.beeps:>7}{found.beep_slip_s * 1000:>6.2f} ms  {found.state:<9}{len(found.errors):>6}"
        )
    for clip, found in results:
        yield from (f"{clip.name}: {error}" for error in found.errors)
    everything = [found for _, found in results]
    yield (
        f"{len(everything)} combinations: {sum(found.frames for found in everything)} frames, "
        f"{sum(found.crops for found in everything)} crops, {sum(found.rows for found in everything)} annotation and "
        f"submission rows and {sum(found.beeps for found in everything)} beeps read back, "
        f"{sum(len(found.errors) for found in everything)} errors; largest slip of a frame "
        f"{max(found.slip_s for found in everything) * 1000:.2f} ms, of a beep "
        f"{max(found.beep_slip_s for found in everything) * 1000:.2f} ms"
    )


def real_lines(outcomes: Sequence[Outcome]) -> Iterable[str]:
    """One line per real file, then the counts."""
    yield (
        f"{'file':<38}{'frames':>7}{'expected':>9}{'damaged':>8}{'rotation':>9}  {'shown':<10}{'audio':<10}"
        f"{'expected':<10}outcome"
    )
    for some in outcomes:
        frames = "" if some.frames is None else str(some.frames)
        expected = "" if some.frames_expected is None else str(some.frames_expected)
        damaged = "" if some.frames is None else str(some.damaged)
        yield (
            f"{some.file:<38}{frames:>7}{expected:>9}{damaged:>8}{some.rotation:>9}  {some.shown:<10}{some.state:<10}"
            f"{some.state_expected:<10}{some.outcome}"
        )
    yield f"{len(outcomes)} real files, {sum(not some.right for some in outcomes)} not as the manifest says"
