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
      location.assign(form.dataset.next);
      return;
    }
    const answer = await response?.json().catch(() => null);
    problem.textContent = answer?.detail ?? "The API does not answer.";
    problem.hidden = false;
  });
}
