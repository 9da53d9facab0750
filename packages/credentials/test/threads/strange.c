// An addon that gives Node threads, rings and handlers of signals as other native addons have them. A test compiles this file.
// The few functions of Node-API are declared here, so that no header of Node is needed.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct env *env_t;
typedef struct value *value_t;
typedef struct info *info_t;
typedef value_t (*callback_t)(env_t, info_t);
int napi_create_function(env_t, const char *, size_t, callback_t, void *, value_t *);
int napi_set_named_property(env_t, value_t, const char *, value_t);
int napi_get_cb_info(env_t, info_t, size_t *, value_t *, value_t *, void **);
int napi_get_value_string_utf8(env_t, value_t, char *, size_t, size_t *);
int napi_get_value_int32(env_t, value_t, int32_t *);
int napi_create_int32(env_t, int32_t, value_t *);

#define SIGNAL 33
#define ALL (~(uint64_t)0)

static int pipe_ends[2];
static _Atomic int bytes_read, reads_failed, handled, forwarded;

static void mask_raw(uint64_t set) { syscall(SYS_rt_sigprocmask, SIG_SETMASK, &set, 0, 8); }

static void rest(int milliseconds) {
  struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  while (nanosleep(&left, &left) && errno == EINTR) {}
}

static void wait_for_ever(void) { for (;;) pause(); }

// The kinds of threads. Each gets a number whose meaning it knows.

static void blocks33(int n) { (void)n; mask_raw((uint64_t)1 << (SIGNAL - 1)); wait_for_ever(); }

static void blocks_raw(int n) { (void)n; mask_raw(ALL); wait_for_ever(); }

static void blocks_all(int n) {
  (void)n;
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, NULL); // the C library leaves 32 and 33 open
  wait_for_ever();
}

static void blocks_for_a_moment(int milliseconds) {
  mask_raw(ALL);
  rest(milliseconds);
  mask_raw(0);
  wait_for_ever();
}

static void blocks_often(int milliseconds) {
  for (;;) {
    mask_raw(ALL);
    rest(milliseconds);
    mask_raw(0);
  }
}

static void reads(int n) {
  (void)n;
  for (char byte;;) {
    if (read(pipe_ends[0], &byte, 1) == 1) bytes_read++;
    else reads_failed++;
  }
}

static void spins(int n) { for (volatile int i = n;; i++) {} }

static void vforks_once(int milliseconds) {
  if (vfork() == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    rest(milliseconds);
    _exit(0);
  }
  wait_for_ever();
}

static void vforks(int n) {
  (void)n;
  for (;;) {
    pid_t child = vfork();
    if (child == 0) _exit(0);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
  }
}

static void *ends(void *argument) { return argument; }

static void bears(int n) {
  (void)n;
  for (pthread_t thread;;)
    if (pthread_create(&thread, NULL, ends, NULL) == 0) pthread_join(thread, NULL);
}

static void allocates(int n) { for (unsigned seed = n;;) free(malloc(100000 + rand_r(&seed) % 1000000)); }

static void has_no_new_privs(int n) { (void)n; prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); wait_for_ever(); }

// Takes one capability out of the effective set of this thread.
static void lacks_capability(int capability) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  syscall(SYS_capget, &header, data);
  data[capability / 32].effective &= ~(1u << (capability % 32));
  syscall(SYS_capset, &header, data);
  wait_for_ever();
}

static void has_securebits(int bits) { prctl(PR_SET_SECUREBITS, bits, 0, 0, 0); wait_for_ever(); }

static void has_user(int uid) { syscall(SYS_setresuid, -1, uid, -1); wait_for_ever(); }

// From now on the kernel refuses one system call, or kills a thread for it (error -1): this thread alone, or all threads.
static int refuse(int number, int error, unsigned flags) {
  struct sock_filter program[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, error < 0 ? SECCOMP_RET_KILL_THREAD : SECCOMP_RET_ERRNO | error),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog all = {sizeof program / sizeof *program, program};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &all) < 0 ? -errno : 0;
}

static void is_refused(int number) { refuse(number, EPERM, 0); wait_for_ever(); }

// Has an alternate stack with little more room than the frame of a signal takes.
static void has_small_stack(int room) {
  static char memory[1 << 17];
  stack_t stack = {.ss_sp = memory, .ss_size = getauxval(AT_MINSIGSTKSZ) + room};
  sigaltstack(&stack, NULL);
  wait_for_ever();
}

static void is_named(int number) {
  char name[16] = "iou-sqp-";
  name[8] = (char)('0' + number);
  prctl(PR_SET_NAME, name, 0, 0, 0);
  wait_for_ever();
}

static void sleeps(int n) { (void)n; wait_for_ever(); }

static const struct { const char *name; void (*run)(int); } kinds[] = {
  {"blocks33", blocks33}, {"blocksRaw", blocks_raw}, {"blocksAll", blocks_all}, {"blocksForAMoment", blocks_for_a_moment},
  {"blocksOften", blocks_often}, {"reads", reads}, {"spins", spins}, {"vforksOnce", vforks_once}, {"vforks", vforks},
  {"bears", bears}, {"allocates", allocates}, {"hasNoNewPrivs", has_no_new_privs}, {"lacksCapability", lacks_capability},
  {"hasSecurebits", has_securebits}, {"hasUser", has_user}, {"isRefused", is_refused}, {"hasSmallStack", has_small_stack},
  {"isNamed", is_named}, {"sleeps", sleeps},
};

typedef struct { void (*run)(int); int number; _Atomic int tid; } start_t;

static void *begin(void *argument) {
  start_t *start = argument;
  void (*run)(int) = start->run;
  int number = start->number;
  start->tid = (int)syscall(SYS_gettid); // the maker frees the memory from here on
  run(number);
  return NULL;
}

// What JavaScript calls.

static size_t arguments(env_t env, info_t info, char *text, size_t size, int *numbers) {
  value_t values[4];
  size_t count = 4, at = 0;
  napi_get_cb_info(env, info, &count, values, NULL, NULL);
  if (text && count > 0) napi_get_value_string_utf8(env, values[at++], text, size, NULL);
  for (int i = 0; at < count && i < 3; i++) napi_get_value_int32(env, values[at++], &numbers[i]);
  return count;
}

static value_t number(env_t env, int n) {
  value_t value;
  napi_create_int32(env, n, &value);
  return value;
}

// thread(kind, number): starts a thread. Returns its id, or a negative errno.
static value_t thread(env_t env, info_t info) {
  char name[32] = "";
  int numbers[3] = {0};
  arguments(env, info, name, sizeof name, numbers);
  if (!pipe_ends[1] && pipe2(pipe_ends, O_CLOEXEC)) return number(env, -errno);
  start_t start = {NULL, numbers[0], 0};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strcmp(kinds[i].name, name) == 0) start.run = kinds[i].run;
  if (!start.run) return number(env, -EINVAL);
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 1 << 16);
  pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
  pthread_t made;
  int error = pthread_create(&made, &small, begin, &start);
  pthread_attr_destroy(&small);
  if (error) return number(env, -error);
  while (!start.tid) sched_yield();
  return number(env, start.tid);
}

static int sleep_raw(void *argument) {
  struct timespec hour = {3600, 0};
  while (argument == NULL) syscall(SYS_nanosleep, &hour, NULL);
  return 0;
}

// rawThread(): starts a thread of which the C library knows nothing. Returns its id.
static value_t raw_thread(env_t env, info_t info) {
  (void)info;
  int size = 1 << 16;
  char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
  return number(env, clone(sleep_raw, stack + size, flags, NULL));
}

static value_t write_byte(env_t env, info_t info) { (void)info; return number(env, (int)write(pipe_ends[1], "x", 1)); }
static value_t count_bytes(env_t env, info_t info) { (void)info; return number(env, bytes_read); }
static value_t count_failed(env_t env, info_t info) { (void)info; return number(env, reads_failed); }

// ring(entries, flags, closes): opens an io_uring. With `closes`, only a mapping of its memory stays. Returns the descriptor,
// 0 with `closes`, or a negative errno.
static value_t ring(env_t env, info_t info) {
  int numbers[3] = {0};
  arguments(env, info, NULL, 0, numbers);
  uint32_t params[30] = {0};
  params[2] = (uint32_t)numbers[1]; // flags
  int descriptor = (int)syscall(SYS_io_uring_setup, numbers[0], params);
  if (descriptor < 0) return number(env, -errno);
  if (!numbers[2]) return number(env, descriptor);
  if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0) == MAP_FAILED) return number(env, -errno);
  close(descriptor);
  return number(env, 0);
}

// The kernel's struct sigaction, which has no order of its own in the C library.
typedef struct { void (*handler)(int, siginfo_t *, void *); unsigned long flags;
#ifdef __x86_64__
  void (*restorer)(void);
#endif
  uint64_t mask; } action_t;
static action_t former;
static int passes_on;

#ifdef __x86_64__
__attribute__((naked)) static void restorer(void) { __asm__("mov $15, %eax\n\tsyscall"); }
#endif

static void handle(int signal, siginfo_t *information, void *context) {
  handled++;
  if (passes_on && (uintptr_t)former.handler > 1) {
    forwarded++;
    former.handler(signal, information, context);
  }
}

// handler(passesOn): installs a handler of signal 33, which glibc's sigaction(3) refuses to do.
static value_t handler(env_t env, info_t info) {
  int numbers[3] = {0};
  arguments(env, info, NULL, 0, numbers);
  action_t action = {.handler = handle, .flags = SA_SIGINFO | SA_RESTART};
#ifdef __x86_64__
  action.flags |= 0x04000000; // SA_RESTORER
  action.restorer = restorer;
#endif
  passes_on = numbers[0];
  return number(env, syscall(SYS_rt_sigaction, SIGNAL, &action, &former, 8) ? -errno : 0);
}

// raise33(): sends signal 33 to the calling thread, as neither the C library nor nearfar does.
static value_t raise33(env_t env, info_t info) {
  (void)info;
  siginfo_t information = {.si_code = SI_QUEUE, .si_pid = getpid(), .si_uid = getuid()};
  information.si_signo = SIGNAL;
  information.si_value.sival_int = 1;
  return number(env, (int)syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGNAL, &information));
}

static value_t count_handled(env_t env, info_t info) { (void)info; return number(env, handled); }

// refuseIn(number, tid): from now on the kernel refuses a system call to one thread, though all threads have the same filter.
static value_t refuse_in(env_t env, info_t info) {
  int numbers[3] = {0};
  arguments(env, info, NULL, 0, numbers);
  struct sock_filter program[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, numbers[0], 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog all = {sizeof program / sizeof *program, program};
  unsigned flags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH | SECCOMP_FILTER_FLAG_NEW_LISTENER;
  int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &all);
  if (listener < 0) return number(env, -errno);
  if (fork() == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
      struct seccomp_notif asked = {0};
      if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked)) continue;
      struct seccomp_notif_resp reply = {.id = asked.id};
      if ((int)asked.pid == numbers[1]) reply.error = -EPERM;
      else reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
      ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
    }
  }
  close(listener);
  return number(env, 0);
}

// refuseCall(number, errno, noNewPrivs): from now on the kernel refuses a system call to every thread; -1: kills the thread.
static value_t refuse_call(env_t env, info_t info) {
  int numbers[3] = {0};
  arguments(env, info, NULL, 0, numbers);
  prctl(PR_SET_NO_NEW_PRIVS, numbers[2], 0, 0, 0);
  return number(env, refuse(numbers[0], numbers[1], SECCOMP_FILTER_FLAG_TSYNC));
}

__attribute__((visibility("default"))) value_t napi_register_module_v1(env_t env, value_t exports) {
  static const struct { const char *name; callback_t function; } functions[] = {
    {"thread", thread}, {"rawThread", raw_thread}, {"writeByte", write_byte}, {"bytesRead", count_bytes},
    {"readsFailed", count_failed}, {"ring", ring}, {"handler", handler}, {"raise33", raise33}, {"handled", count_handled},
    {"refuseCall", refuse_call}, {"refuseIn", refuse_in},
  };
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    value_t function;
    napi_create_function(env, functions[i].name, strlen(functions[i].name), functions[i].function, NULL, &function);
    napi_set_named_property(env, exports, functions[i].name, function);
  }
  return exports;
}
