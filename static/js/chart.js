// A chart of figures over time, drawn by uPlot (static/vendor/uPlot.iife.min.js). Its page says in
// HTML what it shows: a <figure class="chart"> with a key, <ul class="legend">, each item of which
// names its figure and form and has a line in that figure's colour and dash, and a .chart-box.
import { onTheme, tokens } from "./palette.js";
import { FORMS, clock, day } from "./forms.js";

const SPREAD = 0.2; // how dense the area between least and most is

// Steps of an axis of bytes, so that they are whole in KiB, MiB and GiB.
const OF_BYTES = Array.from({ length: 48 }, (_, power) => 2 ** (power - 4));

function keyOf(item) {
  const line = item.querySelector(".line"), path = line.querySelector("path");
  const dash = path.getAttribute("stroke-dasharray");
  return {
    name: item.dataset.figure,
    form: FORMS[item.dataset.form],
    share: item.dataset.form === "share",
    bytes: /mib|bytes/.test(item.dataset.form),
    width: 0.8 * parseFloat(getComputedStyle(path).strokeWidth),
    axis: item.dataset.axis || "y",
    value: item.querySelector("b"),
    dash: dash ? dash.split(" ").map(Number) : [],
    colour: () => getComputedStyle(line).color,
  };
}

// From a little below zero only where a figure is negative; never flat; a share is of all.
function range(share) {
  return share ? [0, 1] : spread;
}

function spread(plot, least, most) {
  const low = Math.min(0, least ?? 0), high = Math.max(0, most ?? 0);
  const span = high - low || 1;
  return [low && low - 0.05 * span, high ? high + 0.08 * span : span];
}

function times(plot, splits, axis, space, step) {
  return splits.map((at) => (step >= 86_400 || at % 86_400 === 0 ? day(at) : clock(at, step < 60)));
}

function axes(keys) {
  const muted = () => tokens().muted, rule = () => tokens().rule;
  const font = `${0.82 * parseFloat(getComputedStyle(document.documentElement).fontSize)}px ${tokens().font}`;
  const looks = { stroke: muted, font, ticks: { show: false } };
  const found = [{ ...looks, values: times, space: 70, size: 28, grid: { stroke: rule, width: 1 } }];
  for (const scale of ["y", "y2"]) {
    const key = keys.find(({ axis }) => axis === scale);
    if (!key) continue;
    found.push({
      ...looks, scale, size: 68, space: 36, gap: 6,
      side: scale === "y" ? 3 : 1,
      ...(key.bytes && { incrs: OF_BYTES }),
      values: (plot, splits) => splits.map((value) => (value === null ? "" : key.form(value))),
      grid: scale === "y" ? { stroke: rule, width: 1 } : { show: false },
    });
  }
  return found;
}

function lines(keys) {
  const series = [{}], bands = [];
  for (const { axis, dash, colour, width } of keys) {
    const at = series.length, edge = { scale: axis, width: 0, points: { show: false } };
    series.push({ scale: axis, stroke: colour, dash, width, points: { show: false, filter: alone } }, edge, edge);
    bands.push({ series: [at + 1, at + 2], fill: () => faint(colour()) });
  }
  return { series, bands };
}

function faint(colour) {
  return colour.replace(/^rgb\((.*)\)$/, (_, parts) => `rgba(${parts}, ${SPREAD})`);
}

// A value between two gaps would not be seen as a line.
function alone(plot, index, from, to) {
  const values = plot.data[index], found = [];
  for (let i = from; i <= to; i += 1) {
    if (values[i] != null && values[i - 1] == null && values[i + 1] == null) found.push(i);
  }
  return found.length ? found : null;
}

// A finger drags as a mouse does; up and down it moves the page.
function followFinger(over) {
  const mouse = (type, target) => (event) => {
    if (event.pointerType !== "touch") return;
    // uPlot takes a move that went nowhere for a fault of the browser
    const { clientX, clientY } = event;
    target.dispatchEvent(new MouseEvent(type, { clientX, clientY, movementX: 1, bubbles: true }));
  };
  over.addEventListener("pointerdown", mouse("mousedown", over));
  over.addEventListener("pointermove", mouse("mousemove", over));
  for (const end of ["pointerup", "pointercancel"]) over.addEventListener(end, mouse("mouseup", document));
}

// `sync` names charts that share one cursor; `zoom(from, to)` is called when a person has chosen a
// part, `zoom(null)` when all is to be seen again; `draw(plot)` paints beneath the lines, and
// `moved(index)` is told where the cursor is.
export function chart(figure, { sync = "", zoom = () => {}, draw = () => {}, moved = () => {} } = {}) {
  const box = figure.querySelector(".chart-box");
  const keys = [...figure.querySelectorAll(".legend [data-figure]")].map(keyOf);
  const { series, bands } = lines(keys);
  const isShare = (name) => keys.filter(({ axis }) => axis === name).every(({ share }) => share);
  let last = -1;

  function tell(plot) {
    const index = plot.cursor.idx ?? last;
    keys.forEach(({ form, value }, i) => {
      const figure = plot.data[1 + 3 * i]?.[index];
      value.textContent = figure == null ? "–" : form(figure);
    });
    moved(plot.cursor.idx);
  }
  function chosen(plot) {
    const { left, width } = plot.select;
    if (width > 0) zoom(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }
  const plot = new window.uPlot({
    width: box.clientWidth || 300, height: box.clientHeight || 100,
    padding: [6, keys.some(({ axis }) => axis === "y2") ? 0 : 20, 0, 0],
    legend: { show: false },
    tzDate: (at) => window.uPlot.tzDate(new Date(1000 * at), "UTC"),
    scales: { x: { time: true }, y: { range: range(isShare("y")) }, y2: { range: range(isShare("y2")) } },
    axes: axes(keys), series, bands,
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false, dist: 6 },
      points: { size: 7 },
      bind: { dblclick: () => () => { zoom(null); return null; } },
      ...(sync && { sync: { key: sync, setSeries: false, scales: ["x", null], filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } } }),
    },
    hooks: { setCursor: [tell], setSelect: [chosen], drawClear: [draw] },
  }, [[], ...series.slice(1).map(() => [])], box);

  new ResizeObserver(() => {
    if (box.clientWidth) plot.setSize({ width: box.clientWidth, height: box.clientHeight });
  }).observe(box);
  onTheme(() => plot.redraw(false));
  followFinger(plot.over);

  return {
    plot,
    // `at` are Unix seconds, `columns` figure -> { mean, least, most }; seen is what lies between.
    show(at, columns, from, to) {
      const data = [at];
      last = -1;
      for (const { name } of keys) {
        const column = columns[name];
        const none = at.map(() => null);
        data.push(column?.mean ?? none, column?.most ?? none, column?.least ?? none);
        for (let i = at.length - 1; column && i > last && at[i] >= from; i -= 1) {
          if (column.mean[i] != null && at[i] <= to) last = i;
        }
      }
      plot.batch(() => {
        plot.setData(data, false);
        plot.setScale("x", { min: from, max: to });
      });
      figure.classList.toggle("none", last < 0 && at.length > 0);
      tell(plot);
    },
  };
}
