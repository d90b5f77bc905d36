// What one nextRun of croner costs, for the rows of the cron table that it accepts.
// usage: croner.mjs FOLDER-OF-CRONER TABLE
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
const { Cron } = await import(pathToFileURL(`${process.argv[2]}/node_modules/croner/dist/croner.js`));
const costs = [];
for (const line of readFileSync(process.argv[3], 'utf8').split('\n')) {
  const [, text, timezone, base] = line.split('\t');
  if (line.startsWith('#') || !base) continue;
  try {
    const job = new Cron(text, { timezone, paused: true });
    let best = Infinity;
    for (let round = 0; round < 5; round++) {
      let at = new Date(base * 1000);
      const began = process.hrtime.bigint();
      for (let i = 0; i < 16; i++) at = job.nextRun(at) ?? new Date(base * 1000);
      best = Math.min(best, Number(process.hrtime.bigint() - began) / 16000);
    }
    costs.push(best);
  } catch { /* it does not speak this expression */ }
}
costs.sort((a, b) => a - b);
const at = (p) => costs[Math.min(costs.length - 1, Math.floor(costs.length * p))].toFixed(2);
console.log(costs.length, at(0.5), at(0.99), at(1));
