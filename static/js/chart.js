// The chart's tooltip and arrow keys. Both read the table that stands behind the chart; without a script the table is there.
(() => {
  const days = (figure) => [...figure.querySelectorAll(".day")];

  const line = (label, amount, swatch) => {
    const row = document.createElement("p");
    const name = document.createElement("span");
    const value = document.createElement("b");
    name.textContent = label;
    value.textContent = amount;
    if (swatch) row.append(swatch.cloneNode(true));
    row.append(name, value);
    return row;
  };

  const describe = (figure, index) => {
    const heads = [...figure.querySelectorAll("thead th")];
    const cells = [...figure.querySelectorAll("tbody tr")[index].children];
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.append(line(cells[0].textContent, cells.at(-1).textContent));
    for (let column = heads.length - 2; column > 0; column -= 1) {
      if (cells[column].textContent === "$0.00") continue;
      tip.append(line(heads[column].textContent, cells[column].textContent, heads[column].querySelector(".key")));
    }
    return tip;
  };

  const hide = () => document.querySelector(".tip")?.remove();

  const show = (day) => {
    hide();
    const figure = day.closest("[data-chart]");
    const box = figure.querySelector(".chart-box");
    const title = day.querySelector("title");
    if (title) { // the browser's own tooltip would cover ours
      day.setAttribute("aria-label", title.textContent);
      title.remove();
    }
    const tip = box.appendChild(describe(figure, days(figure).indexOf(day)));
    const left = day.getBoundingClientRect().left - box.getBoundingClientRect().left;
    const right = left + day.getBoundingClientRect().width + 6;
    const place = right + tip.offsetWidth <= box.offsetWidth ? right : left - tip.offsetWidth - 6;
    tip.style.left = `${Math.max(0, place)}px`;
  };

  for (const name of ["pointerover", "focusin"]) {
    document.addEventListener(name, (event) => {
      const day = event.target.closest?.(".day");
      if (day) show(day); else if (name === "pointerover") hide();
    });
  }
  document.addEventListener("focusout", hide);

  document.addEventListener("keydown", (event) => {
    const day = event.target.closest?.(".day");
    if (!day) return;
    if (event.key === "Escape") hide();
    const all = days(day.closest("[data-chart]"));
    const at = all.indexOf(day);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (next === undefined || !all[next]) return;
    event.preventDefault();
    day.tabIndex = -1;
    all[next].setAttribute("tabindex", "0");
    all[next].focus();
  });
})();
