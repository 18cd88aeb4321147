// Before the first paint, so that a dark room sees no white flash.
(() => {
  try {
    const theme = new URLSearchParams(location.search).get("theme") || localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch { /* storage may be denied: the system's theme is used */ }
})();
