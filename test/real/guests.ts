import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';

/** Debian's name of an architecture that real programs come from. */
export type Arch = 'mipsel' | 'i386';

export const ROOT = resolve(import.meta.dirname, '../..');
const GUESTS = join(ROOT, '.guests');

const PACKAGES = ['busybox-static', 'lua5.4', 'sqlite3', 'bash', 'libc6', 'libreadline8', 'libtinfo6', 'libsqlite3-0', 'zlib1g'];

const found = (command: string): boolean => {
  try {
    execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
export const have = found;

/** Why nothing of Debian's can be downloaded here, if so. */
export const noDownloads = (): string | undefined =>
  found('apt-get') && found('dpkg') ? undefined : 'Debian packages are downloaded with apt-get, which is not here';

/** Makes an architecture known to apt. Throws if that needs root. */
export function addArchitecture(arch: Arch): void {
  const known = execFileSync('dpkg', ['--print-foreign-architectures'], { encoding: 'utf8' }).split('\n');
  const native = execFileSync('dpkg', ['--print-architecture'], { encoding: 'utf8' }).trim();
  if (arch === native || known.includes(arch)) return;
  if (process.getuid?.() !== 0) throw new Error(`dpkg --add-architecture ${arch} needs root`);
  execFileSync('dpkg', ['--add-architecture', arch]);
  aptUpdate();
}

/** Downloads Debian packages (name, or name:architecture) into a new folder and unpacks them below its `root`, which it gives. */
export function unpackPackages(folder: string, packages: readonly string[]): string {
  const debs = join(folder, 'debs');
  const root = join(folder, 'root');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(debs, { recursive: true });
  const download = () => execFileSync('apt-get', ['download', ...packages], { cwd: debs, stdio: 'pipe' });
  try {
    download();
  } catch {
    aptUpdate();
    download();
  }
  for (const deb of readdirSync(debs)) execFileSync('dpkg', ['-x', join(debs, deb), root]);
  return root;
}

/** What could not be had, and why in a few words. */
export const whyMissing = (what: string, error: unknown): { readonly missing: string } => ({
  missing: `${what} cannot be had: ${(error as Error).message.split('\n').slice(0, 3).join(' ')}`,
});

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** Longer than a download takes. */
const LOCK_MS = 300_000;

/** Does what makes `file` last, unless it is there; while one of several test files that run at once does, the others wait. */
export function once(file: string, lock: string, make: () => void): void {
  mkdirSync(join(lock, '..'), { recursive: true });
  const late = performance.now() + LOCK_MS;
  while (!existsSync(file)) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
      // of one that was killed; an empty file is being written
      const owner = existsSync(lock) ? Number(readFileSync(lock, 'utf8')) : 0;
      if (owner > 0 && !isRunning(owner)) rmSync(lock, { force: true });
      if (performance.now() > late) throw new Error(`${lock} says that process ${owner} makes it; remove that if it does not`);
      continue;
    }
    try {
      if (!existsSync(file)) make();
    } finally {
      rmSync(lock);
    }
  }
}

/** Where an architecture's unpacked programs lie, or why there are none. Downloaded once and kept in .guests/. */
export function guestRoot(arch: Arch): { readonly root: string } | { readonly missing: string } {
  const folder = join(GUESTS, arch);
  const complete = join(folder, 'complete');
  const root = join(folder, 'root');
  const missing = existsSync(complete) ? undefined : noDownloads();
  if (missing) return { missing };
  try {
    once(complete, `${folder}.lock`, () => {
      makeRoot(arch, folder, root);
      writeFileSync(complete, '');
    });
  } catch (error) {
    return whyMissing(`Debian packages for ${arch}`, error);
  }
  return { root };
}

function makeRoot(arch: Arch, folder: string, root: string): void {
  addArchitecture(arch);
  unpackPackages(
    folder,
    PACKAGES.map((name) => `${name}:${arch}`),
  );
  // qemu-user falls back to the host's files for what is not below its root
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
  writeFileSync(join(root, 'etc/nsswitch.conf'), 'passwd: files\ngroup: files\n');
}

/** A mirror that lacks some index files fails the command but not what is needed. */
function aptUpdate(): void {
  try {
    execFileSync('apt-get', ['update', '-qq'], { stdio: 'pipe' });
  } catch {
    // the download that follows tells
  }
}

/** Files that the command lines work on; content, modes and times are always the same. */
export function makeTree(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  const words = 'pear apple fig banana cherry date elderberry grape apple Fig'.split(' ');
  const table = Array.from({ length: 40 }, (_, i) => `${i} ${(i * 7919) % 101} ${((i * 31) % 17) / 8} row${i % 5}`).join('\n');
  const long = Array.from({ length: 3000 }, (_, i) => `line ${i}: ${(i * 2654435761) % 4294967296}`).join('\n');
  const files: Readonly<Record<string, string | Uint8Array>> = {
    'words.txt': `${words.join('\n')}\n`,
    'numbers.txt': `${[10, 9, 100, -3, 0, 22, 1000, 5].join('\n')}\n`,
    'table.txt': `${table}\n`,
    'long.txt': `${long}\n`,
    'long.txt.gz': new Uint8Array(gzipSync(long)),
    empty: '',
    'sub/inner.txt': 'inside\n',
    'sub/deeper/deep.txt': 'deep\n',
    'script.sh': '# read by sh and bash\nx=0\nwhile [ $x -lt 5 ]; do x=$((x+1)); echo "x is $x"; done\nexit 7\n',
    'script.lua': LUA,
    'script.sql': SQL,
  };
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, content, { mode: 0o644 });
  }
  const time = 1_600_000_000;
  const touch = (path: string, depth: number): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) touch(join(path, entry.name), depth + 1);
      else utimesSync(join(path, entry.name), time + depth * 3600, time + depth * 3600);
    }
    utimesSync(path, time, time);
  };
  touch(folder, 0);
}

const LUA = `
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
print(fib(18), 2^53, 10 // 3, 10 % 3, -7 // 2, -7 % 3, 7 / 2)
print(1/0, -1/0, math.pi, math.sqrt(2), math.floor(-2.5), math.maxinteger, math.mininteger)
print(string.format("%5.2f|%-8s|%08x|%q|%g|%e|%a", 3.14159, "ab", 48879, 'x"y', 1e20, 12345.678, 0.5))
local t = {}
for i = 1, 200 do t[i] = (i * 7919) % 211 end
table.sort(t)
print(table.concat(t, ",", 1, 20), #t)
print(select(2, pcall(function() error({ code = 42 }) end)).code)
print(select(2, pcall(error, "message", 0)), select("#", 1, nil, nil))
print(string.rep("ab", 3, "-"), ("hello world"):gsub("o", "0"), ("key=value"):match("(%w+)=(%w+)"))
local co = coroutine.wrap(function(a) local b = coroutine.yield(a * 2) return b + 1 end)
print(co(21), co(41))
for k, v in pairs(setmetatable({}, { __pairs = function() return next, { only = 1 } end })) do print(k, v) end
print(math.sin(1), math.cos(1), math.exp(1), math.log(10), math.fmod(7.5, 2), 1e15, 123456789012345678)
print(0x7fffffffffffffff + 1, 5 // 0.0, 0/0 ~= 0/0, 3 | 5, 3 ~ 5, 1 << 40, "10" + 5, 10 .. 20)
print(utf8.char(228, 8364, 128512), utf8.len("äöü"), #"äöü")
io.stderr:write("to stderr\\n")
os.exit(3)
`;

const SQL = `
create table t(id integer primary key, name text, value real);
insert into t(name, value) values ('one', 1.5), ('two', 2.25), ('three', -3.125), ('four', 1e10), ('five', 0.1);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 500) insert into t(name, value) select 'n' || i, i / 7.0 from n;
select count(*), sum(value), avg(value), min(value), max(value) from t;
select id, name, round(value, 4) from t where id % 100 = 7 order by value desc;
select substr(name, 1, 2) as p, count(*), printf('%.6f', total(value)) from t group by p order by p limit 8;
create index byname on t(name);
select name, typeof(value), hex(name), length(name) from t where name between 'n10' and 'n12' order by name limit 5;
update t set value = value * 2 where id <= 3;
select group_concat(value, '|') from t where id <= 5;
select 1 / 0, 7 / 2, 7 % 3, 7 / 2.0, abs(-9223372036854775807), 1e308 * 10;
begin; delete from t where id > 10; rollback; select count(*) from t;
select nope from t;
`;
