// The page's parts, each in a module of its own.
import "./theme.js";
import "./toasts.js";
import "./confirm.js";
import "./keyboard.js";
import "./controls.js";
import "./rows.js";
import "./copy.js";
import "./stale.js";
import "./cores.js";
import "./wall.js";
import "./console.js";
import "./device.js";
import "./announce.js";
import "./live.js";
