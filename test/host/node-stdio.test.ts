import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** A program that copies its input to its output through the adapters, and tells on standard error how that ended. */
const COPY = `
import { nodeStdin, nodeStdout, nodeStderr } from './src/host/node.ts';
const input = nodeStdin(), output = nodeStdout(), errors = nodeStderr();
const say = (text) => errors.write(new TextEncoder().encode(text));
let total = 0;
try {
  for (;;) {
    const chunk = await input.read(65536);
    if (chunk === null) break;
    for (let done = 0; done < chunk.length; ) done += await output.write(chunk.subarray(done));
    total += chunk.length;
  }
  say('copied ' + total + (input.tty ? ' from a terminal' : ''));
} catch (error) {
  say('failed ' + error.code);
}
`;

let folder: string;
let program: string;

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'wasmvisor-stdio-'));
  program = path.join(folder, 'copy.mjs');
  await build({
    stdin: { contents: COPY, resolveDir: process.cwd(), loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: program,
    logLevel: 'error',
  });
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const content = Buffer.from(Array.from({ length: 200_000 }, (_, i) => `line ${i}\n`).join(''));

describe('standard streams of Node', () => {
  it('copy a file', () => {
    const file = path.join(folder, 'input');
    const target = path.join(folder, 'output');
    fs.writeFileSync(file, content);
    const [input, output] = [fs.openSync(file, 'r'), fs.openSync(target, 'w')];
    const { stderr, status } = spawnSync(process.execPath, [program], { stdio: [input, output, 'pipe'] });
    fs.closeSync(input);
    fs.closeSync(output);
    expect([status, stderr.toString()]).toEqual([0, `copied ${content.length}`]);
    expect(fs.readFileSync(target).equals(content)).toBe(true);
  });

  it('copy a pipe to a pipe', () => {
    const { stdout, stderr } = spawnSync(process.execPath, [program], { input: content, maxBuffer: 1 << 26 });
    expect(stderr.toString()).toBe(`copied ${content.length}`);
    expect(stdout.equals(content)).toBe(true);
  });

  it('end at once on /dev/null and on a closed descriptor', () => {
    const nothing = spawnSync(process.execPath, [program], { stdio: ['ignore', 'pipe', 'pipe'] });
    expect(nothing.stderr.toString()).toBe('copied 0');
    const closed = spawnSync('sh', ['-c', '"$0" "$1" <&-', process.execPath, program]);
    expect(closed.stderr.toString()).toBe('copied 0');
  });

  it('wait for a slow reader of a pipe that does not block, and lose nothing', async () => {
    const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'pipe'] });
    child.stdin.end(content);
    const parts: Buffer[] = [];
    for await (const part of child.stdout) {
      parts.push(part as Buffer);
      if (parts.length % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(Buffer.concat(parts).equals(content)).toBe(true);
  });

  it('tell that the reader is gone', async () => {
    const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'pipe'] });
    child.stdin.on('error', () => {});
    child.stdout.destroy();
    let said = '';
    child.stderr.on('data', (part) => {
      said += part;
    });
    const closed = new Promise((resolve) => child.once('close', resolve));
    await new Promise((resolve) => setTimeout(resolve, 50));
    child.stdin.end(content);
    await closed;
    expect(said).toBe('failed EPIPE');
  });
});
