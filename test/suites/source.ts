import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GUESTS } from './paths.ts';
import { SOURCES } from './suite.ts';

const run = (command: string, args: readonly string[], cwd?: string): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28, ...(cwd && { cwd }) });

/** apt-get with lists and settings of its own: those of the machine stay as they are, and no root is needed. */
function privateApt(): (args: readonly string[], cwd: string) => void {
  const home = join(GUESTS, 'apt');
  for (const folder of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(home, folder), { recursive: true });
  // the same mirrors and releases as for binary packages
  const targets = run('apt-get', ['indextargets', '--format', '$(REPO_URI) $(CODENAME) $(COMPONENT)', 'Created-By: Packages']);
  const lines = [...new Set(targets.split('\n').filter((line) => /^\S+ \S+ \S+$/.test(line)))].map((line) => `deb-src ${line}\n`);
  if (lines.length === 0) throw new Error('apt has no sources');
  const list = join(home, 'sources.list');
  writeFileSync(list, lines.join(''));
  const options = [`Dir::Etc::sourcelist=${list}`, 'Dir::Etc::sourceparts=/dev/null', `Dir::State::lists=${join(home, 'lists')}`];
  const flags = [...options, `Dir::Cache=${join(home, 'cache')}`, 'APT::Sandbox::User='].flatMap((option) => ['-o', option]);
  const apt = (args: readonly string[], cwd: string): void => {
    run('apt-get', ['-qq', ...flags, ...args], cwd);
  };
  try {
    apt(['update'], home);
  } catch {
    // a mirror that lacks one index fails this; the download tells
  }
  return apt;
}

let apt: ReturnType<typeof privateApt> | undefined;

export interface Source {
  readonly root: string;
  readonly version: string;
}

/** The unpacked source of a Debian package, as far as the suites need it; or why there is none. Kept in .guests/. */
export function source(name: string): Source | { readonly missing: string } {
  const folder = join(GUESTS, 'sources', name);
  const done = join(folder, 'version');
  const root = join(folder, 'root');
  if (existsSync(done)) return { root, version: readFileSync(done, 'utf8') };
  const work = `${folder}.new`;
  rmSync(work, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(work, 'root'), { recursive: true });
  try {
    apt ??= privateApt();
    apt(['source', '--download-only', name], work);
    const files = readdirSync(work);
    const description = files.find((file) => file.endsWith('.dsc'));
    const archive = files.find((file) => /\.orig\.tar\.\w+$/.test(file));
    if (!description || !archive) throw new Error('no source archive');
    unpack(join(work, archive), join(work, 'root'), SOURCES[name]);
    // configure would make it; the tests include it and need nothing of it
    if (name === 'valgrind') writeFileSync(join(work, 'root/config.h'), '');
    for (const file of files.filter((f) => f !== 'root')) rmSync(join(work, file), { recursive: true });
    writeFileSync(join(work, 'version'), description.slice(description.indexOf('_') + 1, -4));
  } catch (error) {
    rmSync(work, { recursive: true, force: true });
    const why = (error as Error).message.split('\n').slice(0, 3).join(' ');
    return { missing: `Debian's source package ${name} cannot be had: ${why}` };
  }
  renameSync(work, folder);
  return { root, version: readFileSync(done, 'utf8') };
}

/** Debian's gcc archive holds another one with the compiler. */
function unpack(archive: string, into: string, patterns: readonly string[]): void {
  const inner = run('tar', ['tf', archive])
    .split('\n')
    .find((entry) => /gcc-[^/]*\.tar\.\w+$/.test(entry));
  const flags = ['-C', into, '--strip-components=1', '--wildcards', ...patterns];
  if (!inner) {
    run('tar', ['xf', archive, ...flags]);
    return;
  }
  run('tar', ['xf', archive, '-C', into, '--strip-components=1', inner]);
  const nested = join(into, inner.slice(inner.indexOf('/') + 1));
  run('tar', ['xf', nested, ...flags]);
  rmSync(nested);
}
