"use strict";
// Keys for who has no wish for a mouse. All that they do is there without them, and without this script.
(() => {
  const OFF = "rtrace-keys-off";
  const read = () => { try { return localStorage.getItem(OFF) !== null; } catch { return false; } };
  const box = document.getElementById("keys");
  if (box) {
    box.checked = !read();
    box.addEventListener("change", () => {
      try { box.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1"); } catch { /* not kept */ }
    });
  }

  const step = (by) => {
    const links = [...document.querySelectorAll(".runs .name a")];
    const next = links.indexOf(document.activeElement) + by;
    if (links.length) links[Math.max(0, Math.min(links.length - 1, next))].focus();
  };
  const edit = () => {
    const form = document.querySelector("details.edit");
    if (form) { form.open = true; form.querySelector("textarea").focus(); }
  };
  const keys = {
    "/": () => document.getElementById("q").focus(),
    "?": () => location.assign("/help"),
    "j": () => step(1),
    "k": () => step(-1),
    "e": edit,
    "g": () => document.querySelector('.under a[href$="/graph"]')?.click(),
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (typing || event.ctrlKey || event.altKey || event.metaKey || !Object.hasOwn(keys, event.key) || read()) return;
    event.preventDefault();
    keys[event.key]();
  });
})();
