// biome-ignore-all lint/suspicious/noTemplateCurlyInString: shell text

/** A command line on the files of makeTree, with what it must be able to do without: children. */
export interface CommandLine {
  readonly program: 'busybox' | 'lua' | 'sqlite' | 'bash';
  readonly args: readonly string[];
  readonly stdin?: string;
}

export const PATHS: Readonly<Record<CommandLine['program'], string>> = {
  busybox: '/bin/busybox',
  lua: '/usr/bin/lua5.4',
  sqlite: '/usr/bin/sqlite3',
  bash: '/bin/bash',
};

const busybox = (...args: string[]): CommandLine => ({ program: 'busybox', args });
const filter = (stdin: string, ...args: string[]): CommandLine => ({ program: 'busybox', args, stdin });
const lua = (code: string): CommandLine => ({ program: 'lua', args: ['-e', code] });
const sqlite = (...args: string[]): CommandLine => ({ program: 'sqlite', args });
const bash = (code: string, ...args: string[]): CommandLine => ({ program: 'bash', args: ['-c', code, 'bash', ...args] });

export const COMMANDS: readonly CommandLine[] = [
  busybox('echo', 'hello', 'world'),
  busybox('echo', '-e', 'a\\tb\\x41\\n'),
  busybox('printf', '%d %x %s %5.2f|%-6s|\n', '42', '255', 'str', '3.14159', 'ab'),
  busybox('ls', '-la', 'sub'),
  busybox('ls', '-1', '-R'),
  busybox('ls', '-l', 'words.txt', 'numbers.txt', 'long.txt.gz'),
  busybox('ls', 'absent'),
  busybox('cat', 'words.txt', 'absent', 'numbers.txt'),
  busybox('sha256sum', 'words.txt', 'long.txt'),
  busybox('sha512sum', 'long.txt'),
  busybox('md5sum', 'long.txt', 'empty'),
  busybox('sha1sum', 'long.txt'),
  busybox('sort', 'words.txt'),
  busybox('sort', '-n', '-r', 'numbers.txt'),
  busybox('sort', '-k2,2n', '-k1,1nr', 'table.txt'),
  busybox('sort', '-u', '-f', 'words.txt'),
  busybox('uniq', '-c', 'words.txt'),
  busybox('wc', 'long.txt', 'words.txt', 'empty'),
  busybox('head', '-n', '3', 'long.txt'),
  busybox('tail', '-n', '3', 'long.txt'),
  busybox('grep', '-n', '-E', 'p{2}|ig$', 'words.txt'),
  busybox('grep', '-c', '7', 'long.txt'),
  busybox('grep', 'nothing', 'words.txt'),
  busybox('sed', '-e', 's/\\([aeiou]\\)\\(.\\)/\\2\\1/g', '-e', '3d', '-e', '$p', 'words.txt'),
  busybox('sed', '-n', '/line 1[0-9]:/{s/^line //;p}', 'long.txt'),
  busybox('awk', '{ s += $3; q += $2 * $3 } END { printf "%d %.6f %g %e\\n", NR, s / NR, q, q / 3 }', 'table.txt'),
  busybox('awk', 'BEGIN { for (i = 1; i <= 10; i++) print i, 1 / i, i * 1.1, i / 7 * 1e10, i * 1e-7, int(i / 3), i % 2.5, (i - 5.5) / 3 }'),
  busybox('awk', '{ c[$4]++; v[$4] += $2 } END { for (k = 0; k < 5; k++) print "row" k, c["row" k], v["row" k] / 7 }', 'table.txt'),
  busybox(
    'awk',
    'BEGIN { x = 0.1 + 0.2; print x, x == 0.3, 1e300 * 1e10, -0.0, 65536 * 65536, 1 / 3; print length("abc") substr("hello", 2, 3) }',
  ),
  busybox('gzip', '-c', 'words.txt'),
  busybox('gzip', '-c', '-9', 'long.txt'),
  busybox('gunzip', '-c', 'long.txt.gz'),
  busybox('gunzip', '-c', 'words.txt'),
  busybox('bzip2', '-c', 'words.txt'),
  busybox('tar', '-c', '-f', '-', 'sub/deeper', 'words.txt'),
  filter('some words\nand more\n', 'tr', 'a-z', 'A-Z'),
  filter('2^100\nscale=20\n355/113\nsqrt(2)\nfor (i=0;i<4;i++) i*i\n', 'bc'),
  filter('5 3 * p 20 k 2 v p 10 3 / p\n', 'dc'),
  filter('some text\nmore\n', 'od', '-c'),
  filter('binary\x01\x02', 'hexdump', '-C'),
  filter('aGVsbG8gd29ybGQK', 'base64', '-d'),
  filter('a:b:c\nd:e:f\n', 'cut', '-d:', '-f2'),
  filter('one two\nthree\n', 'rev'),
  busybox('expr', '17', '*', '(', '3', '+', '4', ')', '%', '10'),
  busybox('seq', '1', '0.5', '4'),
  busybox('cal', '2', '2024'),
  busybox('date', '-u', '-d', '@1600000000'),
  busybox('factor', '1234567890', '97', '1000000007'),
  busybox('find', '.', '-name', 'd*p.txt', '-size', '-2'),
  busybox('stat', '-c', '%n %s %f %Y', 'words.txt', 'sub'),
  busybox('diff', 'words.txt', 'numbers.txt'),
  busybox('cmp', 'words.txt', 'numbers.txt'),
  busybox('dd', 'if=long.txt', 'bs=100', 'skip=2', 'count=2', 'status=none'),
  busybox('basename', '/a/b/c.txt', '.txt'),
  busybox('test', '1', '-gt', '2'),
  busybox('false'),
  busybox('nonsense'),
  busybox('sh', '-c', 'i=0; while [ $i -lt 20 ]; do i=$((i+1)); case $i in 1?) echo "teen $i";; *) echo $i;; esac; done'),
  busybox(
    'sh',
    '-c',
    'f() { if [ $1 -le 1 ]; then r=1; else f $(($1-1)); r=$((r*$1)); fi; }; f 10; echo $r; echo $((7/2)) $((-7%3)) $((1<<20)) $((0x1f ^ 3))',
  ),
  busybox('sh', '-c', 'for f in *.txt; do read -r first < $f; echo "$f: ${first%% *} ${#first}"; done; set -- a b c; shift; echo $# "$@"'),
  busybox('sh', '-c', 'trap "echo bye" EXIT; cd sub && pwd >/dev/null; echo new > made; read -r x < made; echo "$x"; exit 5'),
  busybox('sh', '-c', 'kill -TERM $$; echo not reached'),
  busybox('sh', 'script.sh'),
  lua('print(("x"):rep(10), #arg, os.getenv("HOME"), os.time({year=2020,month=1,day=1,hour=12}))'),
  lua('local s=0 for i=1,200000 do s = s + i % 7 * 0.5 end print(s)'),
  lua(
    'for l in io.lines("words.txt") do io.write(l:upper(), " ") end print() local f=io.open("out","w") f:write("x",1.5) f:close() print(io.open("out"):read("a"))',
  ),
  lua('error("uncaught")'),
  lua(
    'local t = setmetatable({}, {__index=function(t,k) return k*2 end}) print(t[21], rawget(t,1), #"\\u{48}", string.pack("<i4d", 7, 1.5):byte(1,-1))',
  ),
  { program: 'lua', args: ['script.lua'] },
  { program: 'lua', args: ['-'], stdin: 'print("from stdin", _VERSION)' },
  sqlite('test.db', 'create table a(x,y); insert into a values(1,2.5),(3,4.5); select sum(x), avg(y), x||y from a;'),
  sqlite('-header', '-column', ':memory:', "select 1.1 as a, 'text' as b, null as c, x'0102' as d, 1e100 as e, date(0, 'unixepoch') as f"),
  sqlite(':memory:', '.read script.sql'),
  sqlite(':memory:', 'select * from missing'),
  {
    program: 'sqlite',
    args: ['-csv', ':memory:'],
    stdin: 'create table w(a,b);\n.import table.txt w\nselect count(*) from w;\nselect sin(1), pow(2,0.5), 22/7.0;\n',
  },
  bash('for ((i=0;i<10;i++)); do printf "%d:%s " $i $((i*i)); done; echo'),
  bash('a=(one two three); a+=(four); echo ${#a[@]} ${a[@]:1:2} "${a[*]^^}"; declare -A m=([x]=1 [y]=2); echo ${m[y]} ${#m[@]}'),
  bash('s="hello world"; echo ${s/o/0} ${s//o/0} ${s#hel} ${s%ld} ${s:3:4} ${#s}; [[ $s =~ (w.*)d ]] && echo ${BASH_REMATCH[1]}'),
  bash('f() { local n=$1; ((n<2)) && { r=$n; return; }; f $((n-1)); local a=$r; f $((n-2)); r=$((a+r)); }; f 12; echo $r'),
  bash('while read -r a b c d; do ((t+=b)); done < table.txt; echo $t; echo $((16#ff)) $((2**40)) $((t%7)) $# $1', 'arg'),
  bash('trap "echo got USR1" USR1; kill -USR1 $$; echo after; exit 9'),
  bash(
    'echo *.txt; printf "%s\\n" {a..e}{1..2}; printf "%5.1f|%x|%q\\n" 2.25 255 "a b"; type -t echo; nosuch=${unset:-default}; echo $nosuch',
  ),
  bash('cd absent; echo status $?; echo $((1/0)); echo not reached'),
  { program: 'bash', args: ['script.sh'] },
];

/** How a command line is called in a list of tests. */
export const title = ({ program, args }: CommandLine): string =>
  [...(program === 'busybox' ? [] : [program]), ...args].join(' ').slice(0, 90);
