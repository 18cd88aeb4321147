// A canvas as sharp as the screen, drawn at most once an animation frame.
export function surface(canvas, draw) {
  const box = canvas.parentElement;
  const pen = canvas.getContext("2d");
  let width = 0, height = 0, asked = false;

  function paint() {
    asked = false;
    if (width && height) draw(pen, width, height);
  }
  function redraw() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(paint);
  }
  new ResizeObserver(() => {
    const scale = window.devicePixelRatio || 1;
    width = box.clientWidth;
    height = box.clientHeight;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    asked = false;
    redraw();
  }).observe(box);
  return redraw;
}

// Columns and cell size that fill a box best with `count` square-ish cells.
export function grid(count, width, height, aspect = 1) {
  let best = { columns: 1, rows: count, size: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const size = Math.min(width / columns, (height / rows) * aspect);
    if (size > best.size) best = { columns, rows, size };
    else if (size < best.size * 0.5) break;
  }
  return best;
}
