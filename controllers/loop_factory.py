"""Which loop a custom resource gets, and what each loop is given: the one place that knows them all."""

from __future__ import annotations

from controllers.loop_runner import AnyLoop, LoopFactory
from controllers.loops.dead_letters import DeadLetterLoop
from controllers.loops.dispatch import DispatchLoop
from controllers.loops.notify_listener import NotifyListener
from controllers.loops.sources import SOURCES
from controllers.resources.models import DeadLetterReconcilerSpec, Resource, SchedulerSpec
from shared.database import Sessions
from shared.errors import PermanentError
from shared.messaging.publisher import Publisher
from shared.settings import BrokerSettings, Timing


def loop_factory(
    *, sessions: Sessions, publisher: Publisher, broker: BrokerSettings, listener: NotifyListener, timing: Timing
) -> LoopFactory:
    """Return what makes the loop of a resource."""

    def make_loop(resource: Resource) -> AnyLoop:
        match resource.spec:
            case SchedulerSpec() as spec:
                return DispatchLoop(
                    SOURCES[spec.source], spec, sessions=sessions, publisher=publisher, listener=listener, timing=timing
                )
            case DeadLetterReconcilerSpec() as spec:
                return DeadLetterLoop(spec, sessions=sessions, publisher=publisher, broker=broker, timing=timing)
            case _:
                raise PermanentError(f"no loop belongs to {resource}")

    return make_loop
