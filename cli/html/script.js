"use strict";
(function () {
  // Sort and filter the tables that are there for it.
  const value = (row, i) => row.cells[i].textContent.trim();
  const number = (text) => (text === "" ? NaN : Number(text.replace(/,/g, "")));

  function sort(table, i) {
    const head = table.tHead.rows[0].cells[i];
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => {
      const x = number(value(a, i)), y = number(value(b, i));
      const by = Number.isNaN(x) || Number.isNaN(y)
        ? value(a, i).localeCompare(value(b, i)) : x - y;
      return up ? by : -by;
    });
    table.tBodies[0].append(...rows);
  }

  // "tp 4, zero=1": every part names a column and its value; one word is looked for in all cells.
  function keeps(names, row, part) {
    const match = /^(.*?)[\s=]*([^\s=]+)$/.exec(part);
    const i = names.indexOf(match[1].trim());
    if (i >= 0) return value(row, i).toLowerCase() === match[2];
    const glued = /^([a-z_ ]+?)(\d+)$/.exec(part);
    const j = glued ? names.indexOf(glued[1].trim()) : -1;
    if (j >= 0) return value(row, j) === glued[2];
    return [...row.cells].some((cell) => cell.textContent.trim().toLowerCase() === part);
  }

  for (const section of document.querySelectorAll(".sorts")) {
    const table = section.querySelector("table");
    const heads = [...table.tHead.rows[0].cells];
    const names = heads.map((head) => head.textContent.trim().toLowerCase().replace(/ \[.*/, ""));
    heads.forEach((head, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      button.addEventListener("click", () => sort(table, i));
      head.replaceChildren(button);
    });
    const input = section.querySelector("input"), output = section.querySelector("output");
    const rows = [...table.tBodies[0].rows];
    const filter = () => {
      const parts = input.value.toLowerCase().replace(/_/g, " ").split(",")
        .map((part) => part.trim()).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        row.hidden = !parts.every((part) => keeps(names, row, part));
        shown += row.hidden ? 0 : 1;
      }
      output.textContent = shown + " of " + rows.length + " layouts";
    };
    input.addEventListener("input", filter);
    section.querySelector(".filters").hidden = false;
    filter();
  }

  // Say what a part of a figure is, to the mouse and to the keyboard.
  const tip = document.getElementById("tip");
  let told = null;
  const hide = () => { tip.hidden = true; told = null; };
  const show = (part) => {
    told = part;
    tip.textContent = part.dataset.tip;
    tip.hidden = false;
    const at = part.getBoundingClientRect(), size = tip.getBoundingClientRect();
    const left = at.left + at.width / 2 - size.width / 2;
    const top = at.top - size.height - 8;
    tip.style.left = Math.max(8, Math.min(left, innerWidth - size.width - 8)) + "px";
    tip.style.top = (top < 8 ? at.bottom + 8 : top) + "px";
  };
  for (const part of document.querySelectorAll(".tip")) {
    const title = part.querySelector("title");
    part.setAttribute("aria-label", part.dataset.tip);
    if (title) title.remove();
    part.addEventListener("pointerenter", () => show(part));
    part.addEventListener("pointerleave", hide);
  }
  // A figure is one stop of the tabulator; arrows go from part to part.
  for (const figure of document.querySelectorAll("figure")) {
    const parts = [...figure.querySelectorAll(".tip")];
    let at = -1;
    const go = (next) => {
      if (at >= 0) parts[at].classList.remove("on");
      at = next;
      if (at < 0) return hide();
      parts[at].classList.add("on");
      show(parts[at]);
    };
    if (parts.length) {
      figure.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (event.key === "Escape") go(-1);
        if (!step) return;
        event.preventDefault();
        go((at + step + parts.length) % parts.length);
      });
      figure.addEventListener("blur", () => go(-1));
    }
  }
  addEventListener("scroll", () => told && show(told), { passive: true, capture: true });

  // Where there is room beside a figure, its first table is there.
  if (matchMedia("(min-width: 62rem)").matches) {
    for (const one of document.querySelectorAll(".pair details:first-of-type")) one.open = true;
  }

  // Paper shows everything.
  const closed = [];
  addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details:not([open])")) {
      closed.push(one);
      one.open = true;
    }
  });
  addEventListener("afterprint", () => {
    for (const one of closed.splice(0)) one.open = false;
  });
})();
