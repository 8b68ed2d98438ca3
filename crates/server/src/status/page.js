'use strict';

const EVERY_MS = 2000;
const PATIENCE_MS = 5000;
const SAMPLES_MAX = 150;
const COMMANDS_MAX = 12;

// One scrape: the values of every series, by the name of its metric.
function parse(text) {
  const metrics = new Map();
  for (const line of text.split('\n')) {
    const found = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!found) continue;
    const labels = {};
    for (const [, name, value] of (found[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[name] = value;
    const value = found[3] === '+Inf' ? Infinity : Number(found[3]);
    if (!metrics.has(found[1])) metrics.set(found[1], []);
    metrics.get(found[1]).push({ labels, value });
  }
  return metrics;
}

// Sums of a metric by the value of a label, over the series that `fits`.
function by(scrape, name, label, fits = () => true) {
  const sums = new Map();
  for (const series of scrape.get(name) ?? []) {
    if (!fits(series.labels)) continue;
    const key = series.labels[label] ?? '';
    sums.set(key, (sums.get(key) ?? 0) + series.value);
  }
  return sums;
}

const total = (sums) => [...sums.values()].reduce((sum, value) => sum + value, 0);
const sum = (scrape, name) => total(by(scrape, name, ''));

// How much each sum has grown, a second. A server that was started anew begins from nothing.
function rates(now, before, seconds) {
  const grown = ([key, value]) => {
    const from = before.get(key) ?? 0;
    return [key, (value < from ? value : value - from) / seconds];
  };
  return new Map([...now].map(grown));
}

// The value below which a part of what was counted lies, by the buckets that grew: [upper bound, count so far].
function quantile(buckets, part) {
  const rising = [...buckets].sort(([a], [b]) => a - b);
  const count = rising.at(-1)?.[1] ?? 0;
  if (count <= 0) return null;
  let [low, below] = [0, 0];
  for (const [bound, upTo] of rising) {
    if (upTo >= count * part) {
      if (bound === Infinity) return low;
      return low + (bound - low) * (count * part - below) / (upTo - below);
    }
    [low, below] = [bound, upTo];
  }
  return low;
}

function lags(now, before, part) {
  const name = 'mayfly_shard_expiry_lag_seconds_bucket';
  const bound = (text) => text === '+Inf' ? Infinity : Number(text);
  const of = (fits) => {
    const grown = rates(by(now, name, 'le', fits), by(before, name, 'le', fits), 1);
    return quantile([...grown].map(([le, count]) => [bound(le), count]), part);
  };
  const shards = [...by(now, name, 'shard').keys()];
  return { all: of(), shards: new Map(shards.map((shard) => [shard, of((labels) => labels.shard === shard)])) };
}

const added = (shards) => ({ all: total(shards), shards });
const rate = (now, before, seconds, name) =>
  added(rates(by(now, name, 'shard'), by(before, name, 'shard'), seconds));

function hitRate(now, before, seconds) {
  const hits = rate(now, before, seconds, 'mayfly_shard_hits_total');
  const misses = rate(now, before, seconds, 'mayfly_shard_misses_total');
  const part = (hit, miss) => hit + miss > 0 ? 100 * hit / (hit + miss) : null;
  const shards = [...hits.shards].map(([shard, hit]) => [shard, part(hit, misses.shards.get(shard) ?? 0)]);
  return { all: part(hits.all, misses.all), shards: new Map(shards) };
}

const forecast = (now, name, within) => added(by(now, name, 'shard', (labels) => labels.within === within));

function scaled(value, step, units, digits) {
  let unit = 0;
  while (Math.abs(value) >= step && unit < units.length - 1) [value, unit] = [value / step, unit + 1];
  const shown = value >= 100 || Number.isInteger(value) ? Math.round(value).toString() : value.toFixed(digits);
  return shown + units[unit];
}
const number = (value) => value === null ? '–' : scaled(value, 1000, ['', ' k', ' M', ' G'], value < 10 ? 1 : 2);
const bytes = (value) => value === null ? '–' : scaled(value, 1024, [' B', ' KiB', ' MiB', ' GiB', ' TiB'], 1);
const percent = (value) => value === null ? '–' : value.toFixed(1) + ' %';
const seconds = (value) => value === null ? '–'
  : value >= 1 ? value.toFixed(1) + ' s'
  : value >= 0.001 ? (value * 1e3).toFixed(1) + ' ms' : (value * 1e6).toFixed(1) + ' µs';
function duration(value) {
  const [days, hours, minutes] = [Math.floor(value / 86400), Math.floor(value / 3600) % 24, Math.floor(value / 60) % 60];
  return days > 0 ? `${days} d ${hours} h` : hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${Math.floor(value % 60)} s`;
}

// What is drawn over time: its title, how a value is written, the least upper end of the scale, and where it comes from.
const CHARTS = [
  ['Commands a second', number, 10, (now, before, s) => rate(now, before, s, 'mayfly_shard_commands_total')],
  ['Hit rate', percent, 100, hitRate],
  ['Memory of keys and values', bytes, 1024, (now) => added(by(now, 'mayfly_shard_held_bytes', 'shard'))],
  ['Keys', number, 10, (now) => added(by(now, 'mayfly_shard_keys', 'shard'))],
  ['Keys expired a second', number, 10, (now, before, s) => rate(now, before, s, 'mayfly_shard_expired_keys_total')],
  ['Expiry lag, 99 of 100 keys', seconds, 0.002, (now, before) => lags(now, before, 0.99)],
  ['Keys due within a minute', number, 10, (now) => forecast(now, 'mayfly_shard_forecast_keys', '1m')],
  ['Bytes due within a minute', bytes, 1024, (now) => forecast(now, 'mayfly_shard_forecast_bytes', '1m')],
  ['Away from the mailbox, 99 of 100 times', seconds, 0.0001, away],
];

function away(now, before) {
  const name = 'mayfly_shard_busy_seconds_bucket';
  const grown = rates(by(now, name, 'le'), by(before, name, 'le'), 1);
  const all = quantile([...grown].map(([le, count]) => [le === '+Inf' ? Infinity : Number(le), count]), 0.99);
  return { all, shards: new Map() };
}

const element = (name, text, attributes = {}) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};
const svg = (name, attributes) => {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

const charts = CHARTS.map(([title, format, least, of]) => {
  const figure = element('figure');
  const caption = element('figcaption', title);
  const shown = element('strong', '–');
  const picture = svg('svg', { viewBox: '0 0 100 100', preserveAspectRatio: 'none', role: 'img', 'aria-label': title });
  const scale = element('div', undefined, { class: 'scale' });
  caption.append(shown);
  figure.append(caption, picture, scale);
  document.getElementById('charts').append(figure);
  return { format, least, of, shown, picture, scale, points: [] };
});

function draw(chart) {
  const { points, picture, scale, format, shown, least } = chart;
  const values = points.flatMap(({ all, shards }) => [all, ...shards.values()]).filter((value) => value !== null);
  const top = Math.max(least, ...values);
  const path = (value) => {
    let [drawn, pen] = ['', 'M'];
    points.forEach((point, index) => {
      const at = value(point);
      if (at === null || at === undefined) return void (pen = 'M');
      const x = 100 - (points.length - 1 - index) * 100 / (SAMPLES_MAX - 1);
      drawn += `${pen}${x.toFixed(2)} ${(100 - 100 * at / top).toFixed(2)}`;
      // A line of no length, so that a value without neighbours is a dot.
      pen = 'L';
      if (drawn.endsWith('M')) drawn += 'h0';
    });
    return drawn;
  };
  const lines = [svg('line', { x1: 0, x2: 100, y1: 0, y2: 0 }), svg('line', { x1: 0, x2: 100, y1: 100, y2: 100 })];
  const shards = points.at(-1).shards;
  if (shards.size > 1) {
    for (const shard of shards.keys()) lines.push(svg('path', { d: path((point) => point.shards.get(shard)) }));
  }
  lines.push(svg('path', { class: 'all', d: path((point) => point.all) }));
  picture.replaceChildren(...lines);
  shown.textContent = format(points.at(-1).all);
  const minutes = Math.round(SAMPLES_MAX * EVERY_MS / 60000);
  scale.replaceChildren(element('span', `${minutes} min ago`), element('span', `0 to ${format(top)}`), element('span', 'now'));
}

function fill(table, titles, rows) {
  const row = (cells, name) => {
    const made = element('tr');
    made.append(...cells.map((cell) => element(name, cell)));
    return made;
  };
  table.replaceChildren(row(titles, 'th'), ...rows.map((cells) => row(cells, 'td')));
}

function showShards(now, before, s) {
  const of = (name, fits) => by(now, name, 'shard', fits);
  const due = (within) => of('mayfly_shard_forecast_keys', (labels) => labels.within === within);
  const columns = [
    ['commands/s', number, rate(now, before, s, 'mayfly_shard_commands_total').shards],
    ['keys', number, of('mayfly_shard_keys')],
    ['with TTL', number, of('mayfly_shard_keys_with_ttl')],
    ['memory', bytes, of('mayfly_shard_held_bytes')],
    ['due in 1 s', number, due('1s')],
    ['in 1 min', number, due('1m')],
    ['in 1 h', number, due('1h')],
    ['backlog', number, of('mayfly_shard_expiry_backlog_keys')],
    ['lag p99', seconds, lags(now, before, 0.99).shards],
    ['queue', number, of('mayfly_shard_queue_depth')],
    ['longest away', seconds, of('mayfly_shard_busy_max_seconds')],
  ];
  const shards = [...of('mayfly_shard_keys').keys()].sort((a, b) => a - b);
  const rows = shards.map((shard) => [shard, ...columns.map(([, format, values]) => format(values.get(shard) ?? null))]);
  fill(document.getElementById('shards'), ['shard', ...columns.map(([title]) => title)], rows);
}

function showCommands(now, before, s) {
  const of = (name) => rates(by(now, name, 'command'), by(before, name, 'command'), s);
  const [calls, errors, busy] =
    [of('mayfly_command_calls_total'), of('mayfly_command_errors_total'), of('mayfly_command_duration_seconds_sum')];
  const busiest = [...calls].filter(([, count]) => count > 0).sort(([, a], [, b]) => b - a).slice(0, COMMANDS_MAX);
  const row = ([command, count]) =>
    [command.toUpperCase(), number(count), seconds((busy.get(command) ?? 0) / count), number(errors.get(command) ?? 0)];
  fill(document.getElementById('commands'), ['command', 'calls/s', 'mean time', 'errors/s'], busiest.map(row));
}

function showTotals(now) {
  const build = now.get('mayfly_build_info')?.[0]?.labels ?? {};
  document.getElementById('about').textContent =
    `version ${build.version}, up for ${duration(sum(now, 'mayfly_uptime_seconds'))}`;
  const totals = [
    ['Keys', number(sum(now, 'mayfly_shard_keys'))],
    ['with a TTL', number(sum(now, 'mayfly_shard_keys_with_ttl'))],
    ['Memory of the process', bytes(sum(now, 'process_resident_memory_bytes'))],
    ['Clients', number(sum(now, 'mayfly_connections'))],
    ['Busiest shard to the mean', (by(now, 'mayfly_imbalance_ratio', 'of').get('calls') ?? 1).toFixed(2)],
    ['Due within an hour', number(forecast(now, 'mayfly_shard_forecast_keys', '1h').all)],
  ];
  document.getElementById('totals').replaceChildren(...totals.map(([term, value]) => {
    const pair = element('div');
    pair.append(element('dt', term), element('dd', value));
    return pair;
  }));
}

// What is named by the server, if it is told to: keys are text here, never markup.
function showKeys({ named, hot, big }) {
  document.getElementById('keys').hidden = !named;
  document.getElementById('unnamed').hidden = named;
  if (!named) return;
  const key = ({ key, key_bytes: length, shown_bytes: shown }) => length > shown ? `${key}… (${bytes(length)})` : key;
  fill(document.getElementById('hot'), ['key', 'database', 'shard', 'calls/s', 'of all calls'],
    hot.map((it) => [key(it), it.database, it.shard, number(it.calls_per_second), percent(it.calls_percent)]));
  fill(document.getElementById('big'), ['key', 'database', 'shard', 'memory', 'fields'],
    big.map((it) => [key(it), it.database, it.shard, bytes(it.bytes), number(it.fields)]));
}

let last = null;

function show(now, at) {
  showTotals(now);
  if (last !== null && at > last.at) {
    const passed = (at - last.at) / 1000;
    for (const chart of charts) {
      chart.points.push(chart.of(now, last.scrape, passed));
      if (chart.points.length > SAMPLES_MAX) chart.points.shift();
      draw(chart);
    }
    showShards(now, last.scrape, passed);
    showCommands(now, last.scrape, passed);
  }
  last = { scrape: now, at };
}

async function ask(path) {
  const answer = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!answer.ok) throw new Error(`it answers ${answer.status}`);
  return answer;
}

async function look() {
  const trouble = document.getElementById('trouble');
  try {
    show(parse(await (await ask('/metrics')).text()), performance.now());
    showKeys(await (await ask('/status/keys.json')).json());
    trouble.hidden = true;
  } catch (error) {
    if (trouble.hidden) trouble.textContent = `No figures since ${new Date().toLocaleTimeString()}: ${error.message}. Trying again.`;
    trouble.hidden = false;
  }
}

async function go() {
  if (!document.hidden) await look();
  setTimeout(go, EVERY_MS);
}

go();
