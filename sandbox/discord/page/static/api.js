/* The client of the sandbox's control API. */

export const PAGE = 100;

export class Refused extends Error {}

async function call(method, path, body) {
  const options = { method };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(`/sandbox/${path}`, options);
  } catch {
    throw new Refused("The sandbox isn't responding. Is it still running?");
  }
  if (response.status === 204) return null;
  const answer = await response.json();
  if (!response.ok) throw new Refused(answer.error ?? explain(answer));
  return answer;
}

function explain(answer) {
  const reasons = [];
  const walk = (node) => {
    for (const [key, value] of Object.entries(node ?? {})) {
      if (key === "_errors") reasons.push(...value.map((error) => error.message));
      else walk(value);
    }
  };
  walk(answer.errors);
  return [answer.message, ...reasons].join(" ");
}

const query = (values) => new URLSearchParams(values).toString();

export const api = {
  state: () => call("GET", "state"),
  messages: (channel, before) =>
    call("GET", `messages?${query({ channel, limit: PAGE, ...(before ? { before } : {}) })}`),
  commands: (user, channel) => call("GET", `commands?${query({ user, channel })}`),
  slash: (user, channel, command, options) => call("POST", "slash", { user, channel, command, options }),
  autocomplete: (user, channel, command, focused, options) =>
    call("POST", "autocomplete", { user, channel, command, focused, options }),
  click: (user, message, custom_id, values) => call("POST", "click", { user, message, custom_id, values }),
  modal: (user, interaction, values) => call("POST", "modal", { user, interaction, values }),
  say: (user, channel, text) => call("POST", "say", { user, channel, text }),
  world: (deed) => call("POST", "world", deed),
  addFault: (fault) => call("POST", "faults", fault),
  removeFault: (id) => call("DELETE", `faults/${id}`),
  kill: (process) => call("POST", "demo/kill", { process }),
  clearFaults: () => call("DELETE", "faults"),
};

/* Calls `on[name](data)` for each event, and `on.connected(isFirst)` whenever the stream connects. */
export function follow(on) {
  const source = new EventSource("/sandbox/events");
  let first = true;
  source.onopen = () => {
    on.connected(first);
    first = false;
  };
  source.onerror = () => on.lost();
  for (const name of ["message_create", "message_update", "message_delete", "commands", "faults", "world"])
    source.addEventListener(name, (event) => on[name](JSON.parse(event.data)));
}
