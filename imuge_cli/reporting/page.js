"use strict";

// Without this script both pictures of a comparison stand side by side, and everything else works as well.
for (const figure of document.querySelectorAll(".compare")) {
  const panes = figure.querySelector(".panes");
  const range = figure.querySelector("input[type=range]");
  const place = () => panes.style.setProperty("--at", `${range.value}%`);
  range.addEventListener("input", place);
  range.step = 1;
  range.hidden = false;
  figure.classList.add("live");
  place();
}

const boxOf = (node) => {
  const row = node instanceof Element && node.closest("tr[data-region]");
  return row ? document.getElementById(row.dataset.region) : null;
};

for (const [type, on] of [["pointerover", true], ["pointerout", false], ["focusin", true], ["focusout", false]]) {
  document.addEventListener(type, (event) => boxOf(event.target)?.classList.toggle("on", on));
}

// A region that was chosen has to be seen: the suspect is shown whole.
document.addEventListener("click", (event) => {
  const range = boxOf(event.target)?.closest(".compare")?.querySelector("input[type=range]");
  if (range && event.target.closest("a")) {
    range.value = 100;
    range.dispatchEvent(new Event("input"));
  }
});
