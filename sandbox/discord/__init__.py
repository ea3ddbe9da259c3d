"""A Discord of our own: REST API, gateway, page and faults on demand, for the demo, the tests and the chaos suite.

Unmodified clients talk to it over HTTP and WebSocket. Inside: `world` is the state and obeys, `rules` judges what may
be done, `rest`, `gateway` and `interactions` are the ways in, `faults` and `rate_limits` stand in between, `control`
and `page` are for people and scenarios. `server.SandboxDiscord` puts them on one port; `client.SandboxClient` drives
it from another process.
"""
