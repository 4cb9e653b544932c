// Forms that send commands: their fields as JSON, once, and the answer or the problem to the person.
function valueOf(field) {
  const text = field.value;
  switch (field.dataset.kind) {
    case "boolean": return field.checked;
    case "number": return text === "" ? undefined : Number(text);
    case "json": return text.trim() === "" ? undefined : JSON.parse(text);
    default: return text === "" ? undefined : text;
  }
}

function bodyOf(form) {
  const body = {};
  const under = form.dataset.under;
  let nested = {};
  for (const field of form.querySelectorAll("[data-kind]")) {
    let value;
    try {
      value = valueOf(field);
    } catch (error) {
      field.focus();
      throw new Error(`${field.labels?.[0]?.textContent.trim() || field.name} is not JSON: ${error.message}`);
    }
    if (value === undefined) continue;
    if (field.dataset.whole !== undefined) nested = value;
    else if (under && field.dataset.top === undefined) nested[field.name] = value;
    else body[field.name] = value;
  }
  return under ? { ...body, [under]: nested } : body;
}

async function send(form) {
  const body = bodyOf(form);
  // The same key until it succeeds: pressing twice, or again after an error, acts once.
  form.dataset.key ||= crypto.randomUUID?.() ?? String(Math.random()).slice(2);
  const response = await fetch(form.dataset.command, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": form.dataset.key },
    body: JSON.stringify(body),
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
