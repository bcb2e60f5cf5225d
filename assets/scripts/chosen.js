// A button that carries how many rows of its form are chosen: [data-chosen] is the form, [data-chosen-number] the figure.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-chosen]");
  const figure = form?.querySelector("[data-chosen-number]");
  if (!figure) return;
  const many = form.querySelectorAll("input[type=checkbox][name]:checked").length;
  figure.textContent = many;
  figure.closest("button").disabled = many === 0;
});
