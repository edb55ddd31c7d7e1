// A part that is fetched again keeps what its reader has opened; it waits while nobody looks or a menu of it is in use.
(() => {
  let opened = [];

  document.addEventListener("htmx:beforeRequest", (event) => {
    const polled = event.target.getAttribute?.("hx-trigger")?.startsWith("every");
    if (polled && (document.hidden || document.querySelector(".tip"))) event.preventDefault();
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    opened = [...event.target.querySelectorAll("details[open][id]")].map((details) => details.id);
  });

  document.addEventListener("htmx:afterSwap", () => {
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
    opened = [];
  });
})();
