// Signing in: the token goes to the API, which keeps it in a cookie that no script can read.
export function signingIn() {
  const form = document.getElementById("sign-in");
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const problem = form.querySelector(".problem");
    const response = await fetch("/api/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token: form.elements.token.value }),
    }).catch(() => null);
    if (response?.ok) {
      // Only to a page of this API, whatever the address asks for.
      const next = new URL(form.dataset.next, location.href);
      location.assign(next.origin === location.origin ? next.href : "/");
      return;
    }
    const answer = await response?.json().catch(() => null);
    problem.textContent = answer?.detail ?? "The API does not answer.";
    problem.hidden = false;
  });
}
