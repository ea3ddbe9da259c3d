"""Which loop a custom resource gets, and what each loop is given: the one place that knows them all."""

from __future__ import annotations

from controllers.keeper import AnyLoop, MakeLoop
from controllers.loops.dead_letters import DeadLetterLoop
from controllers.loops.dispatch import DispatchLoop
from controllers.loops.source import SOURCES
from controllers.loops.wake import WakeListener
from controllers.resources.models import DeadLetterReconcilerSpec, Resource, SchedulerSpec
from shared.database import Sessions
from shared.errors import PermanentError
from shared.messaging.publisher import Publisher
from shared.settings import BrokerSettings, Timing


def loop_factory(
    *, sessions: Sessions, publisher: Publisher, broker: BrokerSettings, wake: WakeListener, timing: Timing
) -> MakeLoop:
    """Return what makes the loop of a resource."""

    def make_loop(resource: Resource) -> AnyLoop:
        match resource.spec:
            case SchedulerSpec() as spec:
                return DispatchLoop(
                    SOURCES[spec.source], spec, sessions=sessions, publisher=publisher, wake=wake, timing=timing
                )
            case DeadLetterReconcilerSpec() as spec:
                return DeadLetterLoop(spec, sessions=sessions, publisher=publisher, broker=broker, timing=timing)
            case _:
                raise PermanentError(f"no loop belongs to {resource}")

    return make_loop
