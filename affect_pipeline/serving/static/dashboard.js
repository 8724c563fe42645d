// Draws the charts. Without it the pages still say everything: each chart stands above its table.
"use strict";

function themed() {
  const style = getComputedStyle(document.body);
  const colour = (name) => {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  const ink = colour("--ink"), muted = colour("--muted"), line = colour("--line");
  return {
    background: null,
    font: style.fontFamily || "sans-serif",
    axis: { labelColor: ink, titleColor: muted, gridColor: line, domainColor: line, tickColor: line, labelFontSize: 12, titleFontSize: 12 },
    legend: { labelColor: ink, titleColor: muted, labelFontSize: 12 },
    header: { labelColor: ink, titleColor: muted, labelFontSize: 13 },
    title: { color: ink },
    text: { color: ink },
    style: { "note": { fill: ink } },
    view: { stroke: null },
  };
}

// On a dark ground the same hues, lighter.
const LIGHTER = { "#0072B2": "#7cc4ea", "#D55E00": "#ff9d5c", "#009E73": "#5fd0ae", "#767676": "#a3b0b8", "#56B4E9": "#2f81b0" };

function forGround(spec) {
  if (!matchMedia("(prefers-color-scheme: dark)").matches) return spec;
  return Object.entries(LIGHTER).reduce((text, [from, to]) => text.replaceAll(`"${from}"`, `"${to}"`), spec);
}

async function draw(place) {
  try {
    const answer = await fetch(place.dataset.chart, { headers: { Accept: "application/json" }, credentials: "same-origin" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const spec = JSON.parse(forGround(await answer.text()));
    const available = Math.max(260, place.clientWidth);
    const scale = spec.usermeta && spec.usermeta.widthShare;
    const fit = (part) => { if (part && typeof part === "object" && part.width === "page") part.width = Math.round(available * (scale || 1)) - 70; };
    [spec, ...(spec.vconcat || []), spec.spec || {}].forEach(fit);
    if (spec.usermeta && spec.usermeta.columnWidth) {
      spec.columns = Math.max(1, Math.floor(available / spec.usermeta.columnWidth));
      if (spec.spec) spec.spec.width = Math.round(available / spec.columns) - 75;
    }
    place.replaceChildren();
    await vegaEmbed(place, spec, {
      actions: false, ast: true, renderer: "svg", defaultStyle: false, config: themed(),
      tooltip: { disableDefaultStyle: true, theme: "affect" },
    });
    // The place around the chart is one image with a name; its parts would only be noise to a screen reader.
    place.querySelectorAll("svg").forEach((svg) => svg.setAttribute("aria-hidden", "true"));
    place.dataset.state = "drawn";
  } catch (error) {
    place.dataset.state = "failed";
    console.warn("chart not drawn:", error);
  }
}

function drawAll() { document.querySelectorAll("[data-chart]").forEach(draw); }

document.addEventListener("DOMContentLoaded", () => {
  drawAll();
  let width = window.innerWidth;
  let waiting = 0;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(drawAll, 200);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
});
