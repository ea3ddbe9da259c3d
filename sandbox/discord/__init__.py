"""A simulated Discord for the demo, the tests and the chaos suite: REST API, gateway, web page and faults on demand.

Unmodified clients talk to it over HTTP and WebSocket. `world` holds the state, and `rules` checks what is allowed.
Requests come in through `rest`, `gateway` and `interactions`, and pass `faults` and `rate_limits`. `control` and `page`
are for people and test scenarios. `server.SandboxDiscord` serves all of it on one port, and `client.SandboxClient`
drives it from another process.
"""
