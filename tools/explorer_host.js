// Mounts the explorers of a page. A classic script: modules loaded by path do not work in a page opened by double click,
// a module imported from a blob does. The sources arrive in globalThis.COURSE_EXPLORERS, one script for each module.
(() => {
  "use strict";

  // The part of an anywidget model that a drawing uses; there is no kernel behind it.
  class Model {
    #state;
    #listeners = new Map();

    constructor(state) { this.#state = { ...state }; }

    get(key) { return this.#state[key]; }

    set(key, value) {
      const changes = typeof key === "object" ? key : { [key]: value };
      for (const [name, next] of Object.entries(changes)) {
        if (Object.is(this.#state[name], next)) continue;
        this.#state[name] = next;
        this.#emit(`change:${name}`, next);
      }
      this.#emit("change");
    }

    save_changes() {}

    send() {}

    on(events, callback) {
      for (const event of events.split(" ")) {
        if (!this.#listeners.has(event)) this.#listeners.set(event, new Set());
        this.#listeners.get(event).add(callback);
      }
    }

    off(event, callback) {
      if (!event) this.#listeners.clear();
      else if (callback) this.#listeners.get(event)?.delete(callback);
      else this.#listeners.delete(event);
    }

    #emit(event, value) {
      for (const callback of [...(this.#listeners.get(event) ?? [])]) callback(this, value);
    }
  }

  const modules = new Map(); // two explorers of one kind share the module

  function load(name) {
    const source = globalThis.COURSE_EXPLORERS?.[name];
    if (source === undefined) return Promise.reject(new Error(`no explorer is called "${name}"`));
    if (!modules.has(name)) {
      const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      modules.set(name, import(url).finally(() => URL.revokeObjectURL(url)));
    }
    return modules.get(name);
  }

  async function mount(el) {
    try {
      const model = new Model(JSON.parse(el.querySelector('script[type="application/json"]').textContent));
      const exported = (await load(el.dataset.module)).default;
      const widget = typeof exported === "function" ? await exported() : exported;
      await widget.initialize?.({ model });
      await widget.render?.({ model, el });
      el.dataset.state = "ready";
    } catch (problem) {
      el.dataset.state = "error";
      const line = document.createElement("p");
      line.setAttribute("role", "status");
      line.textContent = `This explorer could not start: ${problem.message}`;
      el.append(line);
      console.error(problem);
    }
  }

  for (const el of document.querySelectorAll(".course-explorer[data-module]")) mount(el);
})();
