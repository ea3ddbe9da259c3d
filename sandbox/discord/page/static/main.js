/* The entry point: the current user, the open channel, and which change redraws what. */

import { follow } from "./api.js";
import { drawComposer } from "./composer.js";
import { byId } from "./dom.js";
import { closeFaults, countDown, drawBanner, drawFaults } from "./faults.js";
import { drawAll, drawEdited, drawNew, drawNotices, drawOlder, showMessage } from "./messages.js";
import { closeDrawer, closeUserMenu, drawHeader, drawMembers, drawRail, drawSidebar } from "./sidebar.js";
import * as store from "./store.js";
import { tick } from "./timestamps.js";

const drawAround = () => {
  drawRail();
  drawSidebar();
  drawHeader();
  drawMembers();
  drawBanner();
  drawFaults();
};

store.onChange((what, detail) => {
  if (what === "world") drawAround();
  if (what === "channel") {
    drawAround();
    drawAll();
    drawComposer();
  }
  if (what === "commands") drawComposer();
  if (what === "message") {
    drawNew(detail);
    drawSidebar();
  }
  if (what === "edit") drawEdited(detail);
  if (what === "delete") drawAll();
  if (what === "older") drawOlder();
  if (what === "jump") showMessage(detail);
  if (what === "notices") drawNotices();
});

function closePanels() {
  closeUserMenu();
  closeFaults();
}
document.addEventListener("click", closePanels);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  closePanels();
  closeDrawer();
});
byId("drawer-shade").addEventListener("click", closeDrawer);

function online(is) {
  store.store.online = is;
  if (store.store.state) drawBanner();
}

const begun = store.begin();
follow({
  connected: async (first) => {
    online(true);
    await begun;
    if (!first) await store.reload();
  },
  lost: () => online(false),
  message_create: store.addMessage,
  message_update: store.updateMessage,
  message_delete: store.removeMessage,
  commands: store.refreshCommands,
  faults: store.refresh,
  world: store.refresh,
});
setInterval(tick, 1000);
setInterval(countDown, 1000);
