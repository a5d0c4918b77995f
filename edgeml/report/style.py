"""The page's style sheet and the script that draws its charts (bundled with Vega, hence `vegaEmbed`)."""

from __future__ import annotations

STYLE = """
:root {
  --page: #f6f7f9; --panel: #ffffff; --ink: #18202c; --muted: #556072; --line: #dde2ea;
  --lower: #c3c9d4;
  --other: #8791a3; --front: #1d4ed8; --knee: #c2410c; --tint: #e8eefc; --warm: #fdeee4; --warm-ink: #8a2f08;
  --series0: #334155; --series1: #1d4ed8; --series2: #0f766e; --series3: #a21caf; --series4: #4d7c0f;
  --series5: #0369a1; --series6: #be123c; --series7: #6d28d9;
}
@media (prefers-color-scheme: dark) {
  :root {
    --lower: #48536a;
    --page: #10141b; --panel: #181e28; --ink: #e6eaf1; --muted: #a3aec0; --line: #303a4a;
    --other: #7c879b; --front: #82aaff; --knee: #ff9d5c; --tint: #1f2c4a; --warm: #3a2416;
    --warm-ink: #ffc59e;
    --series0: #cbd5e1; --series1: #82aaff; --series2: #2dd4bf; --series3: #e879f9; --series4: #a3e635;
    --series5: #38bdf8; --series6: #fb7185; --series7: #b79cff;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 20px 64px; }
header, section { background: var(--panel); border: 1px solid var(--line); border-radius: 12px;
  padding: 22px 24px; margin: 0 0 18px; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 2px; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 0 0 12px; }
h3 { font-size: .95rem; margin: 18px 0 6px; }
header h2 { margin: 18px 0 10px; }
p { margin: 0 0 10px; overflow-wrap: anywhere; }
ul { margin: 0 0 10px; padding-left: 20px; overflow-wrap: anywhere; }
.lede { max-width: 78ch; }
.note, small { color: var(--muted); font-size: .86rem; }
.warning { background: var(--warm); color: var(--warm-ink); border-radius: 8px; padding: 8px 12px; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: .88em; }
.option { white-space: nowrap; }
pre { background: var(--page); border: 1px solid var(--line); border-radius: 8px; padding: 12px;
  margin: 0 0 10px;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.tiles { list-style: none; margin: 0; padding: 0; display: grid; gap: 10px;
  grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); }
.tiles li { border: 1px solid var(--line); border-radius: 10px; padding: 10px 12px; display: flex;
  flex-direction: column; align-items: flex-start; }
.tiles span:first-child { color: var(--muted); font-size: .86rem; }
.tiles b { font-size: 1.3rem; line-height: 1.35; }
.tiles small { min-height: 1.4em; }
.kind { display: inline-block; margin-top: 2px; border: 1px solid var(--line); border-radius: 5px;
  padding: 0 6px;
  font-size: .75rem; font-weight: 400; color: var(--muted); white-space: nowrap; }
.kind.estimate { background: var(--warm); color: var(--warm-ink); border-color: transparent; }
.charts { display: grid; gap: 24px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); }
figure { margin: 0; min-width: 0; }
figcaption { font-weight: 600; font-size: .95rem; margin-bottom: 6px; }
.chart, .chart.vega-embed { display: block; width: 100%; min-height: 120px; }
#vg-tooltip-element.vg-tooltip { background: var(--panel); color: var(--ink); border: 1px solid var(--line);
  font: 13px/1.4 system-ui, sans-serif; max-width: min(90vw, 420px); }
#vg-tooltip-element.vg-tooltip td.key { color: var(--muted); max-width: 150px; }
#vg-tooltip-element.vg-tooltip td.value { max-width: 260px; }
.scroll { overflow: auto; max-height: 34rem; border: 1px solid var(--line); border-radius: 8px; }
.scroll + *, .charts + .scroll { margin-top: 14px; }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: .88rem;
  font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 7px 10px; border-bottom: 1px solid var(--line); vertical-align: top; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { position: sticky; top: 0; background: var(--panel); color: var(--muted); font-weight: 600;
  white-space: nowrap;
  z-index: 1; }
thead .kind, td .kind, td small { display: table; }
td small { white-space: nowrap; }
td .badge + .badge { margin-left: 4px; }
tbody th { font-weight: 500; white-space: nowrap; }
tr.knee > * { background: var(--warm); }
tr.front > * { background: var(--tint); }
.badge { display: inline-block; border: 1px solid currentColor; border-radius: 5px; padding: 0 6px;
  font-size: .76rem; color: var(--front); }
.badge.knee { color: var(--knee); }
td:last-child { min-width: 9rem; }
.tight td { white-space: nowrap; min-width: 0; }
.pairs td { overflow-wrap: anywhere; }
.pairs th { color: var(--muted); }
.blocks { display: grid; gap: 4px 24px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); }
.blocks > div { min-width: 0; }
.bar { min-width: 70px; height: 10px; margin-top: 6px; border-radius: 5px; background: var(--line); }
.bar i { display: block; height: 100%; border-radius: 5px; background: var(--front); }
.chain { list-style: none; margin: 0 0 18px; padding: 0; display: flex; flex-wrap: wrap; gap: 10px 28px; }
.chain li { position: relative; border: 1px solid var(--line); border-radius: 10px; padding: 8px 12px;
  display: flex;
  flex-direction: column; max-width: 100%; background: var(--page); font-size: .9rem; }
.chain li + li::before { content: "\\2192"; position: absolute; left: -22px; top: 50%;
  transform: translateY(-50%);
  color: var(--muted); }
.cells { display: flex; flex-wrap: wrap; gap: 20px 40px; align-items: flex-start; }
.cells figure { max-width: 100%; }
.cell div { overflow-x: auto; }
.cell svg { display: block; max-width: 100%; height: auto; }
.cell text { text-anchor: middle; dominant-baseline: central; font: 13px system-ui, sans-serif;
  fill: var(--ink); }
.wire { fill: none; stroke: var(--muted); stroke-width: 1.5; }
.head { fill: var(--muted); }
.op rect { fill: var(--tint); stroke: var(--front); }
.op.pool rect { fill: var(--page); stroke: var(--muted); }
.op.plain rect { fill: var(--panel); stroke: var(--muted); stroke-dasharray: 4 3; }
.node circle { fill: var(--panel); stroke: var(--muted); stroke-width: 1.5; }
.end rect { fill: var(--ink); }
.cell .end text { fill: var(--panel); }
details summary { cursor: pointer; color: var(--muted); margin: 10px 0; }
.tree svg { display: block; }
.tree path { fill: none; stroke: var(--line); stroke-width: 1.5; }
.kin text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  fill: var(--ink); dominant-baseline: central; white-space: pre; }
.kin circle { fill: var(--other); stroke: var(--panel); stroke-width: 1.5; }
.kin.lower circle { fill: var(--lower); }
.kin.front circle { fill: var(--front); }
.kin.knee circle { fill: var(--knee); }
.kin.front text, .kin.knee text { font-weight: 700; }
.kin.lower text { fill: var(--muted); }
.kin.lost circle { fill: none; stroke: var(--other); }
.kin.lost text { fill: var(--muted); }
.confusion { margin-bottom: 14px; }
.confusion .scroll { width: fit-content; max-width: 100%; }
.confusion table { width: auto; }
.confusion th, .confusion td { padding: 5px 7px; max-width: 9rem; overflow: hidden; text-overflow: ellipsis; }
.confusion td { text-align: right; min-width: 2rem; }
.confusion td.hit { background: color-mix(in srgb, var(--front) var(--tint), var(--panel)); }
.confusion td.miss { background: color-mix(in srgb, var(--knee) var(--tint), var(--panel)); }
.gallery { list-style: none; padding: 0; display: grid; gap: 12px;
  grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); }
.gallery li { border: 1px solid var(--line); border-radius: 10px; padding: 8px; font-size: .84rem;
  display: flex; flex-direction: column; gap: 6px; align-items: flex-start; }
.gallery img { width: 100%; height: 110px; object-fit: contain; image-rendering: pixelated;
  background: var(--page); border-radius: 6px; }
.gallery .sound { object-fit: fill; }
.gallery .lines { width: 100%; height: 110px; background: var(--page); border-radius: 6px; }
.lines polyline { fill: none; stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.values { width: 100%; font-size: .8rem; }
.values th, .values td { padding: 2px 6px 2px 0; white-space: normal; overflow-wrap: anywhere; min-width: 0; }
:focus-visible { outline: 2px solid var(--front); outline-offset: 2px; }
@media (max-width: 600px) {
  main { padding: 10px 8px 40px; }
  header, section { padding: 16px 14px; border-radius: 10px; margin-bottom: 10px; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .gallery { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .scroll:not(.pairs, .tight) > table { min-width: 600px; }
  .chain { flex-direction: column; gap: 26px; }
  .chain li + li::before { content: "\\2193"; left: 50%; top: -25px; transform: none; }
}
@media print { .scroll { max-height: none; } section { break-inside: avoid; } }
"""

DRAW = """
const specs = JSON.parse(document.getElementById("specs").textContent);
const views = [];
function themed(spec) {
  const style = getComputedStyle(document.documentElement);
  return JSON.parse(JSON.stringify(spec), (_, value) =>
    typeof value === "string" && value.startsWith("theme:")
      ? style.getPropertyValue("--" + value.slice(6)).trim() || value : value);
}
async function draw() {
  views.splice(0).forEach(view => view.finalize());
  for (const [index, spec] of specs.entries()) {
    const place = document.getElementById("chart-" + index);
    try {
      views.push((await vegaEmbed(place, themed(spec), { actions: false, renderer: "svg", ast: true })));
    } catch (error) {
      place.textContent = "This chart could not be drawn: " + error.message;
      console.error(error);
    }
  }
}
draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
"""
