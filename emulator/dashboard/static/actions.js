// Asks what an action will do, shows it, and does it when told to.

import { call, element, refresh } from "./live.js";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-action], [data-cancel]");
  if (!button) return;
  if (button.dataset.cancel) {
    await call("POST", `/jobs/${button.dataset.cancel}/cancel`).catch(() => {});
    refresh();
  } else {
    open(button.dataset.action, button.dataset.environment, button);
  }
});

function open(action, environment, button) {
  const dialog = element("dialog", { "aria-labelledby": "dialog-title" });
  const fields = element("div", { class: "fields" });
  const body = element("div", { class: "plan", "aria-live": "polite" });
  const confirm = element("button", { class: "first", type: "submit", disabled: true }, "…");
  const cancel = element("button", { type: "button" }, "Cancel");
  const title = element("h2", { id: "dialog-title" }, button.dataset.label + ": " + environment);
  const form = element("form", {}, title, body, fields, element("div", { class: "actions" }, confirm, cancel));
  dialog.append(form);
  document.body.append(dialog);
  dialog.addEventListener("close", () => {
    dialog.remove();
    document.getElementById(button.id)?.focus();
  });
  cancel.addEventListener("click", () => dialog.close());
  const wrong = element("div", { role: "alert" });
  form.lastChild.before(wrong);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    confirm.disabled = true;
    wrong.replaceChildren();
    try {
      await call("POST", "/jobs", { action, environment, arguments: read(fields) });
      dialog.close();
      await refresh();
      document.getElementById("jobs").scrollIntoView({ block: "nearest" });
    } catch (error) {
      wrong.append(element("p", { class: "banner wrong" }, inWordsOfTheForm(error.message, told)));
      confirm.disabled = false;
    }
  });
  fields.addEventListener("change", (event) => {
    if (event.target.dataset.replan !== undefined) look();
  });
  dialog.showModal();
  let asked = 0;
  let told = null;
  look();

  async function look() {
    const number = ++asked;
    confirm.disabled = true;
    body.replaceChildren(element("p", { class: "quiet" }, "Looking at what it will do …"));
    try {
      const plan = await call("POST", "/plans", { action, environment, arguments: read(fields) });
      if (number !== asked) return;
      told = plan;
      if (!fields.childElementCount) fields.append(...fieldsOf(plan));
      show(plan, body);
      confirm.textContent = plan.label;
      confirm.disabled = Boolean(plan.refused);
      if (!plan.refused && !fields.contains(document.activeElement)) (plan.interrupts ? cancel : confirm).focus();
    } catch (error) {
      if (number === asked) body.replaceChildren(element("p", { class: "banner wrong" }, error.message));
    }
  }
}

// The server speaks of options; here they are fields with labels.
function inWordsOfTheForm(text, plan) {
  const labels = new Map((plan?.arguments ?? []).map((one) => [one.option, "\u201c" + one.label + "\u201d"]));
  return text.replace(/--[a-z-]+/g, (option) => labels.get(option) ?? option);
}

function read(fields) {
  const found = {};
  for (const field of fields.querySelectorAll("input, select")) {
    if (field.type === "checkbox") {
      if (field.checked) found[field.name] = true;
    } else if (field.value) {
      found[field.name] = field.value;
    }
  }
  return found;
}

function fieldsOf(plan) {
  const made = plan.arguments.map((one) => {
    if (one.is_switch) {
      return element("label", { class: "switch" },
        element("input", { type: "checkbox", name: one.name, "data-replan": true }), one.label);
    }
    const field = one.choices.length
      ? element("select", { name: one.name }, ...one.choices.map((choice) => element("option", {}, choice)))
      : element("input", { name: one.name, placeholder: one.hint, required: one.is_required,
        ...(one.least === null ? { maxlength: 500 } : { type: "number", min: one.least, max: one.most, step: 1 }) });
    return element("label", {}, one.label, field);
  });
  if (plan.confirm) {
    const text = "All data of " + plan.confirm + " will be lost. Type its name to go on";
    made.push(element("label", {}, text,
      element("input", { name: "confirm", required: true, pattern: plan.confirm, autocomplete: "off" })));
  }
  return made;
}

function show(plan, body) {
  body.replaceChildren(element("ul", {}, ...plan.will.map((text) => element("li", {}, text))));
  if (plan.refused) body.append(element("p", { class: "banner wrong" }, "It would be refused: " + plan.refused));
  if (plan.gates.length) {
    const kinds = { passed: "ready", "does not hold": "unhealthy" };
    body.append(table(["Gate", "Result", "Found"], plan.gates.map((one) => [
      one.gate, element("span", { class: "mark " + (kinds[one.result] ?? "working") }, one.result), one.detail])));
  }
  if (plan.changes.length) {
    body.append(table(["Change", "Resource", "Type"], plan.changes.map((one) => [
      one.action + (one.replacement ? " (replaced)" : ""), one.logical_id, one.type])));
  }
  body.append(element("p", { class: "quiet" }, "Runs ", ...plan.commands.flatMap((one, index) => [
    index ? ", then " : "", element("code", {}, one)])));
}

function table(heads, rows) {
  return element("div", { class: "scroll short", tabindex: 0, role: "region", "aria-label": heads[1] },
    element("table", {},
      element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell)))))));
}
