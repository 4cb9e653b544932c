// Forms that send commands: their fields as JSON, once, and the answer or the problem to the person.
// Fields become JSON text and are sent as such: JavaScript's own numbers would round long ones.
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

function jsonOf(field) {
  const text = field.value.trim();
  if (field.validity?.badInput) throw new Error("is not a number");
  switch (field.dataset.kind) {
    case "boolean": return String(field.checked);
    case "number": return text === "" ? undefined : numberIn(text);
    case "json": return text === "" ? undefined : checked(text);
    default: return field.value === "" ? undefined : JSON.stringify(field.value);
  }
}

function numberIn(text) {
  // What people write and JSON does not have: +5, 007, .5, 5.
  const plain = text.replace(/^\+/, "").replace(/^(-?)0+(?=\d)/, "$1")
    .replace(/^(-?)\./, "$10.").replace(/\.(?=$|[eE])/, "");
  if (!NUMBER.test(plain)) throw new Error("is not a number");
  return checked(plain);
}

function checked(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`is not JSON: ${error.message}`);
  }
  refuseInfinite(value);
  return text;
}

function refuseInfinite(value) {
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new Error("holds a number beyond what numbers can be (about 1.8e308); write it as text");
  }
  if (value !== null && typeof value === "object") Object.values(value).forEach(refuseInfinite);
}

function objectOf(members) {
  return `{${members.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(",")}}`;
}

function bodyOf(form) {
  const { under } = form.dataset;
  const body = [];
  const nested = [];
  let whole;
  for (const field of form.querySelectorAll("[data-kind]")) {
    let json;
    try {
      json = jsonOf(field);
    } catch (error) {
      field.focus();
      const label = field.labels?.[0]?.firstChild?.textContent.trim() || field.name;
      throw new Error(`${label} ${error.message}.`);
    }
    if (json === undefined) continue;
    if (field.dataset.whole !== undefined) whole = json;
    else (under && field.dataset.top === undefined ? nested : body).push([field.name, json]);
  }
  return objectOf(under ? [...body, [under, whole ?? objectOf(nested)]] : body);
}

async function send(form) {
  const body = bodyOf(form);
  // The same key until it succeeds: pressing twice, or again after an error, acts once.
  form.dataset.key ||= crypto.randomUUID?.() ?? String(Math.random()).slice(2);
  const response = await fetch(form.dataset.command, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": form.dataset.key },
    body,
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    if (response.status < 500) delete form.dataset.key;
    throw new Error(answer.detail || `The API answered ${response.status}.`);
  }
  delete form.dataset.key;
  return answer;
}

// 202 says that the command is in the log; what becomes of it is asked for.
async function outcome(commandId) {
  for (let tries = 0; tries < 6; tries++) {
    const response = await fetch(`/api/commands/${encodeURIComponent(commandId)}?timeout_ms=5000`);
    const told = await response.json().catch(() => ({}));
    if (told.status === "refused") throw new Error(told.message);
    if (told.status === "applied") return;
  }
  throw new Error("The command is in the log but not carried out yet; an executor may be away.");
}

async function submitted(form) {
  const problem = form.querySelector(".problem");
  const button = form.querySelector("button[type=submit]");
  problem.hidden = true;
  button.disabled = true;
  try {
    const answer = await send(form);
    await outcome(answer.command_id);
    form.closest("dialog")?.close();
    if (form.dataset.then === "open") {
      location.assign(`/executions/${encodeURIComponent(answer.execution_id)}`);
    } else {
      document.dispatchEvent(new CustomEvent("refresh"));
      tell("Done.");
    }
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
  } finally {
    button.disabled = false;
  }
}

function tell(text) {
  const told = document.getElementById("told");
  told.textContent = text;
  setTimeout(() => { told.textContent = ""; }, 4000);
}

export function commands() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.command) return;
    event.preventDefault();
    submitted(form);
  });
  document.addEventListener("click", (event) => {
    const opens = event.target.closest?.("[data-opens]");
    if (opens) document.getElementById(opens.dataset.opens).showModal();
    if (event.target.closest?.("[data-closes]")) event.target.closest("dialog").close();
  });
}
