/* Signals and memory as a program sees them: prints the same on Linux itself. An argument makes it end by stack overflow. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <setjmp.h>
#include <unistd.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <fcntl.h>
#include <time.h>
static volatile int n; static sigjmp_buf jb; static char *page, *want; static double d = 1.5;
static void h1(int s){ n++; printf("h1 sig %s n %d\n", s==SIGUSR1?"USR1":"other", n); d = d * 2 + 0.25; if (n==1) raise(SIGUSR2); }
static void h2(int s, siginfo_t*i, void*u){ printf("h2 USR2 %d code %d pid %d\n", s==SIGUSR2, i->si_code, i->si_pid==getpid()); }
static void segv(int s, siginfo_t*i, void*u){ printf("segv addr %s code %d\n", (char*)i->si_addr==want?"right":"wrong", i->si_code); siglongjmp(jb, 1); }
static void fpe(int s, siginfo_t*i, void*u){ printf("fpe code %d\n", i->si_code); siglongjmp(jb, 2); }

static void fix(int s, siginfo_t*i, void*u){ printf("fix %d code %d\n", (char*)i->si_addr==page+8, i->si_code); mprotect(page, 4096, PROT_READ|PROT_WRITE); }
static void onalt(int s){ char c; stack_t st; sigaltstack(0,&st); printf("onalt flags %d in %d\n", st.ss_flags, &c > (char*)st.ss_sp && &c < (char*)st.ss_sp+st.ss_size); }
/* steps over the faulting instruction, all of whose forms below are as long, and changes a register */
static void skip(int s, siginfo_t*i, void*u){
#ifdef __mips__
  mcontext_t *c=&((ucontext_t*)u)->uc_mcontext; c->pc+=4; c->gregs[2]=1234;
#else
  greg_t *g=((ucontext_t*)u)->uc_mcontext.gregs; g[REG_EIP]+=2; g[REG_EAX]=1234;
#endif
}
static int faulting(void){
#ifdef __mips__
  register int v asm("$2"); asm volatile(".set push\n.set noreorder\nli $2,16\nlw $2,0($2)\n.set pop":"=r"(v)::"memory"); return v;
#else
  int v; asm volatile("movl $16,%%eax; movl (%%eax),%%eax":"=a"(v)::"memory"); return v;
#endif
}
static void alrm(int s){ n = 100; }
static void chk(int s){ sigset_t m; sigprocmask(0,0,&m); printf("masked usr1 %d usr2 %d hup %d\n", sigismember(&m,SIGUSR1), sigismember(&m,SIGUSR2), sigismember(&m,SIGHUP)); }
__attribute__((noinline)) static int rec(int k){ volatile char b[512]; b[0]=k; return k==0?0:rec(k+1)+b[0]; }
static void ovf(int s){ const char m[]="overflow caught\n"; write(1,m,sizeof m-1); _exit(3); }
int main(int argc,char**argv){
  setvbuf(stdout,0,_IONBF,0);
  struct sigaction sa; memset(&sa,0,sizeof sa);
  signal(SIGUSR1,h1); sa.sa_sigaction=h2; sa.sa_flags=SA_SIGINFO; sigaction(SIGUSR2,&sa,0);
  double before = d*3; raise(SIGUSR1); printf("d %f before %f\n", d, before);
  sa.sa_sigaction=segv; sa.sa_flags=SA_SIGINFO; sigaction(SIGSEGV,&sa,0);
  if(!sigsetjmp(jb,1)) { want=(char*)16; *(volatile int*)16=1; } else puts("back");
  if(!sigsetjmp(jb,1)) { want=(char*)0x500000; printf("%d\n",*(volatile int*)0x500000); } else puts("back2");
  page=mmap(0,4096,PROT_NONE,MAP_PRIVATE|MAP_ANONYMOUS,-1,0);
  if(!sigsetjmp(jb,1)) { want=page+5; page[5]=1; } else puts("back3");
  sa.sa_sigaction=fix; sigaction(SIGSEGV,&sa,0); page[8]=42; printf("page %d\n",page[8]);
  sa.sa_sigaction=skip; sigaction(SIGSEGV,&sa,0); printf("skipped %d\n",faulting());
  sa.sa_sigaction=fpe; sigaction(SIGFPE,&sa,0); volatile int z=0;
  if(!sigsetjmp(jb,1)) printf("%d\n",1/z); else puts("back4");
  stack_t st={.ss_sp=malloc(65536),.ss_size=65536}; sigaltstack(&st,0);
  sa.sa_handler=onalt; sa.sa_flags=SA_ONSTACK; sigaction(SIGHUP,&sa,0); raise(SIGHUP);
  sa.sa_handler=chk; sa.sa_flags=0; sigemptyset(&sa.sa_mask); sigaddset(&sa.sa_mask,SIGUSR2); sigaction(SIGUSR1,&sa,0); raise(SIGUSR1);
  sigset_t m,o; sigemptyset(&m); sigaddset(&m,SIGUSR1); sigprocmask(SIG_BLOCK,&m,&o); raise(SIGUSR1); puts("blocked"); sigpending(&o); printf("pending %d\n",sigismember(&o,SIGUSR1));
  sigemptyset(&o); int r=sigsuspend(&o); printf("suspend %d %d\n",r,errno==EINTR);
  sigprocmask(SIG_SETMASK,&o,0);
  sa.sa_handler=alrm; sa.sa_flags=0; sigaction(SIGALRM,&sa,0); /* again and again, since the first may come before the call that it shall interrupt */
  struct itimerval it={{0,50000},{0,50000}},none={0}; n=0; setitimer(ITIMER_REAL,&it,0); r=pause(); setitimer(ITIMER_REAL,&none,0); printf("pause %d %d n %d\n",r,errno==EINTR,n);
  n=0; setitimer(ITIMER_REAL,&it,0); while(n==0); setitimer(ITIMER_REAL,&none,0); puts("spin done");
  struct timespec ts={30,0},rem; setitimer(ITIMER_REAL,&it,0); r=nanosleep(&ts,&rem); setitimer(ITIMER_REAL,&none,0); printf("nanosleep %d %d rem>1s %d\n",r,errno==EINTR,rem.tv_sec>=1);
  int p[2]; pipe(p); setitimer(ITIMER_REAL,&it,0); char c; r=read(p[0],&c,1); setitimer(ITIMER_REAL,&none,0); printf("read %d %d\n",r,errno==EINTR);
  sigemptyset(&m); sigaddset(&m,SIGUSR2); sigprocmask(SIG_BLOCK,&m,0); union sigval v={.sival_int=77}; sigqueue(getpid(),SIGUSR2,v); siginfo_t si; r=sigwaitinfo(&m,&si); printf("wait %d code %d val %d\n",r==SIGUSR2,si.si_code,si.si_value.sival_int);
  struct timespec t0={0,10000000}; r=sigtimedwait(&m,&si,&t0); printf("timedwait %d %d\n",r,errno==EAGAIN);
  /* mremap, file map */
  char*a=mmap(0,8192,PROT_READ|PROT_WRITE,MAP_PRIVATE|MAP_ANONYMOUS,-1,0); strcpy(a,"mremap"); a=mremap(a,8192,1<<20,MREMAP_MAYMOVE); printf("%s %d\n",a,a[(1<<20)-1]);
  int fd=open("mapped.tmp",O_RDWR|O_CREAT|O_TRUNC,0600); write(fd,"abcdefgh",8); char*f=mmap(0,4096,PROT_READ|PROT_WRITE,MAP_SHARED,fd,0); f[0]='X'; msync(f,4096,MS_SYNC); char b[9]={0}; pread(fd,b,8,0); printf("%s %d\n",b,f[100]);
  madvise(a,8192,MADV_DONTNEED); printf("dontneed %d\n",a[0]);
  printf("brk %d\n", sbrk(4096)!=(void*)-1); void*q=malloc(3<<20); memset(q,1,3<<20); free(q);
  signal(SIGTERM,SIG_IGN); raise(SIGTERM); puts("ignored");
  sa.sa_handler=ovf; sa.sa_flags=SA_ONSTACK; sigaction(SIGSEGV,&sa,0);
  if(argc>1) return rec(1);
  return 5;
}
