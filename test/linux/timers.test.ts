import { expect, it } from 'vitest';
import { nodeHost } from '../../src/host/node-host.ts';
import type { Process } from '../../src/linux/process.ts';
import { Timer } from '../../src/linux/timers.ts';

it('lets others have their turn, however short its interval is', async () => {
  let count = 0;
  const timer = new Timer({ host: nodeHost, group: { timers: new Set() } } as unknown as Process, () => count++);
  timer.start(0, 1e-6);
  await new Promise((resolve) => setTimeout(resolve, 20));
  timer.stop();
  expect(count).toBeGreaterThan(0);
});
