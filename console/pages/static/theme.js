// Before anything is painted: the theme that was chosen in this browser, else what its system prefers.
{
  let theme = null;
  try { theme = localStorage.getItem("vedette.theme"); } catch { /* private mode */ }
  document.documentElement.dataset.theme = theme ?? (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
}
