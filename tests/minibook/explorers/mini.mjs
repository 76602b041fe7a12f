export default {
  render({ model, el }) {
    if (typeof model.get("value") !== "number") throw new Error("the state has no value");
    const input = document.createElement("input");
    input.type = "range";
    input.value = model.get("value");
    input.setAttribute("aria-label", "value");
    const line = document.createElement("p");
    line.setAttribute("role", "status");
    const show = () => { line.textContent = `value ${input.value}`; };
    input.addEventListener("input", show);
    show();
    el.append(input, line);
  },
};
