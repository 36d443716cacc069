import { defineConfig } from 'vitest/config';

/** So long only on a host that is very busy: most tests take milliseconds. */
const PATIENCE_MS = 300_000;

export default defineConfig({ test: { testTimeout: PATIENCE_MS, hookTimeout: PATIENCE_MS } });
