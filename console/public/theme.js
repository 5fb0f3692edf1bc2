// Runs before the first paint so that a dark screen never flashes white. A file of its own: the page's policy forbids inline script.
(function () {
  try {
    var theme = localStorage.getItem("starbox.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch (error) {
    // Storage may be closed to us; the system's choice then holds.
  }
})();
