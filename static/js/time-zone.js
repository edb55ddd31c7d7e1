// A select with data-time-zone that nobody has touched starts at the browser's own time zone.
(() => {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const select of document.querySelectorAll("select[data-time-zone]")) {
    const known = [...select.options].some((option) => option.value === here);
    if (known && select.value === "UTC") select.value = here;
  }
})();
