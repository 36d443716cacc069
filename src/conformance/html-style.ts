/** Style and behaviour of the page that html.ts makes. */

export const PAGE_STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; --line: color-mix(in srgb, currentColor 15%, transparent);
  --tint: color-mix(in srgb, currentColor 5%, transparent); --good: #197a3d; --bad: #c22; }
@media (prefers-color-scheme: dark) { :root { --good: #5fcf8a; --bad: #ff7b72; } }
body { margin: 2.5rem auto 5rem; max-width: 64rem; padding: 0 1.25rem; }
h1 { font-size: 2rem; margin: 0; }
h2 { margin: 3rem 0 0.5rem; }
h3 { margin: 1.5rem 0 0.25rem; }
header p { max-width: 46rem; }
p { max-width: 52rem; }
a { color: inherit; }
small { opacity: 0.7; font-weight: normal; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(12rem, 1fr)); gap: 0.75rem; margin: 1.5rem 0; }
.card { padding: 0.8rem 1rem; border: 1px solid var(--line); border-radius: 0.5rem; }
.card b { display: block; font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.card span { opacity: 0.75; }
table { border-collapse: collapse; width: 100%; margin: 0.75rem 0 1.25rem; }
th, td { text-align: left; padding: 0.25rem 0.6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { font-weight: 600; border-bottom-width: 2px; white-space: nowrap; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.in { padding-left: 1.6rem; }
tr.suite > * { background: var(--tint); font-weight: 600; }
tbody + tbody tr.suite > * { border-top: 0.6rem solid Canvas; }
.good { color: var(--good); }
.bad { color: var(--bad); font-weight: 600; }
.card.good, .card.bad { color: inherit; }
.card.good b { color: var(--good); }
.card.bad b { color: var(--bad); }
.none { opacity: 0.4; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.85em; }
.why td:first-child { width: 45%; }
.why code { margin-right: 0.5em; white-space: nowrap; }
pre { overflow-x: auto; padding: 0.7rem 1rem; background: var(--tint); border-radius: 0.5rem; }
.wide { overflow-x: auto; }
.forms code { white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; margin: 0.25rem 0 0.5rem; }
dt { opacity: 0.7; }
dd { margin: 0; }
summary { cursor: pointer; padding: 0.25rem 0; }
input { font: inherit; padding: 0.25rem 0.5rem; width: 20rem; max-width: 100%; }
footer { margin-top: 3rem; opacity: 0.75; }
`;

/** The search field: opens the lists that have matches and hides the rows that do not match. */
export const PAGE_SCRIPT = `
document.getElementById('filter').addEventListener('input', (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  for (const details of document.querySelectorAll('section details')) {
    let shown = 0;
    for (const row of details.querySelectorAll('tbody tr')) {
      const match = !wanted || (row.cells[0].textContent + ' ' + row.cells[1].textContent).toLowerCase().includes(wanted);
      row.hidden = !match;
      shown += match;
    }
    details.open = wanted !== '' && shown > 0;
    details.closest('section').hidden = shown === 0;
  }
});
`;
