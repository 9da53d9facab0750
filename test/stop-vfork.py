# Traces a process with its threads, writes a byte, and stops the next child that one of them makes, before that child runs.
import ctypes, os, signal, sys

SEIZE, CONT, DETACH, EVENT_STOP = 0x4206, 7, 17, 128
VFORK_AND_CLONE, WALL = 4 | 8, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
pid = int(sys.argv[1])
proc = os.environ.get("NEARFAR_TEST_PROC", "/proc")
for thread in os.listdir(f"{proc}/{pid}/task"):
    if libc.ptrace(SEIZE, int(thread), None, VFORK_AND_CLONE) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
os.write(1, b".")
while True:
    stopped, status = os.waitpid(-1, WALL)
    event = status >> 16
    if event == EVENT_STOP and not os.path.exists(f"{proc}/{pid}/task/{stopped}"):
        os.kill(stopped, signal.SIGSTOP)
        libc.ptrace(DETACH, stopped, None, None)
        break
    libc.ptrace(CONT, stopped, None, 0 if event else os.WSTOPSIG(status))
