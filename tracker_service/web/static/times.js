// Times come as UTC; people read and give them in their own zone.
const day = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "2-digit", day: "2-digit" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

export function localTimes(root) {
  const today = day.format(new Date());
  for (const element of root.querySelectorAll("time[datetime]")) {
    const time = new Date(element.dateTime);
    if (Number.isNaN(time.getTime())) continue;
    const date = day.format(time);
    element.textContent = (date === today ? "" : `${date} `) + clock.format(time);
    element.title = element.dateTime;
  }
}

function asLocalInput(iso) {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return "";
  return new Date(time.getTime() - time.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

// A field for a moment sends UTC under its own name; one left empty sends nothing.
export function moments() {
  for (const field of document.querySelectorAll("input[data-moment]")) {
    if (field.dataset.value) field.value = asLocalInput(field.dataset.value);
    field.form.addEventListener("formdata", (event) => {
      if (field.value) event.formData.set(field.dataset.moment, new Date(field.value).toISOString());
    });
  }
  for (const form of document.querySelectorAll("form[method=get]")) {
    form.addEventListener("formdata", (event) => {
      for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
    });
  }
}
