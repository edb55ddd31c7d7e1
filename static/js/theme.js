// Light or dark: the system's choice until somebody presses the toggle, then theirs.
(() => {
  const root = document.documentElement;
  const remembered = () => {
    try { return localStorage.getItem("theme"); } catch { return null; }
  };
  const remember = (theme) => {
    try { localStorage.setItem("theme", theme); } catch { /* private browsing: the choice lasts for this page */ }
  };

  const saved = remembered();
  if (saved === "light" || saved === "dark") root.dataset.theme = saved;

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    root.dataset.theme = (root.dataset.theme ?? system) === "dark" ? "light" : "dark";
    remember(root.dataset.theme);
  });
})();
