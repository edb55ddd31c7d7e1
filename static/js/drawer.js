// The drawer: focus goes in when it opens and back to its row when it closes; Escape closes; the row is marked.
(() => {
  let last = "";

  const mark = (id) => {
    document.querySelector("tr[aria-selected]")?.removeAttribute("aria-selected");
    document.getElementById(`call-${id}`)?.closest("tr").setAttribute("aria-selected", "true");
  };

  document.addEventListener("htmx:afterSettle", (event) => {
    const drawer = document.getElementById("drawer");
    if (!drawer || !event.target.contains(drawer)) return;
    const id = drawer.dataset.event ?? "";
    mark(id);
    if (id) drawer.focus(); else document.getElementById(`call-${last}`)?.focus();
    last = id || last;
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.querySelector("#drawer #close")?.click();
  });

  last = document.querySelector("#drawer[data-event]")?.dataset.event ?? "";
})();
