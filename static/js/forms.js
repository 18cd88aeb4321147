// Figures as people read them, as devices/live/words.py has them.
const number = (value, places) => value.toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places });
const trimmed = (value, places) => value.toLocaleString("en", { maximumFractionDigits: places });
const short = (value) => number(value, Math.abs(value) >= 100 ? 0 : 1);

function scaled(value, units) {
  let size = Math.abs(value), unit = 0;
  while (size >= 1000 && unit < units.length - 1) { size /= 1024; unit += 1; }
  const sign = value < 0 ? "−" : "";
  const whole = !size || (units[0] === "B" && !unit && size >= 10);
  return `${sign}${whole ? number(size, 0) : short(size)} ${units[unit]}`;
}

export const FORMS = {
  count: (value) => trimmed(value, 1),
  number: (value) => number(value, 2),
  share: (value) => `${trimmed(100 * value, value < 0.1 ? 1 : 0)} %`,
  rate: (value) => `${trimmed(value, value < 10 ? 2 : value < 100 ? 1 : 0)}/s`,
  mib: (value) => scaled(value, ["MiB", "GiB"]),
  signed_mib: (value) => (value > 0 ? "+" : "") + scaled(value, ["MiB", "GiB"]),
  bytes_rate: (value) => `${scaled(value, ["B", "KiB", "MiB"])}/s`,
};

const two = (value) => String(value).padStart(2, "0");

// Unix seconds as the time of day (UTC), with seconds where they differ.
export function clock(at, seconds = false) {
  const date = new Date(1000 * at);
  const hours = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
  return seconds ? `${hours}:${two(date.getUTCSeconds())}` : hours;
}

export function day(at) {
  return new Date(1000 * at).toLocaleDateString("en", { timeZone: "UTC", month: "short", day: "numeric" });
}
