// In a [data-rule] only what can be is offered: an option of [data-narrows] says in data-asked what its field can be
// asked, and in data-choices what alone can stand in it; one of [data-when] says in data-takes which [data-part] it
// needs, and in data-picks whether one of the choices or many. Without script the server says what can't be.
const comparisons = new WeakMap();
const lines = (input) => input.value.split("\n").map((line) => line.trim()).filter(Boolean);
const has = (list, text) => list.some((one) => one.toLowerCase() === text.toLowerCase());

function make(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function unpick(input) {
  const picked = input.nextElementSibling;
  input.hidden = false;
  if (!picked?.matches(".picked")) return;
  input.id = picked.id;
  picked.remove();
}

// Choices in the place of a text area, which goes on holding what is sent.
function pick(input, choices, many) {
  const told = lines(input);
  const offered = [...choices, ...told.filter((one) => !has(choices, one))];
  const about = { id: input.id, "aria-describedby": input.getAttribute("aria-describedby") ?? "" };
  let picked;
  if (many) {
    picked = make("div", { ...about, class: "picked choices", role: "group", "aria-label": input.labels[0].textContent });
    for (const one of offered) {
      const box = make("input", { type: "checkbox", class: "form-check-input", value: one });
      box.checked = has(told, one);
      picked.append(make("label", { class: "form-check" }, box, make("span", { class: "form-check-label" }, one)));
    }
  } else {
    picked = make("select", { ...about, class: "picked form-select" }, new Option("Choose", ""), ...offered.map((one) => new Option(one)));
    picked.value = offered.find((one) => one.toLowerCase() === told[0]?.toLowerCase()) ?? "";
  }
  const send = () => {
    input.value = (many ? [...picked.querySelectorAll(":checked")] : [picked]).map((one) => one.value).join("\n");
  };
  picked.addEventListener("change", send);
  send();
  input.removeAttribute("id");  // the label, and a link from the list of errors, lead to what is seen
  input.hidden = true;
  input.after(picked);
}

function narrow(rule, another) {
  const field = rule.querySelector("[data-narrows]")?.selectedOptions[0];
  const when = rule.querySelector("[data-when]");
  if (field) {
    if (!comparisons.has(when)) comparisons.set(when, [...when.options]);
    const chosen = when.value, asked = (field.dataset.asked ?? "").split(" ");
    when.replaceChildren(...comparisons.get(when).filter((one) => asked.includes(one.value)));
    when.value = chosen;
    if (when.selectedIndex < 0) when.selectedIndex = 0;
  }
  const told = when.selectedOptions[0];
  when.closest("div").hidden = !told;
  const choices = field?.dataset.choices?.split("\n").filter(Boolean) ?? [];
  for (const input of rule.querySelectorAll("[data-part]")) {
    input.closest("div").hidden = input.dataset.part !== told?.dataset.takes;
    if (input.type !== "textarea") continue;
    unpick(input);
    // What was picked of another field's choices is none of these.
    if (another && choices.length) input.value = lines(input).filter((one) => has(choices, one)).join("\n");
    if (choices.length && told?.dataset.picks) pick(input, choices, told.dataset.picks === "many");
    const hint = input.parentElement.querySelector(".form-hint");
    if (hint) hint.hidden = input.hidden;
  }
}

document.addEventListener("change", (event) => {
  const rule = event.target.matches("[data-narrows], [data-when]") && event.target.closest("[data-rule]");
  if (rule) narrow(rule, event.target.matches("[data-narrows]"));
});

document.addEventListener("DOMContentLoaded", () => {
  for (const rule of document.querySelectorAll("[data-rule]")) narrow(rule, false);
});
