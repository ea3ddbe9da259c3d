"""Keeps the shards of this process connected, each by itself: what ends one does not disturb the others.

discord.py's `AutoShardedClient` was rejected, because it closes all shards when one is lost. A client costs less than a
tenth of a megabyte.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial

from bot.delivery.pacing import pace_others
from bot.gateway import GatewayOptions, is_token_refused, run_gateway
from bot.gateway_errors import TOO_FEW_SHARDS, GatewayClosedError, bad_token_error
from bot.identify_turns import IdentifyTurns
from bot.shards import Shard, list_shards
from shared import logs, process
from shared.database import Sessions
from shared.discord.client import DiscordClient, GatewayAdvice
from shared.discord.errors import InvalidTokenError
from shared.errors import PermanentError, TransientError
from shared.schedule.retry import Backoff, retry
from shared.settings import BotSettings, DiscordSettings, Timing, load


@dataclass(frozen=True)
class Connections:
    """The connections of this process to the gateway."""

    discord: DiscordSettings
    sessions: Sessions
    settings: BotSettings
    options: GatewayOptions
    backoff: Backoff

    async def run(self) -> None:
        """Stay connected until cancelled. If Discord demands more shards than it recommended, begin with more.

        Raises:
            ConfigurationError: the REST API rejects the token.
        """
        while True:
            wanted = await retry(self._ask_discord, backoff=self.backoff, on_failure=self._record_failure)
            shards = list_shards(self.settings, wanted.shards)
            self.options.state.expect(shards)
            turns = None
            if wanted.shards > 1:
                is_alone = self.settings.processes == 1
                turns = IdentifyTurns(self.sessions, is_alone=is_alone, max_concurrency=wanted.max_concurrency)
            outgrown = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(self._keep_connected(shard, turns, outgrown)) for shard in shards]
                await outgrown.wait()
                for task in running:
                    task.cancel()

    async def _keep_connected(self, shard: Shard, turns: IdentifyTurns | None, outgrown: asyncio.Event) -> None:
        await process.run_forever(shard.name, partial(self._run_gateway, shard, turns, outgrown), backoff=self.backoff)

    async def _run_gateway(self, shard: Shard, turns: IdentifyTurns | None, outgrown: asyncio.Event) -> None:
        try:
            await run_gateway(self.discord, self.sessions, self.options, shard=shard, turns=turns)
        except GatewayClosedError as error:
            if error.close_code == TOO_FEW_SHARDS and (await self._ask_discord()).shards > shard.count:
                outgrown.set()
            raise

    async def _ask_discord(self) -> GatewayAdvice:
        """Return the number of all shards, which Discord recommends if it is not set, and how many identify at once.

        Raises:
            ConfigurationError: the REST API rejects the token.
            TransientError: Discord does not say it now.
        """
        if self.settings.shards == 1:
            return GatewayAdvice(shards=1, max_concurrency=1)
        trace = pace_others(self.options.limiter)
        async with DiscordClient.connected(self.discord, load(Timing), trace=trace) as client:
            try:
                advice = await client.get_gateway_advice()
            except InvalidTokenError as error:
                if await is_token_refused(self.discord, self.options.limiter):
                    raise bad_token_error() from error
                raise
            except PermanentError as error:
                raise TransientError(str(error)) from error
        return advice if self.settings.shards == "auto" else replace(advice, shards=self.settings.shards)

    def _record_failure(self, error: TransientError) -> None:
        logs.get(task=Shard().name).warning(str(error), action="task_failed")
        self.options.state.record_lost(str(error), shard=Shard())
